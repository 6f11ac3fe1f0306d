"""The reference of the command line, made from the commands by Typer's own generator."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

INTRODUCTION = """\
% Made by docs/_tools/commands.py from the commands themselves.

# Commands and options

What `DATA` may be, how the answers look and which exit codes there are, is said in
[Command line](command_line.md). This page lists every command with its options.

"""
ADVANCED = """
## All options of `train`

`hashslide train --help-advanced` prints them, and every setting that can be written like a call.

"""
GENERATOR = ["-m", "typer", "hashslide.cli", "utils", "docs", "--name", "hashslide"]


def write_command_reference(path: Path) -> None:
    """Write the page, if it would change: Sphinx reads again what is newer."""
    made = subprocess.run([sys.executable, *GENERATOR], capture_output=True, text=True, check=True).stdout
    page = INTRODUCTION + markdown(made) + ADVANCED + advanced_help()
    if not path.exists() or path.read_text(encoding="utf-8") != page:
        path.write_text(page, encoding="utf-8")


def advanced_help() -> str:
    """Return what ``hashslide train --help-advanced`` prints, as a block of text."""
    command = [sys.executable, "-m", "hashslide", "train", "--help-advanced"]
    plain = os.environ | {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=plain).stdout
    lines = [line.rstrip() for line in made.strip().splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def markdown(made: str) -> str:
    """Return Typer's page without the HTML that it makes of rich's markup, one level of headings deeper."""
    made = re.sub(r'<span style="font-weight: bold">(.*?)</span>', r"**\1**", made)
    return "".join(map(_line, made.splitlines(keepends=True)))


def _line(line: str) -> str:
    if line.startswith("    "):  # a block of code, where nothing is an entity
        return html.unescape(line)
    return f"#{line}" if line.startswith("#") else line
