"""What is refused, and what the messages say."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.errors import InputError
from hashslide.jax import Rows, SlideHead

HEAD = SlideHead(4, 50, negatives=8)
KEY = jax.random.key(0)
Y = np.array([3, 49])


@pytest.fixture(scope="module")
def table():
    return HEAD.init(KEY)


@pytest.fixture(scope="module")
def sample(table):
    return HEAD.sample(table, Y, KEY)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"in_features": 0}, "in_features is 0; accepted is an integer from 1"),
        ({"num_classes": 2**31}, "num_classes is 2147483648"),
        ({"loss": "hinge"}, "loss is 'hinge'; accepted are 'softmax', 'bce'"),
        ({"reduction": "max"}, "reduction is 'max'"),
        ({"negatives": -1}, "negatives is -1"),
        ({"negatives": 0, "in_batch": False}, "leaves no negatives; set one of the two"),
        ({"sampling": "frequency"}, "needs counts; give how often each class occurs"),
        ({"counts": np.ones(49)}, r"counts has the shape \(49,\) .*, the shape \(50,\)"),
        ({"counts": np.zeros(50)}, "counts holds only zeros"),
        ({"weight": np.full(50, np.nan)}, "weight holds negative, NaN or infinite values"),
        ({"weight": ["a"] * 50}, "weight has the shape .* accepted is one number for each class"),
        ({"initial_accumulator": 0}, "initial_accumulator is 0"),
        ({"init_std": float("inf")}, "init_std is inf"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        SlideHead(**({"in_features": 4, "num_classes": 50} | settings))


CALLS = {
    "y is float": (lambda t, s: HEAD.sample(t, np.ones(3), KEY), "y has the shape .* and the dtype float64"),
    "y is bool": (lambda t, s: HEAD.sample(t, np.ones(3, bool), KEY), "dtype bool; accepted are integers"),
    "y has 3 axes": (lambda t, s: HEAD.sample(t, np.ones((1, 1, 1), int), KEY), r"\(1, 1, 1\)"),
    "y is ragged": (lambda t, s: HEAD.sample(t, [[1], [2, 3]], KEY), "y is no array"),
    "y is too large": (
        lambda t, s: HEAD.sample(t, [50], KEY),
        "label 50; accepted are labels from 0 to 49, and -100",
    ),
    "y is beyond int32": (lambda t, s: HEAD.sample(t, np.array([2**32 + 3]), KEY), "label 4294967299"),
    "y is negative": (lambda t, s: HEAD.sample(t, jnp.array([-1]), KEY), "label -1;"),
    "key is a number": (lambda t, s: HEAD.sample(t, Y, 3.5), "key is .* such as jax.random.key"),
    "key of init": (lambda t, s: HEAD.init(None), "key is of the type NoneType"),
    "no table": (lambda t, s: HEAD.sample(None, Y, KEY), "table is of the type NoneType"),
    "another table": (lambda t, s: SlideHead(5, 50).sample(t, Y, KEY), r"\(50, 4\); accepted is \(50, 5\)"),
    "a broken table": (lambda t, s: HEAD.sample(t._replace(bias=t.bias[1:]), Y, KEY), r"bias .* \(49,\)"),
    "h is int": (lambda t, s: HEAD.loss(np.ones((2, 4), int), s.rows, s), "h has .* dtype int64"),
    "h is too wide": (
        lambda t, s: HEAD.loss(np.ones((2, 5)), s.rows, s),
        r"h has the shape \(2, 5\).*\(N, 4\)",
    ),
    "h has 3 axes": (lambda t, s: HEAD.top_k(t, np.ones((2, 1, 4)), 3), r"Flatten its first axes"),
    "h of another batch": (
        lambda t, s: HEAD.loss(np.ones((3, 4)), s.rows, s),
        "3 rows, but the sample .* 2 examples",
    ),
    "no sample": (lambda t, s: HEAD.loss(np.ones((2, 4)), s.rows, 3), "the sample is of the type int"),
    "no rows": (
        lambda t, s: HEAD.loss(np.ones((2, 4)), s.rows.weight, s),
        r"rows is an array of shape \(10, 4\)",
    ),
    "other rows": (
        lambda t, s: HEAD.update(t, s, Rows(s.rows.bias, s.rows.bias), 0.1),
        "gradient has the shapes",
    ),
    "a bad rate": (lambda t, s: HEAD.update(t, s, s.rows, float("nan")), "learning_rate is nan"),
    "a negative rate": (lambda t, s: HEAD.update(t, s, s.rows, -1), "learning_rate is -1"),
    "k is too large": (
        lambda t, s: HEAD.top_k(t, np.ones((2, 4)), 51),
        "k is 51; accepted is an integer from 1 to 50",
    ),
    "y of another batch": (
        lambda t, s: HEAD.exact_loss(t, np.ones((3, 4)), Y),
        "h has 3 rows, but y .* 2 examples",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_arguments_are_checked_before_anything_changes(call, table, sample):
    function, message = CALLS[call]
    with pytest.raises(InputError, match=message):
        function(table, sample)
    assert not table.weight.is_deleted()


def test_shapes_and_types_are_checked_when_a_function_is_traced(table):
    with pytest.raises(InputError, match=r"h has the shape \(2, 5\)"):
        jax.jit(lambda h: HEAD.top_k(table, h, 3))(jnp.ones((2, 5)))
    with pytest.raises(InputError, match="dtype float32; accepted are integers"):
        jax.eval_shape(HEAD.sample, table, jnp.ones(3), KEY)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_labels_of_every_integer_type_are_the_same(dtype, table, sample):
    np.testing.assert_array_equal(HEAD.sample(table, Y.astype(dtype), KEY).ids, sample.ids)


def test_labels_beyond_int32_are_no_labels_with_x64_either(table):
    with jax.enable_x64(True):
        y = jnp.array([3, 2**32 + 3, 2**40])
        assert y.dtype == jnp.int64
        s = jax.jit(HEAD.sample)(table, y, KEY)
        assert s.ids.dtype == jnp.int32 and s.labels.invalid.tolist() == [False, True, True]
        assert jnp.isnan(HEAD.loss(jnp.ones((3, 4)), s.rows, s))


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_the_table_stays_float32_with_x64(loss):
    with jax.enable_x64(True):
        head = SlideHead(4, 50, negatives=8, loss=loss, counts=np.ones(50))
        table, h = head.init(KEY), jnp.ones((2, 4))
        assert h.dtype == jnp.float64
        s = head.sample(table, Y, KEY)
        value, (of_h, of_rows) = jax.value_and_grad(head.loss, (0, 1))(h, s.rows, s)
        exact, dense = jax.value_and_grad(lambda h: head.exact_loss(table, h, Y))(h)
        values, classes = head.top_k(table, h, 3)
        table = head.update(table, s, of_rows, 0.1)
        assert of_h.dtype == dense.dtype == jnp.float64 and classes.dtype == jnp.int32
        for array in (value, exact, values, s.log_q, s.labels.total, *table[:3]):
            assert array.dtype == jnp.float32


def test_a_table_whose_memory_is_gone_is_refused(sample):
    table = HEAD.init(KEY)
    HEAD.update(table, sample, sample.rows, 0.1)
    with pytest.raises(InputError, match="use the table that it returned"):
        HEAD.sample(table, Y, KEY)


@pytest.mark.parametrize(
    ("y", "loss"),
    [([], "softmax"), (np.empty((0, 3), int), "bce"), (np.empty((2, 0), int), "softmax")],
    ids=str,
)
def test_empty_batches_have_no_loss(y, loss):
    head = SlideHead(4, 50, negatives=8, loss=loss)
    table = head.init(KEY)
    s = head.sample(table, y, KEY)
    h = jnp.ones((len(y), 4))
    value, gradient = jax.jit(jax.value_and_grad(lambda rows: head.loss(h, rows, s)))(s.rows)
    assert value == 0 and not gradient.weight.any()
    assert np.isfinite(head.update(table, s, gradient, 0.1).weight).all()
    assert head.top_k(head.init(KEY), h, 3)[0].shape == (len(y), 3)


def test_a_single_class_has_nothing_to_learn():
    head = SlideHead(4, 1, negatives=8, counts=[3])
    table = head.init(KEY)
    s = head.sample(table, [0, 0], KEY)
    assert head.loss(jnp.ones((2, 4)), s.rows, s) == 0


def test_without_jax_the_error_names_the_extra():
    code = """
import sys
sys.modules["jax"] = None
import hashslide.jax
assert "SlideHead" in dir(hashslide.jax)
from hashslide.errors import InputError
try:
    from hashslide.jax import SlideHead
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "hashslide[jax]"' in done.stdout, done.stderr
