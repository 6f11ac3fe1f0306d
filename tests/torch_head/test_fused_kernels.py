"""The Triton kernels do what the torch operations do: in Triton's interpreter, as there is no GPU."""

import importlib.util

import pytest
import torch
from small_heads import CLASSES, WIDTH, batch, gradients, small_head

from hashslide.errors import InputError
from hashslide.torch import RowAdagrad, RowAdam, SlideLoss, fused, kernels, row_updates
from hashslide.torch.hashing import Codes

OPTIMIZERS = {
    "adagrad": lambda p, **more: RowAdagrad(p, 0.1, weight_decay=0.01, **more),
    "adam": lambda p, **more: RowAdam(p, 0.05, weight_decay=0.01, **more),
    "adam without momentum": lambda p, **more: RowAdam(p, 0.05, betas=(0.0, 0.99), **more),
}


pytest.importorskip("triton")


@pytest.fixture
def without_core(monkeypatch):
    monkeypatch.setattr(kernels, "is_core_tensor", lambda tensor: False)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"in_batch": False},
        {"counts": True},
        {"weight": True, "bias": False},
        {"negatives": 3000},  # more than a block of active classes
    ],
    ids=str,
)
def test_losses_and_gradients(without_core, loss, several, settings):
    settings = {"negatives": 60} | settings
    n_classes = 3000 if settings["negatives"] == 3000 else CLASSES
    for name in ("counts", "weight"):
        if name in settings:
            settings[name] = torch.arange(n_classes) % 7 + 1.0
    torch.manual_seed(2)
    h, y = batch(several)
    found = []
    for is_fused in (False, True):
        head = SlideLoss(WIDTH, n_classes, loss=loss, fused=is_fused, random_state=1, **settings)
        losses = head(h, y)
        found.append([losses.detach(), *gradients(head, h, losses)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_memory_of_a_backward_pass_is_freed(without_core):
    head = small_head(negatives=60, fused=True)
    losses = head(*batch())
    losses.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="ran already"):
        losses.backward()


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_steps_of_the_optimisers(kind, dtype):
    heads = []
    for is_fused in (False, True):
        torch.manual_seed(0)
        head = small_head(negatives=60, dtype=dtype)
        optimizer = OPTIMIZERS[kind](head.parameters(), fused=is_fused)
        for _ in range(2):
            optimizer.zero_grad()
            head(*batch()).backward()
            optimizer.step()
        heads.append(head)
    for ours, theirs in zip(*(head.parameters() for head in heads), strict=True):
        tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-3}
        torch.testing.assert_close(ours.float(), theirs.float(), **tolerance)


@pytest.mark.parametrize("module", ["fused", "torch operations"])
def test_bfloat16_is_rounded_by_the_random_numbers_of_the_core(module):
    ids = torch.tensor([0, 3, 7])
    gradient = torch.randint(-1, 2, (3, 70), generator=torch.Generator().manual_seed(1)).float()
    weight = torch.randn(9, 70, generator=torch.Generator().manual_seed(2)).bfloat16()
    weight[3, 5] = torch.nan
    found = []
    for one in (kernels, {"fused": fused, "torch operations": row_updates}[module]):
        w, sums = weight.clone(), torch.full((9,), 2.0**20)  # whose root is exact, so that no sum differs
        more = (1,) if one is kernels else ()
        one.adagrad_rows(w, ids, gradient, sums, 0.5, 1.0, 2**62 + 5, *more)  # an eighth of the last place
        found.append(w.view(torch.int16))
    assert torch.equal(*found)
    share = (found[0] != weight.view(torch.int16))[ids].float().mean()
    assert 0.02 < share < 0.3


@pytest.mark.parametrize("n_bits", [1, 64, 200])
def test_nearest_codes(n_bits):
    generator = torch.Generator().manual_seed(3)
    bits, queries = (torch.rand(n, n_bits, generator=generator) > 0.5 for n in (5000, 3))
    found = []
    for is_fused in (False, True):
        codes = Codes(n_bits, 5001, fused=is_fused)
        codes.update(torch.arange(5000), bits)
        found.append(codes.nearest(queries, 20))
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)


def test_a_missing_triton_is_named(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(fused, "find_spec", lambda name: None if name == "triton" else found(name))
    for make in (
        lambda: small_head(fused=True),
        lambda: RowAdagrad(small_head().parameters(), fused=True),
        lambda: Codes(8, 8, fused=True),
    ):
        with pytest.raises(InputError, match="pip install triton"):
            make()
