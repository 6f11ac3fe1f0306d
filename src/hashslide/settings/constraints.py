"""What a setting may be, declared where the setting is.

A constraint stands in the annotation of a field, ``tables: Annotated[int, Integer(1, 10_000)] = 50``, or in a
table of parameters. Constructors, model files and the command line all check and explain by it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np

from hashslide._checks import as_int, check_float, is_auto
from hashslide._interface import wording
from hashslide.errors import InputError

__all__ = [
    "Checked",
    "Choice",
    "Composed",
    "Constraint",
    "Flag",
    "Integer",
    "Real",
    "UnacceptableError",
    "allow_auto",
    "constraints_of",
    "shown",
    "word",
]


def __dir__() -> list[str]:
    return __all__


_LONGEST = 10**100  # Python does not print all of longer integers


class UnacceptableError(Exception):
    """A value that a constraint does not allow."""


@dataclass(frozen=True, kw_only=True)
class Constraint(ABC):
    """Values that a setting may have; `auto` and `none` add "auto" and None to them."""

    auto: bool = False
    none: bool = False

    def check(self, name: str, value: Any) -> Any:
        """Return the value as Python's own type.

        Raises
        ------
        InputError
            It is not acceptable.
        """
        if (self.auto and is_auto(value)) or (self.none and value is None):
            return value
        try:
            return self.convert(name, value)
        except UnacceptableError:
            raise InputError(f"{name} is {shown(value)}; accepted {self.accepted()}.") from None

    @abstractmethod
    def convert(self, name: str, value: Any) -> Any:
        """Return the value as Python's own type, or raise `UnacceptableError` or an own `InputError`."""

    @abstractmethod
    def alternatives(self) -> list[str]:
        """Return what is accepted besides "auto" and None, in words."""

    def accepted(self) -> str:
        """Return what is accepted as the end of a sentence, beginning with its verb."""
        every = (
            [wording('"auto"', "auto")] * self.auto
            + [wording("None", "none")] * self.none
            + self.alternatives()
        )
        if len(every) == 1:
            return f"is {every[0]}"
        return f"are {', '.join(every[:-1])} and {every[-1]}"


@dataclass(frozen=True)
class Integer(Constraint):
    """Integers from `low` to `high`, of Python or NumPy; booleans are none."""

    low: int
    high: int
    is_power_of_two: bool = False

    def convert(self, name: str, value: Any) -> int:
        number = as_int(value)
        if number is None or not self.low <= number <= self.high:
            raise UnacceptableError
        if self.is_power_of_two and number & (number - 1):
            raise UnacceptableError
        return number

    def alternatives(self) -> list[str]:
        kind = "a power of two" if self.is_power_of_two else "an integer"
        return [f"{kind} from {self.low} to {self.high}"]


@dataclass(frozen=True)
class Real(Constraint):
    """Numbers from `low` to `high`; a round bracket leaves an end out."""

    low: float
    high: float
    brackets: str = "[]"

    def convert(self, name: str, value: Any) -> float:
        try:
            return check_float(name, value, self.low, self.high, self.brackets)
        except InputError:
            raise UnacceptableError from None

    def alternatives(self) -> list[str]:
        return [f"a number in {self.brackets[0]}{self.low}, {self.high}{self.brackets[1]}"]


@dataclass(frozen=True)
class Choice(Constraint):
    """One of some names."""

    names: tuple[str, ...]

    def convert(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise UnacceptableError
        return str(value)

    def alternatives(self) -> list[str]:
        return [word(name) for name in self.names]


@dataclass(frozen=True)
class Flag(Constraint):
    """True or False."""

    def convert(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise UnacceptableError
        return bool(value)

    def alternatives(self) -> list[str]:
        return [wording("True", "yes"), wording("False", "no")]


@dataclass(frozen=True)
class Composed(Constraint):
    """An object of one of some classes, or the name of one, which stands for its default settings."""

    kinds: Mapping[str, type]

    def convert(self, name: str, value: Any) -> Any:
        if isinstance(value, tuple(self.kinds.values())):
            return value
        if not isinstance(value, str) or value not in self.kinds:
            raise UnacceptableError
        return self.kinds[value]()

    def alternatives(self) -> list[str]:
        name, kind = next(iter(self.kinds.items()))
        call = wording(f"an object such as {kind.__name__}(...)", f"a call such as {name}(...)")
        return [*map(word, self.kinds), call]


@dataclass(frozen=True)
class Checked(Constraint):
    """What a function of a name and a value accepts; it raises an `InputError` of its own."""

    function: Callable[[str, Any], Any]
    description: str

    def convert(self, name: str, value: Any) -> Any:
        return self.function(name, value)

    def alternatives(self) -> list[str]:
        return [self.description]


def word(name: str) -> str:
    """Return how a user writes a name: in quotes, but for the command line."""
    return wording(repr(name), name)


def allow_auto(constraint: Constraint) -> Constraint:
    """Return the same constraint that accepts "auto" too."""
    return replace(constraint, auto=True)


_FOUND: dict[type, dict[str, Constraint]] = {}


def constraints_of(cls: type) -> dict[str, Constraint]:
    """Return the constraint of each field of a class of settings."""
    if cls not in _FOUND:
        hints = get_type_hints(cls, include_extras=True)
        _FOUND[cls] = {
            name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated
        }
    return _FOUND[cls]


def shown(value: Any) -> str:
    """Return a value for a message, no longer than a line or two."""
    if value is None or isinstance(value, bool):
        return wording(repr(value), {None: "none", True: "yes", False: "no"}[value])
    number = as_int(value)
    if number is not None and abs(number) >= _LONGEST:
        return "an integer of more than 100 digits"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
