"""Metrics example by example, for paired comparisons."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.errors import InputError

from ._at_k import EACH, SCORED_EACH, weights_of
from ._names import parse_name
from ._ranking import ranked


def check_per_example(argument: str, name: Any) -> str:
    """Return the name of a metric of `per_example`, if it is one.

    Parameters
    ----------
    argument : str
        What the caller calls the name, for the message.
    name : object

    Raises
    ------
    InputError
        There is no such metric.
    """
    metric, k = parse_name(argument, name, [*EACH, *SCORED_EACH])
    return f"{metric}@{k}"


def per_example(
    name: str,
    Y: Any,
    topk: ArrayLike,
    *,
    propensity: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    exclude: Any = None,
) -> NDArray[np.float64]:
    """What each example adds to a metric: numbers whose mean is the metric.

    The difference of two models on the same examples has a standard error, that of the mean of the paired
    differences.

    Parameters
    ----------
    name : str
        "P@k", "R@k", "nDCG@k", "PSP@k" or "PSnDCG@k", with a number for k.
    Y, topk, classes, exclude
        As in `precision_at_k`.
    propensity : array of float, shape (labels,)
        For PSP and PSnDCG: as in `psp_at_k`.

    Returns
    -------
    ndarray of float64, shape (examples,)
        That of PSP and PSnDCG is not bounded by 1.

    Raises
    ------
    InputError
        As in `precision_at_k`; or the metric is no mean over examples.

    Examples
    --------
    >>> from hashslide import metrics
    >>> metrics.per_example("P@2", [["ant", "bee"], ["cat"]], [["ant", "cat"], ["bee", "cat"]]).tolist()
    [0.5, 0.5]
    """
    metric, k = parse_name("name", name, [*EACH, *SCORED_EACH])
    ranking = ranked(Y, topk, k, classes, exclude)
    if metric in EACH:
        return EACH[metric](ranking)
    if propensity is None:
        raise InputError(f"{name} needs propensity, as metrics.propensity(Y_train) gives it.")
    return SCORED_EACH[metric](ranking, weights_of(ranking, propensity))
