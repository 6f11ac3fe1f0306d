"""What happens to errors, warnings and interruptions in any command."""

import os
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from hashslide._os_errors import explain
from hashslide.cli._console import drop_unwritten, note, visible
from hashslide.cli._signals import exit_code
from hashslide.errors import HashslideError

FAILED = 1


class Commands(TyperGroup):
    """A group whose commands end with a sentence instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors and signals end it with a sentence and a code."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            # Sparse matrices never carry the names that scikit-learn misses; here they are matched before.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            warnings.showwarning = _show_warning
            try:
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
            except BrokenPipeError:  # the reader of our output has seen enough: the framework ends quietly
                raise
            except (HashslideError, OSError, MemoryError) as error:
                drop_unwritten()
                note(f"Error: {visible(_sentence(error))}")
                raise typer.Exit(FAILED) from None
            except KeyboardInterrupt as error:
                note("Interrupted.")
                raise typer.Exit(exit_code(error)) from None


def _sentence(error: HashslideError | OSError | MemoryError) -> str:
    if isinstance(error, HashslideError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{explain(error)} {error}".rstrip()
    name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{name}{explain(error)}"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,
) -> None:
    note(f"Warning: {visible(str(message))}")
