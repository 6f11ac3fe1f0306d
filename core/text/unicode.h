// UTF-8 text as code points, and what each of them is to a tokeniser.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/types.h"

namespace hashslide {

enum class CodePoint : std::uint8_t {
    separator,  // ends a word
    space,      // and a chunk of letters and signs
    word,       // letters, digits and the underscore
    mark,       // belongs to the letter before it
    alone,      // is a word by itself: emoji, and letters of scripts that put no spaces between words
    ignored     // is not there: joiners and variants
};

CodePoint kind_of(char32_t point);

// The code point at `at`, which moves behind it. Bytes that are no UTF-8 are a replacement character each.
inline char32_t next_point(std::string_view text, std::size_t& at) {
    constexpr char32_t replacement = 0xfffd;
    const auto byte = [&](std::size_t i) -> std::uint32_t {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    };
    const std::uint32_t lead = byte(at);
    if (lead < 0x80) return ++at, lead;
    const int length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    char32_t point = lead & (0x7fu >> length);
    for (int i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xc0) != 0x80) return ++at, replacement;
        point = point << 6 | (byte(at + i) & 0x3f);
    }
    if (lead < 0xc2 || point > 0x10ffff) return ++at, replacement;
    at += length;
    return point;
}

}  // namespace hashslide
