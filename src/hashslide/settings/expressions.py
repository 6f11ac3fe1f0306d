"""Settings written as text, as on the command line: ``dwta(tables=50)``, ``1000, hashed(500, 50)``.

The text is Python's syntax of names, numbers, strings and calls, but nothing is executed: only the classes of
settings and the short forms of layers can be called.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from hashslide.errors import InputError
from hashslide.settings import layers
from hashslide.settings.base import Settings, check_names, default_of, fields_of
from hashslide.settings.constraints import Constraint
from hashslide.settings.hash_families import HASH_KINDS, HashFamily, TableFamily
from hashslide.settings.negatives import Negatives
from hashslide.settings.optimizers import OPTIMIZERS
from hashslide.settings.samplers import SAMPLERS
from hashslide.settings.schedules import SCHEDULES

__all__ = ["CALLS", "LAYERS", "composed_help", "read_setting", "write_setting"]


def __dir__() -> list[str]:
    return __all__


LAYERS: dict[str, Callable[..., Any]] = {
    "layer": layers.Layer,
    "dense": layers.Dense,
    "hashed": layers.Hashed,
    "dropout": layers.Dropout,
    "adaptive_dropout": layers.AdaptiveDropout,
    "winner_take_all": layers.WinnerTakeAll,
    "low_rank": layers.LowRank,
}
CALLS: dict[str, Callable[..., Any]] = {
    **HASH_KINDS,
    **SAMPLERS,
    **OPTIMIZERS,
    **SCHEDULES,
    "negatives": Negatives,
    **LAYERS,
}
_WORDS = {"none": None, "true": True, "false": False, "yes": True, "no": False}
_DENSE = {"length": "auto", "softness": "auto", "dropout": 0.0}
_LONGEST = 2000  # characters
_CLASS_NAMES = {function.__name__.lower(): name for name, function in CALLS.items()}


def read_setting(name: str, text: str, constraint: Constraint) -> Any:
    """Return the value of a setting that is written as text.

    Parameters
    ----------
    name : str
        Of the setting, for messages.
    text : str
    constraint : Constraint

    Raises
    ------
    InputError
        The text is not of that form, or its value is not acceptable.
    """
    values = _values(name, text)
    value = values if len(values) != 1 or isinstance(values[0], list) else values[0]
    constraint.check(name, value)
    return value


def write_setting(value: Any) -> str:
    """Return a setting as text that `read_setting` reads."""
    if isinstance(value, list | tuple):
        return ", ".join(map(write_setting, value))
    if isinstance(value, layers.Layer) and value.is_dense:
        given = {name: getattr(value, name) for name in _DENSE}
        options = [f"{name}={option}" for name, option in given.items() if option != _DENSE[name]]
        return f"dense({', '.join([str(value.width), value.activation, *options])})"
    if isinstance(value, Settings):
        return _call(value)
    return _word(value)


def _call(settings: Settings) -> str:
    cls = type(settings)
    values = [(field.name, getattr(settings, field.name), default_of(field)) for field in fields_of(cls)]
    given = [f"{name}={_word(value)}" for name, value, default in values if value != default]
    return f"{cls.name}({', '.join(given)})" if given else cls.name


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return write_setting(value) if isinstance(value, Settings) else str(value)


def _values(name: str, text: str) -> list[Any]:
    """Return what is written between commas."""
    refusal = InputError(
        f"{name} is {text[:200]!r}; accepted are numbers, names and calls such as dwta(tables=50), with "
        "commas between them."
    )
    if len(text) > _LONGEST:
        raise refusal
    try:
        body = ast.parse(f"({text.strip().removesuffix(',')},)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise refusal from None
    if not isinstance(body, ast.Tuple):
        raise refusal
    values: list[Any] = []
    try:
        for node in body.elts:
            value = _value(name, node)
            values.extend(value) if isinstance(value, list) else values.append(value)
    except RecursionError:
        raise refusal from None
    return values


def _value(name: str, node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
        return node.value
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id.lower(), node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = getattr(node.operand, "value", None)
        if isinstance(number, int | float):
            return -number
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(name, node, node.func.id)
    raise InputError(
        f"{name} holds {ast.unparse(node)!r}; accepted are numbers, names and calls such as dwta(tables=50)."
    )


def _called(name: str, node: ast.Call, written: str) -> Any:
    function = CALLS.get(written) or CALLS.get(_CLASS_NAMES.get(written.lower(), ""))
    if function is None:
        raise InputError(f"{name} holds {written}(...), which is unknown; accepted are {', '.join(CALLS)}.")
    arguments = [_value(name, argument) for argument in node.args]
    named = {word.arg or "**": _value(name, word.value) for word in node.keywords}
    try:
        if isinstance(function, type) and issubclass(function, Settings):
            check_names(function, f"{name}={written}(...)", named)
        inspect.signature(function).bind(*arguments, **named)
    except TypeError as error:
        raise InputError(
            f"{name} holds {ast.unparse(node)!r}: {error}; accepted is "
            f"{written}({', '.join(_arguments(function))})."
        ) from None
    try:
        return function(*arguments, **named)
    except InputError as error:
        raise InputError(f"{name}={error}") from None


_GROUPS: dict[str, list[Callable[..., Any]]] = {
    "hash": list(HASH_KINDS.values()),
    "sampler": list(SAMPLERS.values()),
    "optimizer": list(OPTIMIZERS.values()),
    "schedule": list(SCHEDULES.values()),
    "negatives": [Negatives],
    "hidden": list(LAYERS.values()),
}


def composed_help() -> str:
    """Return a table of all that can be composed: the calls of each setting, their fields with defaults."""
    names = {function: name for name, function in CALLS.items()}
    lines = ["What can be composed, with the defaults; a plain name stands for all of them:"]
    for setting, functions in _GROUPS.items():
        lines += [f"\n --{setting}"]
        lines += [_wrapped(f"{names[function]}({', '.join(_arguments(function))})") for function in functions]
        if setting == "hash":
            lines += [_wrapped(f"any with tables: {', '.join(_arguments(TableFamily, HashFamily))}")]
            lines += [_wrapped(f"any of them: {', '.join(map(_shown, fields_of(HashFamily)))}")]
    return "\n".join(lines)


def _arguments(function: Callable[..., Any], base: type[HashFamily] = TableFamily) -> list[str]:
    """Return the arguments of a call with their defaults, without those that all hash families have."""
    if isinstance(function, type) and issubclass(function, HashFamily):
        common = {field.name: field.default for field in fields(base)}
        return [_shown(f) for f in fields_of(function) if common.get(f.name, MISSING) != f.default]
    if isinstance(function, type):
        return [_shown(field) for field in fields_of(function)]
    parameters = inspect.signature(function).parameters.values()
    return [_shown(p) for p in parameters]


def _shown(item: Any) -> str:
    if item.default in (MISSING, inspect.Parameter.empty):
        return item.name
    is_settings = isinstance(item.default, Settings)
    return f"{item.name}={type(item.default).name if is_settings else str(item.default).lower()}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 98, initial_indent="   ", subsequent_indent="       ")
