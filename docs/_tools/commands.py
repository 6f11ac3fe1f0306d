"""The reference of the command line, made from the commands themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

from hashslide.cli import app
from hashslide.settings.expressions import composed_help

INTRODUCTION = """\
% Made by docs/_tools/commands.py from the commands themselves.

# Commands and options

[Command line](command_line.md) says what `DATA` may be, how the answers look and which exit codes there
are. This page lists every command with all of its options.
"""
PROGRAM = "hashslide"


def write_command_reference(path: Path) -> None:
    """Write the page, if it would change: Sphinx reads again what is newer."""
    blocks = [INTRODUCTION, *describe(typer.main.get_command(app), PROGRAM)]
    blocks += ["## Settings written like calls", f"```text\n{composed_help().strip()}\n```"]
    page = "\n\n".join(block.strip("\n") for block in blocks) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != page:
        path.write_text(page, encoding="utf-8")


def describe(command, name: str) -> Iterator[str]:
    """Yield blocks of Markdown about a command and the commands below it."""
    context = command.make_context(name, [], resilient_parsing=True)
    command = context.command  # the real one, where another stood for it until it is wanted
    if name != PROGRAM:
        yield f"## {name}" if name.count(" ") == 1 else f"### {name}"
    yield markdown(command.help or "")
    if not hasattr(command, "commands"):
        yield f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```"
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        parameter.hidden = False
        record = parameter.get_help_record(context)
        if record is not None:
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            panel = getattr(parameter, "rich_help_panel", None) or kind
            panels.setdefault(panel, []).append(f"| `{cell(record[0])}` | {cell(record[1])} |")
    for panel, rows in panels.items():
        yield "\n".join([f"| {panel} | |", "|---|---|", *rows])
    for below in getattr(command, "commands", {}).values():
        yield from describe(below, f"{name} {below.name}")


def markdown(text: str) -> str:
    """Return the help of a command, written for rich, as Markdown."""
    text = re.sub(r"\[/?bold\]", "**", text)
    return "\n".join(line for line in text.splitlines() if line.strip() != "\b")


def cell(text: str) -> str:
    """Return a text that may stand in a cell of a table."""
    return text.replace("|", "\\|").replace("[", "\\[").replace("*", "\\*")
