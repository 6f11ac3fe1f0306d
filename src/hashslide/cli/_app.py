"""What happens to errors, warnings and interruptions in any command."""

import warnings

import typer
from typer.core import TyperGroup

from hashslide.cli._console import note
from hashslide.errors import HashslideError

FAILED = 1
INTERRUPTED = 130


class Commands(TyperGroup):
    """A group whose commands end with a sentence instead of a traceback."""

    def invoke(self, ctx):
        """Run the command; exit with 1 after an error of data, models or files and with 130 after Ctrl-C."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            # Sparse matrices never carry the names that scikit-learn misses; here they are matched before.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except BrokenPipeError:  # the reader of our output has seen enough: the framework ends quietly
                raise
            except (HashslideError, OSError) as error:
                note(f"Error: {_sentence(error)}")
                raise typer.Exit(FAILED) from None
            except KeyboardInterrupt:
                note("Interrupted.")
                raise typer.Exit(INTERRUPTED) from None


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}. Check its name and permissions."
    return str(error)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    note(f"Warning: {message}")
