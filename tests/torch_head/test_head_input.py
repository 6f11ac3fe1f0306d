"""Bad input is refused with words, before anything is changed; and a missing PyTorch too."""

import subprocess
import sys

import pytest
import torch
from small_heads import CLASSES, WIDTH, N, batch, small_head

from hashslide.errors import InputError
from hashslide.settings import DWTA
from hashslide.torch import JoinedOptimizer, RowAdagrad, RowAdam, SlideLoss

SETTINGS = [
    ({"in_features": 0}, "in_features"),
    ({"num_classes": 1}, "num_classes"),
    ({"num_classes": 2.5}, "num_classes"),
    ({"loss": "hinge"}, "loss"),
    ({"negatives": -1}, "negatives"),
    ({"in_batch": "yes"}, "in_batch"),
    ({"bias": 3}, "bias"),
    ({"hash": "md5"}, "hash is 'md5'; accepted are None, 'exact'"),
    ({"hash": 7}, "hash"),
    ({"hash_budget": 0}, "hash_budget"),
    ({"reduction": "max"}, "reduction"),
    ({"ignore_index": "none"}, "ignore_index"),
    ({"label_smoothing": 0.1}, "label_smoothing is 0.1; accepted is 0"),
    ({"dtype": torch.float16}, "dtype is torch.float16"),
    ({"counts": [1, 2, 3]}, r"counts has the shape \(3,\)"),
    ({"counts": torch.full((CLASSES,), -1)}, "counts"),
    ({"counts": "many"}, "counts is 'many'"),
    ({"counts": torch.ones(CLASSES), "n_examples": 0}, "n_examples"),
    ({"counts": torch.full((CLASSES,), 9), "n_examples": 5}, "Give n_examples"),
    ({"weight": torch.full((CLASSES,), torch.nan)}, "weight"),
    ({"random_state": -1}, "random_state"),
    ({"n_jobs": 0}, "n_jobs"),
]


@pytest.mark.parametrize(("settings", "message"), SETTINGS)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        SlideLoss(**({"in_features": WIDTH, "num_classes": CLASSES} | settings))


ONE, TWO = torch.zeros(N, dtype=torch.int64), torch.arange(2 * N).reshape(N, 2)
LABELS = [
    (ONE.tolist(), "the labels are a list"),
    (ONE.float(), "the labels are of torch.float32"),
    (ONE.bool(), "the labels are of torch.bool"),
    (ONE[1:], r"the labels have the shape \(39,\) for \(40,\) examples"),
    (ONE.reshape(4, 10), "the labels have the shape"),
    (ONE + CLASSES, f"the label {CLASSES} is no class; accepted are 0 to {CLASSES - 1}"),
    (ONE - 1, "the label -1 is no class"),
    (TWO * 0 + 4, "names the same label twice"),
    (torch.eye(N, CLASSES).to_sparse(), "to_sparse_csr"),
    (torch.eye(N, CLASSES + 1).to_sparse(), "torch.sparse_coo"),
]


@pytest.mark.parametrize(("labels", "message"), LABELS)
@pytest.mark.parametrize("exact", [False, True])
def test_labels_are_checked(labels, message, exact):
    head = small_head()
    with pytest.raises(InputError, match=message):
        head(torch.zeros(N, WIDTH), labels, exact=exact)
    assert head._steps == 0


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_sparse_labels_are_checked():
    head, h = small_head(), torch.zeros(N, WIDTH)
    for matrix, message in [
        (torch.eye(N, CLASSES + 1), "sparse matrix of shape"),
        (2 * torch.eye(N, CLASSES), "values that are not 1"),
    ]:
        with pytest.raises(InputError, match=message):
            head(h, matrix.to_sparse_csr())
    twice = torch.sparse_csr_tensor(
        torch.tensor([0, 2, *[2] * (N - 1)]),
        torch.tensor([3, 3]),
        torch.ones(2),
        (N, CLASSES),
        check_invariants=False,
    )
    with pytest.raises(InputError, match="twice"):
        head(h, twice)


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (torch.zeros(N, WIDTH + 1), r"shape \(40, 13\)"),
        (torch.zeros(N, WIDTH, dtype=torch.int64), "torch.int64"),
        (torch.tensor(1.0), "shape"),
        ([[0.0] * WIDTH] * N, "a list"),
        (torch.zeros(N, WIDTH, device="meta"), "on meta and the head on cpu"),
    ],
)
def test_activations_are_checked(h, message):
    with pytest.raises(InputError, match=message):
        small_head()(h, ONE)
    with pytest.raises(InputError, match=message):
        small_head().topk(h, 1)


@pytest.mark.parametrize("k", [0, CLASSES + 1, 1.5])
def test_k_is_checked(k):
    with pytest.raises(InputError, match="k is"):
        small_head().topk(torch.zeros(1, WIDTH), k)


def test_hashing_wants_float32():
    head = small_head(hash=DWTA(tables=4), dtype=torch.bfloat16)
    with pytest.raises(InputError, match="float32 weights on the CPU"):
        head(*batch())


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(InputError, match=r"one process.*DDP.*FSDP.*DTensor"):
        small_head()(*batch())


SHARDED = """
import sys
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import distribute_module
from hashslide.errors import InputError
from hashslide.torch import SlideLoss

torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
wrap = {
    "DTensor": lambda head: distribute_module(head, mesh),
    "FSDP": lambda head: FullyShardedDataParallel(head, device_id=torch.device("cpu")),
    "fully_shard": lambda head: fully_shard(head, mesh=mesh),
}
for name in wrap:
    head = wrap[name](SlideLoss(4, 100))
    try:
        head(torch.randn(8, 4), torch.zeros(8, dtype=torch.int64))
    except InputError as error:
        print(name, error)
"""


def test_rows_that_others_split_are_refused():
    program = [sys.executable, "-W", "ignore", "-c", SHARDED]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["DTensor", "FSDP", "fully_shard"], done.stderr
    assert all("trains in one process" in line for line in lines)


def test_optimisers_check_their_settings():
    p = [torch.nn.Parameter(torch.zeros(3, 2))]
    for make in (
        lambda: RowAdagrad(p, lr=-1),
        lambda: RowAdagrad(p, initial_accumulator=0),
        lambda: RowAdam(p, betas=(0.9, 1.0)),
        lambda: RowAdam(p, eps=0),
        lambda: RowAdam(p, weight_decay="little"),
        lambda: JoinedOptimizer(),
        lambda: JoinedOptimizer(p),
    ):
        with pytest.raises(InputError, match=r"accepted|JoinedOptimizer takes"):
            make()
    p[0].grad = torch.eye(3, 2).to_sparse()
    with pytest.raises(InputError, match="sparse in more than its rows"):
        RowAdagrad(p).step()
    joined = JoinedOptimizer(RowAdagrad(p))
    with pytest.raises(InputError, match="the state is of 0 optimisers"):
        joined.load_state_dict({})


def test_a_second_backward_pass_is_refused():
    loss = small_head()(*batch())
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="Call the head again"):
        loss.backward()


def test_without_pytorch_the_extra_is_named():
    code = "import sys; sys.modules['torch'] = None; import hashslide.torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "hashslide[torch]"' in done.stderr and "InputError" in done.stderr
