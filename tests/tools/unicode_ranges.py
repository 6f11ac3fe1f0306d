"""Writes core/text/unicode_ranges.h from Python's Unicode database.

    python tests/tools/unicode_ranges.py > core/text/unicode_ranges.h

The table is part of what a text recipe means: it changes only by hand, never with the Python that runs.
"""

import sys
import unicodedata
from collections.abc import Iterator

ALONE = (  # scripts that put no spaces between words, by the first and the last code point of their blocks
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3031, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)
IGNORED = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x1F3FB, 0x1F3FF))  # variants and skin tones


def kind_of(point: int) -> str:
    """Return the kind of a code point, as in core/text/unicode.h."""
    char = chr(point)
    category = unicodedata.category(char)
    if any(first <= point <= last for first, last in IGNORED) or category == "Cf":
        return "ignored"
    if char.isspace():
        return "space"
    if category[0] == "M":
        return "mark"
    if category[0] == "L" and any(first <= point <= last for first, last in ALONE):
        return "alone"
    if category[0] in "LN" or char == "_":
        return "word"
    return "alone" if category == "So" else "separator"


def ranges() -> Iterator[tuple[int, int, str]]:
    """Yield the runs of code points of one kind, but for those that separate."""
    first, kind = 0, kind_of(0)
    for point in range(1, 0x110001):
        now = kind_of(point) if point < 0x110000 else ""
        if now != kind:
            if kind != "separator":
                yield first, point - 1, kind
            first, kind = point, now


def main() -> None:
    """Print the header."""
    version = unicodedata.unidata_version
    print(f"// Kinds of code points by Unicode {version}; tests/tools/unicode_ranges.py wrote it.")
    print('#pragma once\n\n#include "text/unicode.h"\n\nnamespace hashslide {\n')
    print("struct CodePoints {\n    char32_t first, last;\n    CodePoint kind;\n};\n")
    print("constexpr CodePoints code_points[] = {")
    line = "   "
    for first, last, kind in ranges():
        item = f" {{{first:#x}, {last:#x}, CodePoint::{kind}}},"
        if len(line) + len(item) > 118:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};\n\n}  // namespace hashslide")


if __name__ == "__main__":
    sys.exit(main())
