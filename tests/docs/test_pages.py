"""Every block of code in README and docs/ runs, page by page, in the order in which a reader meets it."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
MADE = ("commands.md",)  # by docs/_tools, from code
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.is_file() and page.name not in MADE]
PLAIN = {"text", "json", "toctree", "eval-rst", "image", "figure"}  # languages of what is not run
MOST_SKIPPED = 10
PROGRAM = """
import os, pathlib
from hashslide.data import datasets
datasets._FOLDER = pathlib.Path(os.environ["BUILTIN"])
from hashslide.cli import main
main()
"""
SHELL = 'set -eu\nhashslide() { "$PYTHON" -c "$PROGRAM" "$@"; }\n'


def run_shell(example) -> None:
    """Run a block of commands with bash; ``hashslide`` is the one of this interpreter."""
    done = subprocess.run(
        ["bash", "-c", SHELL + example.parsed],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHON": sys.executable, "PROGRAM": PROGRAM},
        check=False,
    )
    failed = done.returncode != 0 or "Error" in done.stderr  # a pipe's status is that of its last command
    assert not failed, f"{example.parsed}\n{done.stdout}\n{done.stderr}"


def blocks(page: Path):
    """Return the examples of a page, as Sybil finds them."""
    parsers = [PythonCodeBlockParser(), CodeBlockParser("bash", run_shell), SkipParser()]
    return list(Sybil(parsers, path=str(ROOT)).parse(page).examples())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page, reader):
    for example in blocks(page):
        with contextlib.suppress(SkipTest):
            example.evaluate()


def test_a_wrong_block_fails(reader):
    page = reader / "page.md"
    sources = [("python", "x = 1"), ("python", "assert x == 2"), ("bash", "hashslide predict none.hashslide")]
    page.write_text("\n".join(f"```{language}\n{source}\n```\n" for language, source in sources))
    first, second, third = blocks(page)
    first.evaluate()
    with pytest.raises(AssertionError):
        second.evaluate()
    with pytest.raises(AssertionError, match="Error"):
        third.evaluate()


def test_few_blocks_are_skipped_and_every_skip_has_a_reason():
    skips = [skip for page in PAGES for skip in re.findall(r"<!-+ *skip: *(.*?) *-+>", page.read_text())]
    assert len(skips) <= MOST_SKIPPED
    for skip in skips:
        assert skip == "end" or re.fullmatch(r'(next|start) "[^"]+"', skip), skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_name_their_language(page):
    fences = re.findall(r"^ *(?:```|:::)+(.*)$", page.read_text(), re.MULTILINE)
    opening = [fence.strip().strip("{}").split("}")[0] for fence in fences[::2]]
    assert all(fence.strip() == "" for fence in fences[1::2])
    assert set(opening) <= {"python", "bash"} | PLAIN


def test_paths_of_pages_in_the_sources_exist():
    named = {
        path
        for folder in ("src", "core", "benchmarks", "examples", "tests")
        for source in (ROOT / folder).rglob("*")
        if source.suffix in (".py", ".h", ".cpp", ".md")
        for path in re.findall(r"docs/[\w/]+\.md", source.read_text(encoding="utf-8"))
    }
    assert named
    assert not [path for path in sorted(named) if not (ROOT / path).is_file()]
