"""Optimisers of rows: the core and torch operations alike, and only what has a gradient changes."""

import copy
import pickle

import pytest
import torch
from small_heads import CLASSES, WIDTH, batch, small_head

from hashslide.torch import JoinedOptimizer, RowAdagrad, RowAdam, kernels

KINDS = {
    "adagrad": lambda p: RowAdagrad(p, 0.1, weight_decay=0.01),
    "adam": lambda p: RowAdam(p, 0.05, weight_decay=0.01),
    "adam without momentum": lambda p: RowAdam(p, 0.05, betas=(0.0, 0.99)),
}


def sparse(rows, values, shape):
    return torch.sparse_coo_tensor(rows, values, shape, check_invariants=True)


def trained(make, steps=6, dense=False):
    torch.manual_seed(0)
    head = small_head(negatives=60)
    optimizer = make(head.parameters())
    for _ in range(steps):
        h, y = batch()
        optimizer.zero_grad()
        head(h, y).backward()
        if dense:
            for parameter in head.parameters():
                parameter.grad = parameter.grad.to_dense()
        optimizer.step()
    return head, optimizer


@pytest.mark.parametrize("kind", KINDS)
def test_the_core_and_torch_operations_agree(monkeypatch, kind):
    core, _ = trained(KINDS[kind])
    monkeypatch.setattr(kernels, "is_core_tensor", lambda tensor: False)
    operations, _ = trained(KINDS[kind])
    for ours, theirs in zip(core.parameters(), operations.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_step_follows_the_formulas():
    w = torch.nn.Parameter(torch.ones(5, 2))
    optimizer = RowAdagrad([w], lr=0.5, initial_accumulator=1.0)
    w.grad = sparse([[3, 1]], [[3.0, 4.0], [1.0, 0.0]], (5, 2))
    optimizer.step()
    s = 1 + (9 + 16) / 2
    assert torch.allclose(w[3], 1 - 0.5 * torch.tensor([3.0, 4.0]) / s**0.5)
    assert torch.allclose(w[1], torch.tensor([1 - 0.5 / 1.5**0.5, 1.0]))
    assert (w[[0, 2, 4]] == 1).all()
    assert optimizer.state[w]["sum"].tolist() == [1, 1.5, 1, 13.5, 1]
    adam = RowAdam([w], lr=0.5)
    w.grad = sparse([[0]], [[3.0, 4.0]], (5, 2))
    adam.step()  # the first step of Adam is lr g over the root mean square of g
    assert torch.allclose(w[0], 1 - 0.5 * torch.tensor([3.0, 4.0]) / 12.5**0.5)
    assert (w[[2, 4]] == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_gradient_stay_as_they_are(kind):
    head = small_head(negatives=10)
    optimizer = KINDS[kind](head.parameters())
    before = copy.deepcopy(head.state_dict())
    h, y = batch()
    head(h, y).backward()
    optimizer.step()
    touched = torch.zeros(CLASSES, dtype=torch.bool)
    touched[head.weight.grad.indices()[0]] = True
    assert torch.equal((head.weight != before["weight"]).any(1), touched)


def test_the_state_is_a_number_a_row():
    head, adagrad = trained(KINDS["adagrad"])
    state = adagrad.state[head.weight]
    assert state["sum"].shape == (CLASSES,) and state["sum"].dtype == torch.float32
    head, adam = trained(KINDS["adam without momentum"])
    assert {tuple(v.shape) for v in adam.state[head.weight].values() if torch.is_tensor(v)} == {(CLASSES,)}


def test_dense_gradients_are_taken_too():
    sparse, dense = (trained(lambda p: RowAdagrad(p, 0.1), dense=d)[0] for d in (False, True))
    torch.testing.assert_close(sparse.weight, dense.weight, rtol=1e-5, atol=1e-6)


def test_an_update_in_place_is_noticed_by_autograd():
    head = small_head()
    h, y = batch()
    exact = head(h, y, exact=True)
    head(h, y).backward()
    RowAdagrad(head.parameters()).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        exact.backward()


def test_half_precision_moves_right_on_average():
    w = torch.nn.Parameter(torch.ones(4000, 2, dtype=torch.bfloat16))
    optimizer = RowAdagrad([w], lr=0.001, initial_accumulator=1e6)  # a step of 1e-6, far below the last place
    for _ in range(100):
        rows = torch.arange(4000)[None]
        w.grad = sparse(rows, torch.full((4000, 2), 1000.0, dtype=torch.bfloat16), w.shape)
        optimizer.state[w]["sum"] = torch.full((4000,), 0.0)
        optimizer.step()
    assert abs(float(w.detach().float().mean()) - 0.9) < 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_saved_and_taken_up(kind):
    head, optimizer = trained(KINDS[kind])
    again = KINDS[kind](copy.deepcopy(head).parameters())
    again.load_state_dict(pickle.loads(pickle.dumps(optimizer.state_dict())))
    twins = []
    for one in (optimizer, again):
        weight = one.param_groups[0]["params"][0]
        weight.grad = sparse([[7, 9]], torch.ones(2, WIDTH), weight.shape)
        one.step()
        twins.append(weight)
    assert torch.equal(*twins)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_goes_on_like_the_original(kind, again):
    _, optimizer = trained(KINDS[kind])
    twins = []
    for one in (optimizer, again(optimizer)):
        weight = one.param_groups[0]["params"][0]
        weight.grad = sparse([[7, 9]], torch.ones(2, WIDTH), weight.shape)
        one.step()
        twins.append(weight)
    assert twins[0] is not twins[1] and torch.equal(*twins)


def test_joined_optimisers_are_one():
    trunk, head = torch.nn.Linear(WIDTH, WIDTH), small_head(negatives=60)
    joined = JoinedOptimizer(torch.optim.AdamW(trunk.parameters(), 1e-2), RowAdagrad(head.parameters(), 0.2))
    schedule = torch.optim.lr_scheduler.LambdaLR(joined, lambda step: 0.5**step)
    before = [p.detach().clone() for p in (*trunk.parameters(), *head.parameters())]
    x, y = batch()
    losses = []
    for _ in range(3):
        joined.zero_grad()
        loss = head(trunk(x), y)
        loss.backward()
        joined.step()
        schedule.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert [group["lr"] for group in joined.param_groups] == [1e-2 / 8, 0.2 / 8]
    assert [part.param_groups[0]["lr"] for part in joined.optimizers] == [1e-2 / 8, 0.2 / 8]
    assert all(
        not torch.equal(p, b) for p, b in zip((*trunk.parameters(), *head.parameters()), before, strict=True)
    )
    assert len(joined.state) == 4
    other = JoinedOptimizer(torch.optim.AdamW(trunk.parameters()), RowAdagrad(head.parameters()))
    other.load_state_dict(joined.state_dict())
    assert other.param_groups[1]["lr"] == 0.2 / 8 and len(other.state) == 4


def test_gradients_are_clipped_by_their_common_norm():
    trunk, head = torch.nn.Linear(WIDTH, WIDTH), small_head(negatives=60)
    parameters = [*trunk.parameters(), *head.parameters()]
    x, y = batch()
    for _ in range(2):  # the second gradient is added to the first
        head(trunk(x), y).backward()
    norm = torch.cat([p.grad.to_dense().flatten() for p in parameters]).norm()
    found = torch.nn.utils.clip_grad_norm_(parameters, 0.01)
    torch.testing.assert_close(found, norm)
    clipped = torch.cat([p.grad.to_dense().flatten() for p in parameters]).norm()
    torch.testing.assert_close(clipped, torch.tensor(0.01), rtol=1e-3, atol=1e-6)
