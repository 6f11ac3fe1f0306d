"""What all classes of settings share: checks, a short text, plain values for model files."""

import inspect
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar

from hashslide.errors import InputError
from hashslide.settings.constraints import constraints_of, shown

__all__ = ["Settings", "check_names", "default_of", "fields_of", "own_values"]


def __dir__() -> list[str]:
    return __all__


class Settings:
    """Base of the frozen dataclasses whose fields carry a `Constraint` in their annotation."""

    name: ClassVar[str]  # by which a parameter can ask for the default settings

    def __post_init__(self) -> None:
        for name, constraint in constraints_of(type(self)).items():
            value = getattr(self, name)
            try:
                checked = constraint.check(name, value)
            except InputError as error:
                raise InputError(f"{type(self).__name__}({name}={shown(value)}): {error}") from None
            object.__setattr__(self, name, checked)
        self._complete()

    def _complete(self) -> None:
        """Check what has to go together, and decide what follows from the rest."""

    def __repr__(self) -> str:
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields_of(type(self))
            if getattr(self, field.name) != default_of(field)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def fields_of(cls: type) -> list[Field[Any]]:
    """Return the fields of a class of settings, those of its bases after its own."""
    order = {
        name: (depth, place)
        for depth, base in enumerate(cls.__mro__)
        for place, name in enumerate(inspect.get_annotations(base))
    }
    return sorted(fields(cls), key=lambda field: order[field.name])


def default_of(field: Field[Any]) -> Any:
    """Return the default of a field; `dataclasses.MISSING` if it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def own_values(settings: Settings) -> dict[str, Any]:
    """Return the values of all fields by name."""
    return {field.name: getattr(settings, field.name) for field in fields(settings)}  # type: ignore[arg-type]


def check_names(cls: type, what: str, given: Any, needs_all: bool = False) -> None:
    """Refuse names that are not those of the fields of a class.

    Raises
    ------
    InputError
        A name is unknown or, with `needs_all`, missing.
    """
    known = [field.name for field in fields_of(cls)]
    if unknown := sorted(set(given) - set(known)):
        raise InputError(f"{what} has no setting {unknown[0]!r}; accepted are {', '.join(known)}.")
    if needs_all and (missing := [name for name in known if name not in given]):
        raise InputError(f"{what} lacks {', '.join(missing)}.")
