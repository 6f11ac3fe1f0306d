"""Heads and tables as model files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide import SlideClassifier
from hashslide.errors import InputError, ModelFileError
from hashslide.jax import SlideHead
from hashslide.model_file import load_model, save_model

CLASSES, WIDTH = 60, 4
SETTINGS = {
    "loss": "bce",
    "negatives": 10,
    "counts": 1 + np.arange(CLASSES),
    "sampling": "frequency",
    "weight": np.linspace(1, 2, CLASSES),
    "ignore_index": -7,
}


def trained(head):
    """A table after two steps."""
    table = head.init(jax.random.key(0))
    table = table._replace(weight=jax.random.normal(jax.random.key(1), table.weight.shape))
    return step(head, step(head, table, 0), 1)


def step(head, table, i):
    h = jax.random.normal(jax.random.key(10 + i), (3, WIDTH))
    s = head.sample(table, jnp.array([i, 20 + i, 40]), jax.random.key(20 + i))
    return head.update(table, s, jax.grad(lambda rows: head.loss(h, rows, s))(s.rows), 0.1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "head.hashslide"
    head = SlideHead(WIDTH, CLASSES, **SETTINGS)
    table = trained(head)
    head.save(table, path, classes=[f"class {i}" for i in range(CLASSES)])
    return path, head, table


def test_the_classifier_predicts_what_the_head_does(saved):
    path, head, table = saved
    h = np.random.default_rng(0).normal(size=(9, WIDTH)).astype(np.float32)
    values, ids = head.top_k(table, h, 5)
    labels, scores = SlideClassifier.load(path).predict_topk(h, 5)
    assert labels.tolist() == [[f"class {i}" for i in row] for row in ids.tolist()]
    np.testing.assert_allclose(scores, values, rtol=1e-5, atol=1e-5)


def test_training_goes_on_where_it_was_bit_for_bit(saved):
    path, head, table = saved
    again, loaded = SlideHead.load(path)
    assert repr(again) == repr(head)
    for found, wanted in zip(jax.tree.leaves(loaded), jax.tree.leaves(table), strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    wanted = step(head, jax.tree.map(jnp.array, table), 5)
    for found, leaf in zip(jax.tree.leaves(step(again, loaded, 5)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(found, leaf)
    other, _ = SlideHead.load(path, negatives=3, counts=np.ones(CLASSES))
    assert "negatives=3" in repr(other)


def test_the_output_layer_of_any_classifier_without_a_ranker_can_be_taken(small, tmp_path):
    X, Y = small
    path, settings = tmp_path / "model.hashslide", {"hidden": 16, "epochs": 1, "random_state": 0}
    SlideClassifier(**settings, ranker=True).fit(X, Y).save(path)
    with pytest.raises(ModelFileError, match="Train the classifier with ranker=False"):
        SlideHead.load(path)
    model = SlideClassifier(**settings, ranker=False).fit(X, Y)
    model.save(path)
    head, table = SlideHead.load(path)
    hidden = model.network_.hidden(X)
    labels, scores = model.predict_topk(X, 3)
    values, ids = head.top_k(table, hidden, 3)
    np.testing.assert_allclose(values, scores, rtol=1e-3, atol=1e-3)
    assert (np.asarray(ids) == labels).mean() > 0.99


def test_what_cannot_be_saved_or_loaded(saved, tmp_path):
    path, head, table = saved
    with pytest.raises(InputError, match="holds 2 names for 60 labels"):
        head.save(table, tmp_path / "x", classes=["a", "b"])
    with pytest.raises(InputError, match="not finite"):
        head.save(table._replace(weight=table.weight.at[3, 1].set(jnp.nan)), tmp_path / "x")
    assert not (tmp_path / "x").exists()
    with pytest.raises(InputError, match=r"does not take these settings: .*'size'"):
        SlideHead.load(path, size=3)
    with pytest.raises(ModelFileError):
        SlideHead.load(tmp_path / "x")
    arrays, metadata = load_model(path)
    arrays["jax_head.accumulator"] = arrays["jax_head.accumulator"][1:]
    save_model(tmp_path / "broken", arrays, metadata)
    with pytest.raises(ModelFileError, match="its accumulator does not fit"):
        SlideHead.load(tmp_path / "broken")
