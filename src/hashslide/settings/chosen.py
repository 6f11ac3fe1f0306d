"""What the settings of a trained model became, and why."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hashslide._interface import wording
from hashslide.settings.expressions import write_setting

__all__ = ["ChosenSettings", "Setting", "value_text"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Setting:
    """A parameter's value and the reason for it.

    Attributes
    ----------
    value : object
        As the constructor of `SlideClassifier` takes it; None for a sampler that is not needed.
    reason : str
        What may follow the word "because".
    """

    value: Any
    reason: str

    def __str__(self) -> str:
        return f"{value_text(self.value)}, because {self.reason}"


class ChosenSettings(Mapping[str, Setting]):
    """The settings of a trained model by the name of their parameter; it cannot be changed.

    Parameters
    ----------
    settings : mapping of str to Setting

    Examples
    --------
    >>> from hashslide import SlideClassifier
    >>> model = SlideClassifier(epochs=2, random_state=0).fit([[1, 0], [0, 1]], [["left"], ["right"]])
    >>> model.settings_["epochs"]
    Setting(value=2, reason='it was given')
    >>> print(model.settings_["loss"])
    bce, because an example may have several labels
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._settings = dict(settings)

    def __getitem__(self, name: str) -> Setting:
        return self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def replaced(self, **settings: Setting) -> "ChosenSettings":
        """Return the same with other settings under these names."""
        return ChosenSettings(self._settings | settings)

    def lines(self) -> list[str]:
        """Return each setting as a line of text."""
        return [f"{name}: {setting}" for name, setting in self.items()]


def value_text(value: Any) -> str:
    """Return a setting as the user writes it, in Python or on the command line."""
    if isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    write: Callable[[Any], str] = wording(_in_python, write_setting)
    return write(value)


def _in_python(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
