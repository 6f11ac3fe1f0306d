"""Values that become JSON, and back."""

import math
import numbers
from dataclasses import asdict
from typing import Any

import numpy as np

from hashslide._checks import check_float, check_int
from hashslide.callbacks import EarlyStopping
from hashslide.errors import InputError
from hashslide.estimator.parameters import PARAMETERS, check_values
from hashslide.ranking import Blend, RankerReport
from hashslide.settings import ChosenSettings, CustomHash, HashFamily, Setting
from hashslide.settings.plain import from_plain, to_plain
from hashslide.training import Position

__all__ = [
    "finite_record",
    "plain_parameters",
    "plain_ranker",
    "plain_settings",
    "restore_parameters",
    "restore_position",
    "restore_ranker",
    "restore_record",
    "restore_settings",
]


def __dir__() -> list[str]:
    return __all__


_STOPPING = ("monitor", "patience", "min_delta")


def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters as JSON.

    Callbacks, generators and the number of threads, which belongs to a machine and not to a model, take their
    default on loading. The weights of labels are saved as an array.
    """
    family = parameters["hash"]
    if not isinstance(family, HashFamily | str | None):
        parameters = parameters | {"hash": CustomHash(family)}
    stopping = parameters["early_stopping"]
    if isinstance(stopping, EarlyStopping):
        own = {name: getattr(stopping, name) for name in _STOPPING}
        parameters = parameters | {"early_stopping": {"EarlyStopping": own}}
    kept = parameters.keys() - {"n_jobs", "callbacks"}
    return {
        name: value if isinstance(value := parameters[name], dict) else to_plain(value)
        for name in sorted(kept)
        if name not in ("random_state", "label_weight") or _is_scalar(parameters[name])
    }


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | str | numbers.Number | np.generic)


def restore_parameters(values: dict[str, Any], family: Any = None) -> dict[str, Any]:
    """Return the parameters that `plain_parameters` wrote, checked."""
    if unknown := sorted(values.keys() - PARAMETERS.keys()):
        raise InputError(f"it has the parameter {unknown[0]!r}; known are {', '.join(PARAMETERS)}")
    values = dict(values)
    stopping = values.get("early_stopping")
    if isinstance(stopping, dict):
        own = stopping.get("EarlyStopping")
        if not isinstance(own, dict) or own.keys() != set(_STOPPING):
            raise InputError(f"its early_stopping is {stopping!r}")
        values["early_stopping"] = EarlyStopping(**own)
    found = {name: v if isinstance(v, EarlyStopping) else from_plain(v, family) for name, v in values.items()}
    check_values(found)
    return found


def plain_settings(settings: ChosenSettings) -> list[dict[str, Any]]:
    """Return the settings as JSON: records of the name, the value and the reason."""
    return [{"setting": n, "value": to_plain(s.value), "because": s.reason} for n, s in settings.items()]


def restore_settings(records: list[dict[str, Any]], family: Any) -> ChosenSettings:
    """Return the settings that `plain_settings` wrote, checked."""
    found = {}
    for record in records:
        name, reason = record["setting"], record["because"]
        if not isinstance(name, str) or name not in PARAMETERS or not isinstance(reason, str):
            raise InputError(f"its settings hold {name!r}, because {reason!r}")
        value = from_plain(record["value"], family)
        if value is not None:
            value = PARAMETERS[name].check(name, value)
        found[name] = Setting(value, reason)
    return ChosenSettings(found)


def finite_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a record as JSON: null stands for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in record.items()}


def restore_record(record: dict[str, float | None]) -> dict[str, float]:
    """Return what the history tells of an epoch; null stands for what is not finite."""
    for name, value in record.items():
        if isinstance(value, bool) or not isinstance(value, float | int | None):
            raise InputError(f"its history has {value!r} as {name}; accepted are numbers and null")
    return {name: math.nan if value is None else value for name, value in record.items()}


def restore_position(position: dict[str, Any]) -> Position:
    """Return a position that was written as a dict, checked."""
    for name in ("batch", "examples", "active"):
        check_int(name, position[name], 0, 2**63 - 1)
    for name in ("loss", "seconds"):
        check_float(name, position[name], -math.inf, math.inf, "()")
    return Position(**position)


def plain_ranker(report: RankerReport) -> dict[str, Any]:
    """Return what is known of a ranker as JSON: the weights of its blend among its other numbers."""
    numbers = asdict(report)
    return finite_record(numbers.pop("blend")._asdict() | numbers)


def restore_ranker(report: dict[str, Any]) -> RankerReport:
    """Return the report that `plain_ranker` wrote, checked."""
    for name, value in report.items():
        if isinstance(value, bool) or not isinstance(value, float | int | None):
            raise InputError(f"its ranker has {value!r} as {name}; accepted are numbers and null")
    numbers = {name: math.nan if value is None else float(value) for name, value in report.items()}
    blend = Blend(*(numbers.pop(name) for name in Blend._fields))
    rows, n_examples = (int(numbers.pop(name)) for name in ("rows", "n_examples"))
    return RankerReport(blend, rows=rows, n_examples=n_examples, **numbers)
