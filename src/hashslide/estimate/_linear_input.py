"""The examples that users give to a linear model, checked and in single precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import column_or_1d, validate_data

from hashslide._frames import plain
from hashslide._validation import as_numeric, check_not_empty, first_true, to_float32
from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError, InputTypeError
from hashslide.estimate._linear_training import Features


def check_matrix(model: Any, X: Any, *, reset: bool) -> NDArray[np.float32] | Csr:
    """Return X dense or sparse, as it came, and let the model keep (`reset`) or compare its columns.

    Raises
    ------
    InputError
        X is not a finite numeric matrix, is empty, or has other columns than the model.
    """
    bare = plain(X, "X")
    is_sparse = sparse.issparse(bare)
    try:
        if is_sparse:
            matrix = as_csr(bare, name="X")
            check_not_empty(matrix, type(model).__name__)
        else:
            matrix = validate_data(model, bare, reset=reset, dtype=np.float32, order="C", estimator=model)
        validate_data(model, X if not is_sparse or bare is X else bare, reset=reset, skip_check_array=True)
    except InputError:
        raise
    except TypeError as error:
        raise InputTypeError(str(error)) from None
    except ValueError as error:
        raise InputError(str(error)) from None
    return matrix


def core_features(matrix: NDArray[np.float32] | Csr) -> Features:
    """Return a checked matrix as the core takes it."""
    return (matrix.indptr, matrix.indices, matrix.values) if isinstance(matrix, Csr) else matrix


def products(matrix: NDArray[np.float32] | Csr, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products of the rows of a matrix with those of some coefficients, (n, n_coefficients)."""
    rows = matrix.to_scipy() if isinstance(matrix, Csr) else matrix
    found: NDArray[np.float64] = rows @ coefficients.T
    return found


def check_numbers(y: Any, n_rows: int) -> NDArray[np.float64]:
    """Return the finite targets of a regression, shape (n_rows,)."""
    if y is None:
        raise InputError("the regression requires y to be passed, but the target y is None.")
    numbers = as_numeric(y, "y").astype(np.float64, copy=False)
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = column_or_1d(numbers, warn=True)
    if numbers.shape != (n_rows,):
        raise InputError(
            f"y has shape {numbers.shape}, which is inconsistent with the {n_rows} rows of X; "
            f"accepted is ({n_rows},)."
        )
    if not np.isfinite(numbers).all():
        raise InputError(f"y contains NaN or infinity at {first_true(~np.isfinite(numbers))}.")
    to_float32(numbers, "y")
    return numbers
