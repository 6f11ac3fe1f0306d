"""How likely it is that a relevant label was recorded."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hashslide._checks import check_float, check_int
from hashslide._validation import as_numeric
from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError
from hashslide.targets import LabelNames, check_classes, parse_target


def propensity(
    label_counts: Any,
    n: int | None = None,
    a: float = 0.55,
    b: float = 1.5,
    *,
    classes: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Chance that a relevant label was recorded: ``p_l = 1 / (1 + C e^(-a ln(N_l + b)))``, Jain et al. 2016.

    ``C = (ln n - 1)(b + 1)^a``. Published constants: a = 0.55, b = 1.5 in general; 0.5, 0.4 for Wikipedia;
    0.6, 2.6 for Amazon.

    Parameters
    ----------
    label_counts : array of int of shape (labels,), or the labels of the training examples
        N_l: training examples that have label l; ``Y.sum(axis=0)`` will do. Without `n` the labels
        themselves: an indicator matrix (examples x labels), or label lists together with `classes`.
    n : int, optional
        Number of training examples. Below 3, where C is not positive, every propensity is 1.
    a, b : float
        Constants of the data set.
    classes : array of shape (labels,), optional
        Names of the labels, where they are given as lists: the order of the result.

    Returns
    -------
    ndarray of float64, shape (labels,)
        In (0, 1], larger for frequent labels.

    Raises
    ------
    InputError
        A count is no number, negative or larger than n, or a constant is not positive.

    Examples
    --------
    >>> from hashslide import metrics
    >>> metrics.propensity([["ant"], ["ant", "bee"], ["ant"]], classes=["ant", "bee"]).round(3).tolist()
    [0.933, 0.907]
    """
    if n is None:
        counts, n = _counted(label_counts, classes)
    else:
        counts = _given(label_counts)
    n = check_int("n", n, 0, 2**63 - 1)
    if counts.ndim != 1 or not ((counts >= 0) & (counts <= n)).all():
        found = f"shape {counts.shape}" + (
            f", values {counts.min()} to {counts.max()}" if counts.size else ""
        )
        raise InputError(
            f"label_counts must hold one count from 0 to n = {n} for each label, but has {found}. "
            "Count the labels of the n training examples, as Y.sum(axis=0) does, or pass Y alone."
        )
    for name, constant in (("a", a), ("b", b)):
        check_float(name, constant, 0, np.inf, "()")
    c = max(np.log(max(n, 1)) - 1, 0.0) * (b + 1) ** a
    return 1 / (1 + c * (counts + b) ** -a)


def _given(label_counts: Any) -> NDArray[np.float64]:
    if sparse.issparse(label_counts):
        label_counts = as_csr(label_counts, name="label_counts", dtype=np.float64).to_scipy().toarray()
    counts = as_numeric(label_counts, "label_counts").astype(np.float64, copy=False)
    is_sum = counts.ndim == 2 and counts.shape[0] == 1 and counts.shape[1] != 1  # of a SciPy matrix
    return counts.ravel() if is_sum else counts


def _counted(Y: Any, classes: ArrayLike | None) -> tuple[NDArray[np.float64], int]:
    """Return how often each label occurs, and the number of examples."""
    if getattr(Y, "ndim", 1) == 2 or isinstance(Y, Csr):
        matrix = as_csr(Y, name="label_counts", dtype=None)
        if matrix.n_rows == 1 and matrix.data is not None and (matrix.data > 1).any():
            raise InputError(
                "label_counts holds counts, but n is missing. Pass n, the number of training examples."
            )
        return np.bincount(matrix.indices, minlength=matrix.n_columns).astype(np.float64), matrix.n_rows
    if classes is None:
        raise InputError(
            f"label_counts is a {type(Y).__name__}. If it holds counts, pass n, the number of training "
            "examples; if it "
            "holds label lists, pass classes=, such as model.classes_: the order of the result."
        )
    names = check_classes(classes)
    target = parse_target(Y, lists=None, n_labels=len(names))
    y = LabelNames(len(names), names).encode(target)
    return np.bincount(y.indices, minlength=y.n_columns).astype(np.float64), y.n_rows
