"""The layer for JAX against the layer for PyTorch, on the same draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from hashslide.jax import SlideHead
from hashslide.jax import _sampling as jax_sampling
from hashslide.torch import RowAdagrad, SlideLoss
from hashslide.torch.random import draws

N, CLASSES, WIDTH, NEGATIVES = 5, 411, 6, 60
SEVERAL = np.array([[3, 410, -100], [0, -100, -100], [-100] * 3, [3, 8, 9], [150, 151, 152]])
ONE = np.array([3, 410, -100, 3, 150])
COUNTS = 10**6 + 1000 * np.arange(CLASSES)
WEIGHT = np.linspace(0.5, 2, CLASSES, dtype=np.float32)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize(
    ("y", "settings"),
    [(SEVERAL, {"weight": WEIGHT}), (SEVERAL, {"in_batch": False}), (ONE, {"counts": COUNTS})],
    ids=["several", "draws alone", "counts"],
)
def test_loss_gradients_and_update_are_the_same(loss, y, settings, monkeypatch):
    h = np.random.default_rng(1).normal(size=(N, WIDTH)).astype(np.float32)
    given = {"loss": loss, "negatives": NEGATIVES, "reduction": "sum"} | settings
    other = SlideLoss(
        WIDTH,
        CLASSES,
        random_state=0,
        **given | {k: torch.tensor(v) for k, v in settings.items() if k != "in_batch"},
    )
    optimizer = RowAdagrad(other.parameters(), lr=0.1, initial_accumulator=0.1)
    drawn = draws(NEGATIVES, CLASSES, 0, 1, torch.device("cpu")).numpy().astype(np.int32)
    monkeypatch.setattr(jax_sampling, "_draw", lambda *_: jnp.asarray(drawn))
    head = SlideHead(WIDTH, CLASSES, **given)
    weight, bias = other.weight.detach().numpy().copy(), other.bias.detach().numpy().copy()
    table = head.init(jax.random.key(0))._replace(weight=jnp.array(weight), bias=jnp.array(bias))

    x = torch.tensor(h, requires_grad=True)
    wanted = other(x, torch.tensor(y))
    wanted.backward()
    s = head.sample(table, y, jax.random.key(0))
    value, (of_h, of_rows) = jax.jit(jax.value_and_grad(head.loss, (0, 1)))(h, s.rows, s)
    assert value == pytest.approx(wanted.item(), rel=2e-5)
    np.testing.assert_allclose(of_h, x.grad.numpy(), rtol=1e-4, atol=1e-5)
    gradient = other.weight.grad.coalesce()
    ids = np.asarray(s.ids)[np.asarray(s.ids) < CLASSES]
    np.testing.assert_array_equal(gradient.indices()[0].numpy(), ids)
    np.testing.assert_allclose(of_rows.weight[: len(ids)], gradient.values().numpy(), rtol=1e-4, atol=1e-5)

    exact = other(torch.tensor(h), torch.tensor(y), exact=True)
    assert head.exact_loss(table, h, y) == pytest.approx(exact.item(), rel=1e-5)
    optimizer.step()
    table = head.update(table, s, of_rows, 0.1)
    np.testing.assert_allclose(table.weight, other.weight.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table.bias, other.bias.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_each_takes_the_files_of_the_other(tmp_path):
    head = SlideHead(WIDTH, CLASSES, loss="bce")
    table = head.init(jax.random.key(0))
    head.save(table, tmp_path / "jax.hashslide")
    other = SlideLoss.load(tmp_path / "jax.hashslide")
    np.testing.assert_array_equal(other.weight.detach().numpy(), table.weight)
    assert other.loss == "bce"
    other.save(tmp_path / "torch.hashslide")
    again, back = SlideHead.load(tmp_path / "torch.hashslide", negatives=7)
    np.testing.assert_array_equal(back.weight, table.weight)
    np.testing.assert_array_equal(back.bias, table.bias)
    assert "loss='bce', negatives=7" in repr(again)
