import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from hashslide._validation import check_not_empty, check_same_rows, check_sample_weight
from hashslide.csr import as_csr
from hashslide.errors import InputError


def test_empty_matrices_are_refused():
    for shape, message in [
        ((0, 3), r"0 sample\(s\) \(shape=\(0, 3\)\)"),
        ((3, 0), r"0 feature\(s\) \(shape=\(3, 0\)\)"),
    ]:
        with pytest.raises(
            InputError, match=f"Found array with {message} while a minimum of 1 is required by Me"
        ):
            check_not_empty(as_csr(sparse.csr_matrix(shape)), "Me")


def test_differing_lengths_are_refused():
    check_same_rows(3, 3)
    with pytest.raises(InputError, match="X and Y have inconsistent numbers of samples: 3 and 4"):
        check_same_rows(3, 4)


def test_sample_weights():
    assert check_sample_weight(None, 3) is None
    assert check_sample_weight([1, 1, 1], 3) is None
    assert check_sample_weight([1e-6] * 3, 3) is None
    weight = check_sample_weight(pd.Series([0, 1, 3]), 3)
    assert weight.dtype == np.float32 and weight.tolist() == [0, 0.5, 1.5]


@pytest.mark.parametrize("unit", [1e-300, 2.0**-20, 1, 2.0**20, 1e300])
def test_sample_weights_have_no_unit(unit):
    given = np.random.RandomState(0).rand(50)
    assert_allclose(check_sample_weight(unit * given, 50), check_sample_weight(given, 50), rtol=1e-6)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 2], r"sample_weight has shape \(2,\); accepted is \(3,\)"),
        (2.0, r"sample_weight has shape \(\)"),
        ([[1], [1], [1]], r"sample_weight has shape \(3, 1\)"),
        ([1, np.nan, 1], "sample_weight contains NaN or infinity at 1"),
        ([1, 1, np.inf], "sample_weight contains NaN or infinity at 2"),
        ([1, -0.5, 1], r"sample_weight\[1\] is -0.5, negative"),
        ([0, 0, 0], "sample_weight is zero everywhere"),
        (["a", "b", "c"], "sample_weight holds text"),
    ],
)
def test_bad_sample_weights_are_refused(weight, message):
    with pytest.raises(InputError, match=message):
        check_sample_weight(weight, 3)
