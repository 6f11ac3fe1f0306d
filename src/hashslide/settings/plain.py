"""Settings as plain values for JSON, and back: what model files hold of them."""

from typing import Any

import numpy as np

from hashslide.errors import InputError
from hashslide.settings.base import Settings, check_names, own_values
from hashslide.settings.hash_families import HASH_KINDS, CustomHash, MissingFamily
from hashslide.settings.layers import Layer
from hashslide.settings.negatives import Negatives
from hashslide.settings.network import NetworkConfig
from hashslide.settings.optimizers import OPTIMIZERS
from hashslide.settings.samplers import SAMPLERS
from hashslide.settings.schedules import SCHEDULES

__all__ = ["CLASSES", "config_from_plain", "config_to_plain", "from_plain", "to_plain"]


def __dir__() -> list[str]:
    return __all__


_KINDS = [*HASH_KINDS.values(), *SAMPLERS.values(), *OPTIMIZERS.values(), *SCHEDULES.values()]
CLASSES: dict[str, type[Any]] = {cls.__name__: cls for cls in (*_KINDS, CustomHash, Negatives, Layer)}


def to_plain(value: Any) -> Any:
    """Return a setting as JSON.

    Settings become ``{name of the class: {field: value}}``, sequences lists. A hash family of the user's own
    is only named.
    """
    if isinstance(value, Settings):
        return {type(value).__name__: {name: to_plain(v) for name, v in own_values(value).items()}}
    if isinstance(value, list | tuple | np.ndarray):
        return [to_plain(item) for item in value]
    if isinstance(value, MissingFamily):
        return value.class_name
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, int | float | str) else type(value).__qualname__


def from_plain(value: Any, family: Any = None) -> Any:
    """Return the setting that `to_plain` wrote.

    Parameters
    ----------
    value : JSON
    family : object, optional
        The user's own hash family, wherever `value` names one.

    Raises
    ------
    InputError
        A class or a field is unknown or missing, or a value is not acceptable.
    """
    if isinstance(value, list):
        return [from_plain(item, family) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or next(iter(value)) not in CLASSES:
        raise InputError(f"{sorted(value)} is not the name of one class of settings, such as ['DWTA']")
    ((name, fields),) = value.items()
    if not isinstance(fields, dict):
        raise InputError(f"{name} holds {fields!r}; accepted are its fields with their values")
    check_names(CLASSES[name], name, fields, needs_all=True)
    found = {key: from_plain(item, family) for key, item in fields.items()}
    if name == "CustomHash":
        found["family"] = MissingFamily(str(found["family"])) if family is None else family
    return CLASSES[name](**found)


def config_to_plain(config: NetworkConfig) -> dict[str, Any]:
    """Return the settings of a network as JSON: the value of each field."""
    return {name: to_plain(value) for name, value in own_values(config).items()}


def config_from_plain(values: Any, family: Any = None) -> NetworkConfig:
    """Return the settings that `config_to_plain` wrote; arguments and errors as those of `from_plain`."""
    if not isinstance(values, dict):
        raise InputError(f"the settings of the network are {values!r}")
    check_names(NetworkConfig, "the network", values, needs_all=True)
    return NetworkConfig(**{name: from_plain(value, family) for name, value in values.items()})
