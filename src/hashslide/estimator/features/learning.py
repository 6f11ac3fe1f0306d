"""Which features are measurements rather than words, and what standardizes them.

Where a tenth of all values or more are not 0, all features are measurements. Among words, a feature is one if
it is much larger than the words of the same rows, has most of the sum of all squares, or has negative values
and is not 0 in half of the examples.

A measurement that is not 0 in half of the examples or more becomes one of mean 0 and variance 1. One that is
0 in most keeps its zeros, and its other values get the root mean square 1: the data grow to twice their
memory at most. Beside words, that size is the one which a value has in a row where all have the same.

Tails are heavy where the kurtosis is large. Then logarithms beyond a unit take the place of the values, to
both sides of the median; of a skewed feature, from near the end where its values are dense.
"""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.settings import Layer
from hashslide.training import Examples

from .standardizing import Standardization

__all__ = ["is_dense", "learned", "standardized"]


def __dir__() -> list[str]:
    return __all__


DENSE = 0.1  # from this share of values that are not 0 on, features are dense
FEWEST_EXAMPLES = 50  # of fewer, a standard deviation is too uncertain
CENTRED = 0.5  # from this share of examples with a value on, a feature is centred
LARGE = 6  # times the words of the same rows; of 18 sets of words, the largest are 1.9 and, of rare ones, 4.9
HEAVY = 20  # the kurtosis of a normal distribution is 3, of an exponential one 9
SKEWED = 0.3  # of at most 1: how far the median is from the middle of the outer quantiles
OUTER = 0.1
_SMALLEST = 1e-6  # of the mean: a standard deviation below it is rounding, and the feature constant
_MOST_EXAMPLES = 20_000  # that are looked at: means are then known to .007 of a standard deviation
_MOST_VALUES = 1 << 21  # of theirs, about
_LOOKED_AT = 1000  # rows
_ROUNDING = 1e-3
_TINY = float(np.finfo(np.float32).tiny)

Data = TypeVar("Data", bound=Examples)


def standardized(data: Data, layer: Layer) -> tuple[Data, Standardization | None]:
    """Return data with standardized features, and how they become so; None where they stay as they are.

    They do so too where the first layer hashes them: its families look at which of them are 0, and it saves
    by them.
    """
    found = learned(data) if layer.is_dense else None
    return (data, None) if found is None else (data.transformed(found.apply), found)


def is_dense(data: Examples) -> bool:
    """Tell whether features are measurements rather than words.

    A tenth of the values or more are not 0, and the rows are not weights of words: these, of which few texts
    may have many, are not negative and have the Euclidean length 1.
    """
    x = data.x
    if data.is_both_ways or x.nnz < DENSE * x.n_rows * x.n_columns:
        return False
    first = x.block(0, min(x.n_rows, _LOOKED_AT))
    starts = first.indptr[:-1][np.diff(first.indptr) > 0]
    squares = (
        np.add.reduceat(np.square(first.values, dtype=np.float64), starts) if len(starts) else np.empty(0)
    )
    return bool((first.values < 0).any() or (np.abs(squares - 1) > _ROUNDING).any())


def learned(data: Examples) -> Standardization | None:
    """Return what standardizes the measurements; None where examples are few, or in order as they are.

    O(features + values of 20,000 examples or, of long ones, fewer).
    """
    sample = data.sample()
    n = len(sample.rows)
    if n < FEWEST_EXAMPLES or data.is_both_ways:
        return None
    n_values = n * sample.x.nnz / sample.x.n_rows
    x = sample.x.take(sample.rows[:: math.ceil(max(n / _MOST_EXAMPLES, n_values / _MOST_VALUES, 1))])
    n = x.n_rows
    stored = np.bincount(x.indices, minlength=x.n_columns)
    squares = np.bincount(x.indices, np.square(x.values, dtype=np.float64), x.n_columns)
    is_centred = stored >= CENTRED * n
    if is_dense(data):
        columns, usual = np.arange(x.n_columns), 1.0
    else:
        has_negative = np.zeros(x.n_columns, bool)
        has_negative[x.indices[x.values < 0]] = True
        ratio = _ratio_to_words(x, ~is_centred)
        drowns = (is_centred & has_negative) | (ratio > LARGE) | (squares > squares.sum() / 2)
        columns, words = np.flatnonzero(drowns), ~drowns
        filled = np.where(is_centred, n, stored)[columns].sum() + stored[words].sum()
        usual = math.sqrt(squares[words].sum() / max(filled, 1))
    if not len(columns) or not usual:
        return None
    chosen = x.to_scipy()[:, columns].tocsc()
    parts = np.split(chosen.data.astype(np.float64), chosen.indptr[1:-1])
    origin, unit, centre, factor = np.array([_scale(part, n) for part in parts]).T
    if usual == 1 and not (unit.any() or centre.any()) and np.allclose(factor, factor[0]):
        return None
    factor = np.where(factor > 0, np.clip(factor * usual, _TINY, 1 / _TINY), 0)
    numbers = (array.astype(np.float32) for array in (origin, unit, centre, factor))
    return Standardization(columns.astype(np.int32), *numbers)


def _ratio_to_words(x: Csr, is_word: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how large each feature is beside the words of its rows, in the geometric mean.

    One row more, in which it is as large as they, counts too: one row says little.
    """
    rows = np.repeat(np.arange(x.n_rows), np.diff(x.indptr))
    counts, logs = is_word[x.indices], np.log(np.abs(x.values, dtype=np.float64))
    of_words = np.where(counts, logs, 0)
    n_others = np.bincount(rows, counts, x.n_rows)[rows] - counts
    others = (np.bincount(rows, of_words, x.n_rows)[rows] - of_words) / np.maximum(n_others, 1)
    known = n_others > 0
    columns = x.indices[known]
    n_rows = np.bincount(columns, minlength=x.n_columns) + 1
    return np.exp(np.bincount(columns, (logs - others)[known], x.n_columns) / n_rows)


def _scale(stored: NDArray[np.float64], n: int) -> tuple[float, float, float, float]:
    """Return origin, unit, centre and factor of a feature from its values that are not 0, in n examples."""
    if not len(stored):
        return 0.0, 0.0, 0.0, 1.0
    is_centred = len(stored) >= CENTRED * n
    x = np.append(stored, np.zeros(n - len(stored))) if is_centred else stored
    origin = unit = 0.0
    centre = x.mean() if is_centred else 0.0
    variance = np.square(x - centre).mean()
    if variance <= (_SMALLEST * centre) ** 2:
        return 0.0, 0.0, 0.0, 0.0
    if np.power(x - centre, 4).mean() > HEAVY * variance**2:
        origin, unit = _tails(x) if is_centred else (0.0, _positive(np.abs(x)))
        x = np.arcsinh((x - origin) / unit)
        centre = x.mean() if is_centred else 0.0
        variance = np.square(x - centre).mean()
    return origin, unit, centre, 1 / math.sqrt(variance)


def _tails(x: NDArray[np.float64]) -> tuple[float, float]:
    """Return origin and unit of a feature of heavy tails."""
    low, quarter, middle, three_quarters, high = np.quantile(x, [OUTER, 0.25, 0.5, 0.75, 1 - OUTER])
    skew = (low + high - 2 * middle) / max(high - low, _TINY)
    if skew > SKEWED:
        return low, quarter - low if quarter > low else _positive(np.abs(x - low))
    if skew < -SKEWED:
        return high, high - three_quarters if high > three_quarters else _positive(np.abs(x - high))
    return middle, _positive(np.abs(x - middle))


def _positive(distances: NDArray[np.float64]) -> float:
    """Return their median or, where that is 0, their root mean square."""
    middle = float(np.median(distances))
    return max(middle if middle > 0 else float(np.sqrt(np.square(distances).mean())), _TINY)
