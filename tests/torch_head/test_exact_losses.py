"""In exact mode a head is the linear layer and PyTorch's own loss, in the core and in torch operations."""

import pytest
import torch
from small_heads import CLASSES, WIDTH, N, all_logits, batch, gradients, small_head
from torch.nn import functional as F

from hashslide.torch import operations
from hashslide.torch.head import kernels

WEIGHT = torch.linspace(0.5, 2.0, CLASSES)


@pytest.fixture(params=["core", "operations"])
def device_path(request, monkeypatch):
    if request.param == "operations":
        monkeypatch.setattr(kernels, "is_core_tensor", lambda tensor: False)
    return request.param


def assert_same(ours, theirs):
    for found, expected in zip(ours, theirs, strict=True):
        scale = max(1.0, float(expected.detach().abs().max()))
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_softmax_equals_cross_entropy(device_path, reduction, weight, bias):
    head = small_head(reduction=reduction, weight=weight, bias=bias)
    h, y = batch()
    ours = head(h, y, exact=True)
    theirs = F.cross_entropy(all_logits(head, h), y, weight=weight, reduction=reduction)
    assert ours.shape == theirs.shape
    assert_same([ours], [theirs])
    factors = torch.linspace(0.5, 1.5, ours.numel()).reshape(ours.shape)
    assert_same(gradients(head, h, (factors * ours).sum()), gradients(head, h, (factors * theirs).sum()))


def test_several_labels_share_the_softmax(device_path):
    head = small_head(reduction="none", weight=WEIGHT)
    h, y = batch(several=True)
    shares = torch.zeros(N, CLASSES)
    for row, labels in enumerate(y.tolist()):
        known = [label for label in labels if label >= 0]
        shares[row, known] = 1.0 / max(1, len(known))
    ours = head(h, y, exact=True)
    theirs = F.cross_entropy(all_logits(head, h), shares, weight=WEIGHT, reduction="none")
    assert_same([ours], [theirs])
    assert_same(gradients(head, h, ours.sum()), gradients(head, h, theirs.sum()))


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("several", [True, False])
def test_bce_equals_that_with_logits(device_path, several, weight):
    head = small_head(loss="bce", reduction="sum", weight=weight)
    h, y = batch(several)
    targets = torch.zeros(N, CLASSES)
    table = y if several else y[:, None]
    for row, labels in enumerate(table.tolist()):
        targets[row, [label for label in labels if label >= 0]] = 1.0
    counted = (
        torch.ones(N) if several else (y >= 0).float()
    )  # a single label that is ignored takes its example out
    ours = head(h, y, exact=True)
    each = F.binary_cross_entropy_with_logits(
        all_logits(head, h), targets, pos_weight=weight, reduction="none"
    )
    theirs = (each.sum(1) * counted).sum()
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-4)
    assert_same(gradients(head, h, ours), gradients(head, h, theirs))
    mean = small_head(loss="bce", weight=weight)(h, y, exact=True)
    torch.testing.assert_close(mean, theirs / counted.sum(), rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_labels_may_come_in_any_form():
    head = small_head(loss="bce")
    h, y = batch(several=True)
    dense = torch.zeros(N, CLASSES)
    for row, labels in enumerate(y.tolist()):
        dense[row, [label for label in labels if label >= 0]] = 1
    assert torch.equal(head(h, y, exact=True), head(h, dense.to_sparse_csr(), exact=True))
    one = small_head(reduction="none")
    h, y = batch()
    assert torch.equal(one(h, y, exact=True), one(h, y.int()[:, None], exact=True))
    sequences = one(h.reshape(4, 10, WIDTH), y.reshape(4, 10), exact=True)
    assert torch.equal(sequences, one(h, y, exact=True).reshape(4, 10))


def test_evaluation_is_exact_and_a_normaliser_is_obeyed():
    head = small_head()
    h, y = batch()
    exact = head(h, y, exact=True)
    assert not torch.equal(head(h, y), exact)
    assert torch.equal(head.eval()(h, y), exact)
    counted = (y >= 0).sum()
    torch.testing.assert_close(head(h, y, num_items_in_batch=100), exact * counted / 100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("k", [1, 7, CLASSES])
def test_topk_is_that_of_all_logits(device_path, k, dtype):
    head = small_head(dtype=dtype)
    h, _ = batch()
    values, ids = head.topk(h, k)
    expected = all_logits(head, h)
    torch.testing.assert_close(values, expected.topk(k).values, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(values, expected.gather(1, ids), rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == k for row in ids.tolist())
    assert not values.requires_grad


def test_of_equal_logits_the_smaller_class_comes_first():
    head = small_head()
    with torch.no_grad():
        head.weight.zero_()
    assert head.topk(torch.randn(2, 5, WIDTH), 4)[1].tolist() == [[[0, 1, 2, 3]] * 5] * 2


def test_approximate_topk_finds_nearly_all_and_follows_the_weights():
    head = small_head()
    h, _ = batch()
    for _ in range(2):
        exact, found = head.topk(h, 5)[1], head.topk(h, 5, approximate=True)[1]
        assert (exact[:, :, None] == found[:, None]).any(2).float().mean() > 0.8
        with torch.no_grad():
            head.weight.copy_(torch.randn(CLASSES, WIDTH))
    whole = head.topk(h, CLASSES, approximate=True)[1]  # more than any cells hold
    assert torch.equal(whole, head.topk(h, CLASSES)[1])


def test_more_rows_than_a_block_are_summed(device_path):
    head = small_head()
    h, y = torch.randn(2500, WIDTH, requires_grad=True), torch.randint(CLASSES, (2500,))
    ours, theirs = head(h, y, exact=True), F.cross_entropy(all_logits(head, h), y)
    assert_same([ours], [theirs])
    assert_same(gradients(head, h, ours), gradients(head, h, theirs))


def test_the_blocks_of_torch_operations_are_put_together(monkeypatch):
    monkeypatch.setattr(operations, "_BLOCK", 128)
    monkeypatch.setattr(kernels, "is_core_tensor", lambda tensor: False)
    head = small_head()
    h, y = batch()
    assert_same([head(h, y, exact=True)], [F.cross_entropy(all_logits(head, h), y)])
    assert torch.equal(head.topk(h, 9)[1], all_logits(head, h).topk(9).indices)
