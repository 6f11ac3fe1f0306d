"""Running the commands, in this process or in one of their own."""

import json
import signal
import subprocess
import sys

import typer
from typer.testing import CliRunner

from hashslide.cli import app

PROGRAM = "from hashslide.cli import main; main()"
SMALL = ["--epochs", "3", "--hidden", "32"]


def run(*arguments, input=None, code=0, **options):
    """Run a command in this process and check its exit code."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input, **options)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def all_commands() -> dict[str, tuple]:
    """What lists of commands show and the command itself, for every command by its full name."""

    def walk(group, prefix=""):
        for name, shown in group.commands.items():
            if hasattr(shown, "commands"):
                yield from walk(shown, f"{name} ")
            else:
                yield prefix + name, (shown, shown.make_context(name, [], resilient_parsing=True).command)

    return dict(walk(typer.main.get_command(app)))


def start(*arguments, **options) -> subprocess.Popen:
    """Run a command in a process of its own, which hears signals even where the tests run under nohup."""
    options.setdefault("preexec_fn", _hear_signals)
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def _hear_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def json_lines(text: str) -> list:
    return [json.loads(line) for line in text.splitlines()]
