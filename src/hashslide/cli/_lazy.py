"""Commands imported when they are wanted: ``hashslide --help`` and completion answer at once.

The module of a command declares its options and imports what it does, from `hashslide.cli.actions`, only
when it runs: ``hashslide train --help`` answers at once, too.
"""

from importlib import import_module
from typing import Any, Final, Literal

import typer
from typer.core import TyperCommand

from hashslide.cli._outputs import Command

MARKUP: Final[Literal["rich"]] = "rich"


def add_command(group: typer.Typer, target: str, name: str, summary: str) -> None:
    """Add a command to a group without importing it.

    Parameters
    ----------
    group : typer.Typer
    target : str
        ``"module:function"``; the docstring of the function is the help of the command.
    name : str
        What the user types.
    summary : str
        What the help of the group says: the first sentence of the docstring.
    """

    class LazyCommand(TyperCommand):
        """Stands for the command in lists; gives way to it as soon as arguments are read."""

        def make_context(self, *args: Any, **kwargs: Any) -> Any:
            return import_command(target, name).make_context(*args, **kwargs)

    group.command(name, cls=LazyCommand, help=summary)(lambda: None)


def import_command(target: str, name: str) -> Any:
    """Return the command that a function makes, as the framework's object."""
    module, function = target.split(":")
    single = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
    single.command(name, cls=Command)(getattr(import_module(module), function))
    return typer.main.get_command(single)
