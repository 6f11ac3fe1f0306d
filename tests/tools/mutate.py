"""Break the code in many small ways, one at a time, and see which of them the tests notice.

    python tests/tools/mutate.py src/hashslide/metrics.py --tests tests/test_metrics.py [--limit 30]
    python tests/tools/mutate.py core/learning/loss.cpp --tests tests/core --replace "old text" "new text"

Works in a copy of the tree; files in core/ are compiled anew for each change (this needs nanobind and cmake).
Prints what no test noticed: a test is missing, or the change makes no difference. See docs/how/robustness.md.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
# What is changed, by a regular expression, and into what.
COMMON = [
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " / "),
    (r" / ", " * "),
    (r" \+= ", " -= "),
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r"\b0\b(?!\.)", "1"),
    (r"\b1\b(?!\.)", "2"),
    (r"\b(\d+\.\d+)\b", r"2*\1"),
]
PYTHON = [
    *COMMON,
    (r"\bTrue\b", "False"),
    (r"\bFalse\b", "True"),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\bnot ", ""),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
]
CPP = [
    *COMMON,
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r"\bstd::min\b", "std::max"),
    (r"\bstd::max\b", "std::min"),
    (r"^( +)[\w.\->\[\]]+\([^;{]*\);$", r"\1;"),  # a call that is left out
]


class Mutation(NamedTuple):
    """A changed piece of a file."""

    path: str
    begin: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        """Return the text of the file with the change."""
        return text[: self.begin] + self.new + text[self.end :]

    def describe(self, text: str) -> str:
        """Return the place, and the line before and after."""
        first = text.rfind("\n", 0, self.begin) + 1
        changed = self.apply(text)
        lines = (t[first:].split("\n")[0].strip() for t in (text, changed))
        return f"{self.path}:{text.count(chr(10), 0, self.begin) + 1}: " + "  ->  ".join(lines)


def mutations(path: str, text: str) -> Iterator[Mutation]:
    """Yield every change of a file, outside of comments and strings that stand in a line of their own."""
    rules = PYTHON if path.endswith(".py") else CPP
    code = re.sub(r'"""[\s\S]*?"""|//[^\n]*|(?<=\s)#[^\n]*|"[^"\n]*"', lambda m: "\0" * len(m[0]), text)
    for pattern, new in rules:
        for match in re.finditer(pattern, code, re.MULTILINE):
            yield Mutation(path, match.start(), match.end(), match.expand(new))


class Copy:
    """A copy of the tree in which code is broken."""

    def __init__(self, folder: Path, tests: list[str], needs_core: bool):
        self.root, self.tests, self.needs_core = folder, tests, needs_core
        for name in _output("git", "ls-files", "-z", cwd=ROOT).split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        if needs_core:
            options = ["-DCMAKE_BUILD_TYPE=Release", f"-DPython_EXECUTABLE={sys.executable}"]
            options += ["-DSKBUILD_PROJECT_NAME=hashslide", "-DSKBUILD_PROJECT_VERSION=0.1.0"]
            _output("cmake", "-S", ".", "-B", "build", *options, cwd=folder)
        else:
            from hashslide import _core

            shutil.copy(_core.__file__, folder / "src" / "hashslide")

    def passes(self, limit: float | None = None) -> bool:
        """Build what has changed and run the tests; a core that does not compile counts as noticed."""
        if self.needs_core:
            built = subprocess.run(
                ["cmake", "--build", "build", "-j", "2"], cwd=self.root, capture_output=True, text=True
            )
            if built.returncode != 0:
                return False
            for library in (self.root / "build").glob("_core*.so"):
                shutil.copy(library, self.root / "src" / "hashslide")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *self.tests]
        command = ["env", f"PYTHONPATH={self.root / 'src'}", *command]
        try:
            return subprocess.run(command, cwd=self.root, capture_output=True, timeout=limit).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def _output(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _replacement(path: str, text: str, old: str, new: str) -> Mutation:
    if text.count(old) != 1:
        raise SystemExit(f"{path} holds {old!r} {text.count(old)} times; give a text that is there once.")
    return Mutation(path, text.index(old), text.index(old) + len(old), new)


def main() -> int:
    """Try the changes; return 1 if one of them was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="files to break")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="what should notice; default: all")
    parser.add_argument("--limit", type=int, default=20, help="changes to try, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replace", nargs=2, metavar=("OLD", "NEW"), help="try this change of one file only")
    arguments = parser.parse_args()
    texts = {name: (ROOT / name).read_text() for name in arguments.files}
    if arguments.replace:
        name, text = next(iter(texts.items()))
        chosen = [_replacement(name, text, *arguments.replace)]
    else:
        every = [mutation for name, text in texts.items() for mutation in mutations(name, text)]
        order = np.random.default_rng(arguments.seed).permutation(len(every))[: arguments.limit]
        chosen = [every[i] for i in sorted(order)]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder), arguments.tests, any(name.startswith("core/") for name in texts))
        started = time.monotonic()
        if not copy.passes():
            raise SystemExit("the tests fail without any change")
        limit = 60 + 10 * (time.monotonic() - started)
        for mutation in chosen:
            text, place = texts[mutation.path], copy.root / mutation.path
            place.write_text(mutation.apply(text))
            survived = copy.passes(limit)
            place.write_text(text)
            survivors += survived
            print("NOT NOTICED" if survived else "noticed", mutation.describe(text), flush=True)
    print(f"{len(chosen)} changes, {survivors} not noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
