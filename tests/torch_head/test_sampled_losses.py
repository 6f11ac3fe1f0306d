"""A step computes some classes: the core and torch operations alike, unbiased, and with the same bits."""

import copy

import pytest
import torch
from small_heads import CLASSES, WIDTH, N, all_logits, batch, gradients, small_head
from torch.nn import functional as F

from hashslide.torch import RowAdagrad
from hashslide.torch.head import kernels

COUNTS = torch.arange(CLASSES) % 17
SOURCES = {
    "batch and uniform": {},
    "uniform": {"in_batch": False},
    "counts": {"counts": COUNTS},
    "counts, uniform": {"counts": COUNTS, "in_batch": False},
    "batch": {"negatives": 0},
    "exact": {"hash": "exact", "hash_budget": 3},
    "tables": {"hash": "simhash", "hash_budget": 3},
}


def step_of(head, h, y):
    if isinstance(head.hash, str) and head.hash != "exact":
        head._steps = 100  # the tables are there
    loss = head(h, y)
    return loss, gradients(head, h, loss)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("source", SOURCES)
def test_the_core_and_torch_operations_agree(monkeypatch, source, several, loss):
    settings = {"negatives": 150, "loss": loss, "weight": torch.linspace(0.5, 2, CLASSES)} | SOURCES[source]
    h, y = batch(several)
    core = step_of(small_head(**settings), h, y)
    monkeypatch.setattr(kernels, "is_core_tensor", lambda tensor: False)
    operations = step_of(small_head(**settings), h, y)
    torch.testing.assert_close(core[0], operations[0], rtol=2e-6, atol=2e-6)
    for ours, theirs in zip(core[1], operations[1], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("source", ["batch and uniform", "uniform", "exact", "tables"])
def test_the_expected_gradient_is_that_of_the_full_softmax(source):
    """The sample estimates Z and its gradient without bias; the softmax's is their ratio."""
    head = small_head(**({"negatives": 60} | SOURCES[source] | {"reduction": "none"}))
    h, y = batch(ignored=False)
    full = F.cross_entropy(all_logits(head, h), y, reduction="none")
    expected = torch.exp(full).detach()  # Z / exp(z of the label)
    of_h, of_weight = torch.randn(5, *h.shape), torch.randn(5, CLASSES, WIDTH)  # directions that are watched

    def projections(gradient_of_h, gradient_of_weight):
        return torch.cat([(of_h * gradient_of_h).sum((1, 2)), (of_weight * gradient_of_weight).sum((1, 2))])

    def watched(loss):
        """Estimates of Z and directional derivatives: unbiased for exp(loss), not for the loss itself."""
        found = gradients(head, h, (torch.exp(loss) / expected).mean())
        return torch.cat([torch.exp(loss).detach() / expected, projections(*found[:2])]).double()

    truth, draws = watched(full), []
    for step in range(400):
        head._steps = 100 + step
        draws.append(watched(head(h, y)))
    found = torch.stack(draws)
    assert found.std(0).min() > 0.001
    deviations = (found.mean(0) - truth) / (found.std(0) / len(draws) ** 0.5)
    assert deviations[N:].abs().max() < 3
    of_z = found[:, :N].mean(1)  # the examples share their draws
    assert abs(of_z.mean() - 1) < 3 * of_z.std() / len(draws) ** 0.5


def test_counts_make_the_labels_of_the_batch_unbiased():
    """Over batches too: Z is estimated from labels that come as often as the counts say."""
    counts = torch.arange(1, CLASSES + 1)
    head = small_head(counts=counts, negatives=40, reduction="none", bias=False)
    h = torch.randn(1, WIDTH)
    z = all_logits(head, h)[0].double()
    chances = counts.double() / counts.sum()
    estimates = []
    for _ in range(1500):
        y = torch.multinomial(chances, N, replacement=True)
        estimates.append(torch.exp(head(h.expand(N, -1), y).detach().double() + z[y]) - torch.exp(z[y]))
    draws = torch.stack(estimates).mean(1)
    # the label itself is certain, and left out above: so what is expected is Z without it
    expected = torch.exp(z).sum() - (chances * torch.exp(z)).sum()
    error = draws.std() / len(draws) ** 0.5
    assert abs(draws.mean() - expected) < 4 * error


def test_one_vs_all_has_its_optimum_where_all_classes_have_theirs():
    """Given the draws and the other labels, the expected gradient is 0 at the true log odds."""
    chances = torch.full((CLASSES,), 0.004)
    head = small_head(loss="bce", negatives=100, bias=True, reduction="sum")
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.logit(chances))
    total, squares, steps = torch.zeros(CLASSES), torch.zeros(CLASSES), 400
    for _ in range(steps):
        y = (torch.rand(20, CLASSES) < chances).float().to_sparse_csr()
        head.zero_grad()
        head(torch.zeros(20, WIDTH), y).backward()
        g = head.bias.grad.to_dense()
        total += g
        squares += g.square()
    mean, error = total.mean() / steps, (squares.sum() / steps**2).sqrt() / CLASSES
    assert abs(mean) < 4 * error


@pytest.mark.parametrize("source", ["batch and uniform", "tables"])
def test_any_number_of_threads_gives_the_same_bits(source):
    results = []
    for n_jobs in (1, 2, 5):
        torch.manual_seed(3)
        head = small_head(**({"negatives": 200, "n_jobs": n_jobs, "hash": None} | SOURCES[source]))
        rows = RowAdagrad(head.parameters(), 0.1, n_jobs=n_jobs)
        head._steps = 100
        for _ in range(5):
            h, y = batch()
            rows.zero_grad()
            (head(h, y) + head(h, y, exact=True)).backward()
            rows.step()
        results.append((head.weight.detach().clone(), head.bias.detach().clone(), h.grad, head.topk(h, 5)[0]))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_gradients_are_coalesced_and_of_the_touched_rows_alone():
    head = small_head(negatives=30)
    h, y = batch()
    head(h, y).backward()
    for parameter in head.parameters():
        assert parameter.grad.is_sparse and parameter.grad.is_coalesced()
        assert len(parameter.grad.indices()[0]) <= 30 + N
    assert set(y[y >= 0].tolist()) <= set(head.weight.grad.indices()[0].tolist())


def test_accumulated_gradients_are_the_sum():
    head = small_head(negatives=30)
    h, y = batch()
    twin = copy.deepcopy(head)
    parts = [gradients(head, h, head(h, y)) for _ in range(2)]
    for _ in range(2):
        twin(h, y).backward()
    torch.testing.assert_close(twin.weight.grad.to_dense(), parts[0][1] + parts[1][1])


def test_reductions_and_gradients_of_single_losses_agree():
    h, y = batch()
    head = small_head(reduction="none", negatives=50)
    each = head(h, y)
    counted = (y >= 0).sum()
    torch.testing.assert_close(small_head(reduction="sum", negatives=50)(h, y), each.sum())
    torch.testing.assert_close(small_head(negatives=50)(h, y), each.sum() / counted)
    assert (each[y < 0] == 0).all()
    grads = gradients(head, h, each[:7].sum())[0]
    assert (grads[7:] == 0).all() and (grads[0] != 0).any()


def test_batches_of_any_size_and_without_labels():
    head = small_head(negatives=20)
    for n in (1, 3, 200):
        head(torch.randn(n, WIDTH), torch.randint(CLASSES, (n,))).backward()
    nothing = torch.full((4,), -100)
    assert head(torch.randn(4, WIDTH), nothing).isnan()  # as F.cross_entropy
    total = small_head(reduction="sum")
    assert total(torch.randn(4, WIDTH), nothing) == 0
    assert total(torch.randn(0, WIDTH), torch.empty(0, dtype=torch.int64)) == 0


def test_a_head_learns():
    centres = torch.randn(CLASSES, WIDTH)
    head = small_head(negatives=64)
    rows = RowAdagrad(head.parameters(), 0.5)
    for _ in range(250):
        y = torch.randint(CLASSES, (128,))
        rows.zero_grad()
        head(centres[y] + 0.3 * torch.randn(128, WIDTH), y).backward()
        rows.step()
    assert (head.topk(centres, 1)[1][:, 0] == torch.arange(CLASSES)).float().mean() > 0.9


def test_bfloat16_weights_and_autocast():
    single, half = small_head(negatives=100), small_head(negatives=100, dtype=torch.bfloat16)
    h, y = batch()
    torch.testing.assert_close(half(h, y), single(h, y), rtol=0.02, atol=0.02)
    half(h, y).backward()
    assert half.weight.grad.dtype == torch.bfloat16
    trunk = torch.nn.Linear(WIDTH, WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        activations = trunk(h)
        assert activations.dtype == torch.bfloat16
        loss = single(activations, y)
    loss.backward()
    assert loss.dtype == torch.float32 and single.weight.grad.dtype == torch.float32
    assert trunk.weight.grad.abs().sum() > 0


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # the compiler asks for it
def test_compiled_models_break_the_graph_at_the_head():
    trunk, head = torch.nn.Linear(WIDTH, WIDTH), small_head(negatives=50)
    model = torch.compile(lambda x, y: head(trunk(x), y), backend="eager")
    x, y = batch()
    model(x, y).backward()
    assert head.weight.grad.is_coalesced() and trunk.weight.grad is not None
