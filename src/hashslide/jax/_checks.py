"""What the head accepts: shapes and types when a function is traced, values where they are known."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from hashslide.errors import InputError

from ._sampling import starts_of
from ._settings import HeadSettings
from ._state import Rows, Sample, Table

_INT32 = np.iinfo(np.int32)


def read_counts(counts: Any, num_classes: int) -> NDArray[np.uint32] | None:
    """Return the shares that counts of the classes stand for, or None."""
    if counts is None:
        return None
    occurrences = _per_class("counts", counts, num_classes)
    if not occurrences.any():
        raise InputError("counts holds only zeros; accepted are counts of which one at least is positive.")
    return starts_of(occurrences)


def read_class_weight(weight: Any, num_classes: int) -> NDArray[np.float32] | None:
    """Return the weights of the classes, or None."""
    return None if weight is None else _per_class("weight", weight, num_classes).astype(np.float32)


def check_has_counts(settings: HeadSettings, starts: Any) -> None:
    """Refuse to draw by frequency without frequencies."""
    if settings.sampling == "frequency" and starts is None:
        raise InputError('sampling is "frequency", which needs counts; give how often each class occurs.')


def _per_class(name: str, values: Any, num_classes: int) -> NDArray[np.float64]:
    array = _as_array(name, values)
    if array.dtype.kind not in "iuf" or array.shape != (num_classes,):
        raise InputError(
            f"{name} has the shape {array.shape} and the dtype {array.dtype}; accepted is one number for "
            f"each class, the shape ({num_classes},)."
        )
    array = np.asarray(array, np.float64)
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise InputError(
            f"{name} holds negative, NaN or infinite values; accepted are finite numbers from 0 on."
        )
    return array


def check_labels(y: Any, num_classes: int, ignore_index: int) -> Array:
    """Return the labels of a batch as int32, if they are integers of shape (N,) or (N, T).

    Labels whose values are known now have to exist; of a tracer nobody knows them (see `reduce`).
    """
    if not isinstance(y, Array):
        y = _as_array("y", y)
        if y.size == 0:
            y = y.astype(np.int32)
    if not (jnp.issubdtype(y.dtype, jnp.integer) and y.ndim in (1, 2)):
        raise InputError(
            f"y has the shape {y.shape} and the dtype {y.dtype}; accepted are integers of shape (N,), or "
            f"(N, T) where an example has up to T labels, filled up with {ignore_index}."
        )
    if not isinstance(y, jax.core.Tracer):
        found = np.asarray(y)
        wrong = found[((found < 0) | (found >= num_classes)) & (found != ignore_index)]
        if len(wrong):
            raise InputError(
                f"y holds the label {wrong[0]}; accepted are labels from 0 to {num_classes - 1}, and "
                f"{ignore_index} where there is none."
            )
    if y.dtype.itemsize >= 4 and y.dtype != np.int32:  # what is out of range stays so
        low = 0 if y.dtype.kind == "u" else _INT32.min
        y = y.clip(low, _INT32.max)
    return jnp.asarray(y.astype(np.int32))


def check_hidden(h: Any, in_features: int) -> Array:
    """Return activations of shape (N, in_features), of any floating type."""
    if not isinstance(h, Array):
        h = _as_array("h", h)
    if not (jnp.issubdtype(h.dtype, jnp.floating) and h.ndim == 2 and h.shape[1] == in_features):
        remedy = f" Flatten its first axes: h.reshape(-1, {in_features})." if h.ndim > 2 else ""
        raise InputError(
            f"h has the shape {h.shape} and the dtype {h.dtype}; accepted are floating-point numbers of "
            f"shape (N, {in_features}).{remedy}"
        )
    return jnp.asarray(h)


def check_table(table: Any, in_features: int, num_classes: int) -> Table:
    """Return the table if it belongs to a head of this size."""
    if not isinstance(table, Table):
        raise InputError(f"table is {_kind(table)}; accepted is the Table that init or update has returned.")
    if not isinstance(table.weight, jax.core.Tracer) and any(
        isinstance(array, Array) and array.is_deleted() for array in table
    ):
        raise InputError(
            "the table has been given to update, or to a function compiled with donate_argnums, which "
            "took its memory over; use the table that it returned."
        )
    shape = jnp.shape(table.weight)
    if shape != (num_classes, in_features):
        raise InputError(
            f"the weight of the table has the shape {shape}; accepted is ({num_classes}, {in_features}), "
            "as this head has it. Under vmap, name the axis of the table in in_axes."
        )
    for name, accepted in (("bias", (num_classes,)), ("accumulator", (num_classes, 2))):
        found = jnp.shape(getattr(table, name))
        if found != accepted:
            raise InputError(f"the {name} of the table has the shape {found}; accepted is {accepted}.")
    return table


def check_sample(sample: Any) -> Sample:
    """Return the sample if it is one."""
    if not isinstance(sample, Sample):
        raise InputError(f"the sample is {_kind(sample)}; accepted is the Sample that sample has returned.")
    return sample


def check_rows(name: str, rows: Any, sample: Sample) -> Rows:
    """Return rows, or gradients of rows, of the shapes that the sample's have."""
    if not isinstance(rows, Rows):
        raise InputError(f"{name} is {_kind(rows)}; accepted is a Rows, as the rows of the sample are.")
    found = jnp.shape(rows.weight), jnp.shape(rows.bias)
    accepted = sample.rows.weight.shape, sample.rows.bias.shape
    if found != accepted:
        raise InputError(
            f"{name} has the shapes {found[0]} and {found[1]}; accepted are those of the sample's rows, "
            f"{accepted[0]} and {accepted[1]}."
        )
    return rows


def check_same_batch(n_examples: int, sample: Sample) -> None:
    """Refuse activations of another batch than the sample's."""
    of_sample = len(sample.targets)
    if n_examples != of_sample:
        raise InputError(
            f"h has {n_examples} rows, but the sample was drawn for {of_sample} examples. Draw it for the "
            "labels of these rows."
        )


def check_rate(rate: Any) -> Any:
    """Return a learning rate: a number from 0 on, or a scalar that is known later."""
    if isinstance(rate, Array) and rate.shape == () and jnp.issubdtype(rate.dtype, jnp.floating):
        return rate
    try:
        number = math.nan if isinstance(rate, bool | str | bytes) else float(rate)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise InputError(f"learning_rate is {rate!r}; accepted is a finite number from 0 on.")
    return number


def check_key(key: Any) -> Array:
    """Return a key of `jax.random`."""
    try:
        jax.eval_shape(jax.random.bits, key)
    except (TypeError, ValueError):
        raise InputError(
            f"key is {_kind(key)}; accepted is a key of jax.random, such as jax.random.key(0)."
        ) from None
    return key


def _as_array(name: str, values: Any) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is no array: {error}.") from None


def _kind(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return f"of the type {type(value).__name__}"
