"""A value that dwarfs all others, most often a slip or a column in another unit."""

import warnings

import numpy as np

from hashslide._validation import blocks
from hashslide.training import TrainingData

_ROWS_PER_BLOCK = 1024
_EXAMPLES = 100  # of fewer, one may well outweigh the others
_SHARE = 0.99


def warn_of_outlier(data: TrainingData) -> None:
    """Warn if one value makes up nearly all of the sum of the squares of the features' values.

    The features are multiplied by one factor that gives the examples the root mean square length 1: beside
    such a value the others become almost 0. O(nnz), by blocks of rows.
    """
    x, total, largest = data.x, 0.0, 0.0
    found = ""
    for first, last in blocks(len(data.rows), _ROWS_PER_BLOCK):
        block = x.take(data.rows[first:last])
        squares = np.square(block.values, dtype=np.float64)
        total += float(squares.sum())
        if squares.max(initial=0.0) > largest:
            at = int(squares.argmax())
            largest = float(squares[at])
            row, column = int(data.rows[first + block.row_of(at)]), int(block.indices[at])
            found = f"the value {block.values[at]:g} in row {row}, column {column}"
    if len(data.rows) >= _EXAMPLES and largest > _SHARE * total:
        share = f"{largest / total:.2%} of the sum of their squares"
        warnings.warn(
            f"X holds {found}, which dwarfs all others: it makes up {share}, so that the others count almost "
            "nothing beside it. Correct it, or scale X first, for example with scikit-learn's RobustScaler.",
            stacklevel=2,
        )
