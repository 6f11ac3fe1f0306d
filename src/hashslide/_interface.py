"""How messages name settings: as arguments in Python, as options on the command line.

A message is made far below the interface that the user sees. It asks here for the words, so that its remedy
can be followed as it stands.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_NO_VALUE = object()
_options: Mapping[str, str] | None = None  # of the command that runs: "n_features" -> "--n-features"


@contextmanager
def command_line(options: Mapping[str, str]) -> Iterator[None]:
    """Name settings as a command's options inside the block, in every thread.

    Parameters
    ----------
    options : mapping of str to str
        The option for each Python argument that the command knows.
    """
    global _options
    before, _options = _options, options
    try:
        yield
    finally:
        _options = before


def setting(name: str, value: Any = _NO_VALUE) -> str:
    """Return what a user writes for a setting, such as ``lenient=True`` or ``--lenient``.

    Parameters
    ----------
    name : str
        The Python argument.
    value : object, optional
        The value to give it; without one, the setting is only named.
    """
    option = None if _options is None else _options.get(name)
    if option is None:
        return name if value is _NO_VALUE else f"{name}={value!r}"
    if value is _NO_VALUE or value is True:
        return option
    return f"{option} {'none' if value is None else value}"


def wording(python: T, command: T) -> T:
    """Return one of two wordings: for Python, or for the command line."""
    return python if _options is None else command
