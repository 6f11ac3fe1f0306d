"""Weights of bfloat16: which numbers they become, and that nothing is lost in the mean."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hashslide import _core
from hashslide.network import Network
from hashslide.precision import BFLOAT16, dtype_name, is_bfloat16, to_float32
from hashslide.reference.rounding import RandomRounding, bfloat16_bits, nearest
from hashslide.settings import NetworkConfig

NUMBERS = np.r_[
    [0.0, -0.0, 1.0, 1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 1.0039063, 3e38, -3e38, 1e-38, 2.0**-126],
    np.random.default_rng(0).normal(size=500) * 10.0 ** np.random.default_rng(1).integers(-20, 20, 500),
].astype(np.float32)


def test_every_bfloat16_number_is_exact_in_float32():
    every = np.arange(2**16, dtype=np.uint16).view(BFLOAT16)
    assert (
        is_bfloat16(every)
        and dtype_name(every.dtype) == "bfloat16"
        and dtype_name(NUMBERS.dtype) == "float32"
    )
    numbers = to_float32(every)
    assert_array_equal(bfloat16_bits(numbers)["bfloat16"], every["bfloat16"])
    assert to_float32(NUMBERS) is NUMBERS
    assert_array_equal(to_float32(every.reshape(256, 256)[:, ::2]), numbers.reshape(256, 256)[:, ::2])


def test_rows_that_are_set_are_rounded_to_the_nearest():
    """No neighbour is nearer, and of two equally near numbers the even one is taken."""
    network = Network(NetworkConfig(n_features=1, n_labels=2, hidden=len(NUMBERS), precision="bfloat16"))
    network.set_label_rows([1], NUMBERS[None], np.zeros(1))
    weight = network.state()["output.weight"]
    found, bits = to_float32(weight)[1].astype(np.float64), weight[1]["bfloat16"].astype(np.int64)
    assert_array_equal(network.label_rows([1])[0][0], found)
    assert_array_equal(found, nearest(NUMBERS))
    for step in (-1, 1):
        other = to_float32((bits + step).astype(np.uint16).view(BFLOAT16)).astype(np.float64)
        away, other_away = np.abs(found - NUMBERS), np.abs(other - NUMBERS)
        assert ((away < other_away) | ((away == other_away) & (bits % 2 == 0)) | (NUMBERS == 0)).all()
    assert not to_float32(weight)[0].any()


def test_random_rounding_gives_one_of_both_neighbours_and_is_right_in_the_mean():
    """Within 4.5 standard errors: a right one fails once in 100,000 draws of these random numbers."""
    x = np.float32(1 + 0.3 * 2**-7)
    rounded = RandomRounding(seed=3, stream="rounding")(np.full((400, 256), x), np.arange(400), step=7)
    assert set(np.unique(rounded)) == {1, 1 + 2**-7}
    share = (rounded > 1).mean()
    assert abs(share - 0.3) < 4.5 * np.sqrt(0.3 * 0.7 / rounded.size)
    again = RandomRounding(3, "rounding")(np.full((1, 256), x), np.array([17]), step=7)
    assert_array_equal(again[0], rounded[17])
    for other in (RandomRounding(4, "rounding"), RandomRounding(3, "input_rounding")):
        assert (other(np.full((400, 256), x), np.arange(400), 7) != rounded).mean() > 0.3
    assert np.isnan(
        RandomRounding(3, "rounding")(np.full((1, 4), np.nan, np.float32), np.array([0]), 1)
    ).all()


@pytest.mark.parametrize("rounding", ["random", "nearest"])
def test_many_small_changes_add_up_only_where_rounding_is_random(rounding):
    """A thousand changes of 1/2560 of a weight: rounded to the nearest, none would ever be seen."""
    w, rows, change = np.ones((50, 64), np.float32), np.arange(50), np.float32(1 / 2560)
    to_random = RandomRounding(0, "rounding")
    for step in range(1000):
        w = to_random(w + change, rows, step) if rounding == "random" else nearest(w + change)
    expected = 1 + 1000 * change if rounding == "random" else 1
    assert w.mean() == pytest.approx(expected, rel=0.003)


def test_the_core_says_whether_the_cpu_multiplies_such_numbers():
    info = _core.build_info()
    assert (info["bf16_unit"] is not None) == (info["isa"] in ("avx512bf16", "amx", "neonbf16"))
