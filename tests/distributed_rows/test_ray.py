"""Training with Ray: real processes, one of which is killed and one of which stands still for a while."""

import os
import signal
import sys
from functools import partial

import numpy as np
import pytest
from rank_helpers import on_threads
from scipy import sparse

from hashslide import metrics
from hashslide.csr import as_csr
from hashslide.data.pack import Pack
from hashslide.distributed.ray import Downpour
from hashslide.distributed.ray.blocks import BlockQueue
from hashslide.distributed.ray.ranks import run_ranks
from hashslide.distributed.ray.store import Parameters
from hashslide.distributed.rows import RowsNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.errors import InputError, WorkerError
from hashslide.network import Network
from hashslide.settings import Layer, Linear, NetworkConfig
from hashslide.training import Plan, TrainingData, learning_rate_at, train

ray = pytest.importorskip("ray")
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors cannot import a test

N_SHARDS = 8
N_LEARNED = 19_968  # examples, 78 batches


@pytest.fixture(scope="module", autouse=True)
def local_cluster():
    """One cluster for all of these tests: it takes seconds to start."""
    ray.init(address="local", num_cpus=5, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def pack(pubmed, tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "pubmed.pack"
    return Pack.build(iter([(pubmed.X_train, pubmed.Y_train)]), path)


def parameters_of(pack, n_rows):
    """What a small model of the first examples begins with."""
    x, y = pack.examples(0, n_rows)
    config = NetworkConfig(
        n_features=pack.n_features,
        n_labels=pack.n_labels,
        hidden=(Layer(48, activation="identity", length=5.0),),
        input_dropout=0.2,
        example_power=0.5,
        seed=3,
    )
    counts = np.bincount(y.indices, minlength=pack.n_labels).astype(np.int64)
    return Parameters(
        config,
        Sharding.balanced(np.bincount(x.indices, minlength=pack.n_features), N_SHARDS),
        Sharding.balanced(counts, N_SHARDS),
        counts,
        n_rows,
    )


def plan_of(n_epochs, **changes):
    settings = dict(batch_size=256, learning_rate=0.1, schedule=Linear(), seed=3) | changes
    return Plan(n_epochs=n_epochs, first_epoch=0, last_epoch=n_epochs, **settings)


def precision(network, pack, dataset):
    """P@1 on all examples that are not learned: so many that chance moves it by .002 only."""
    x, y = pack.examples(N_LEARNED, pack.n_rows)
    X, Y = (
        sparse.vstack(pair).tocsr()
        for pair in ((x.to_scipy(), dataset.X_test), (y.to_scipy(), dataset.Y_test))
    )
    best, _ = network.predict_topk(as_csr(X), 1)
    return metrics.precision_at_k(Y, best, 1)


class Faults:
    """Kills a replica and stops another one early; lets it go on near the end."""

    def __init__(self):
        self.seen, self._stopped = [], None

    def __call__(self, progress):
        self.seen.append(progress)
        if progress.blocks == 6:
            killed, self._stopped = progress.alive[0], progress.alive[1]
            os.kill(killed, signal.SIGKILL)
            os.kill(self._stopped, signal.SIGSTOP)
        if progress.blocks == progress.n_blocks - 12:
            os.kill(self._stopped, signal.SIGCONT)


def test_downpour_learns_as_well_as_one_process_with_one_replica_killed_and_one_stopped(pack, pubmed):
    parameters, plan, faults = parameters_of(pack, N_LEARNED), plan_of(3, batch_size=128), Faults()
    training = Downpour(
        pack=pack, n_rows=N_LEARNED, parameters=parameters, plan=plan, n_replicas=4, n_stores=2
    )
    network = training.train(faults)
    last = {progress.epoch: progress.examples for progress in faults.seen}
    assert last == dict.fromkeys(range(3), N_LEARNED), "each example of each epoch, none lost"
    assert 0 not in faults.seen[-1].alive and len(faults.seen[-1].alive) == 3
    assert any(1 in progress.late for progress in faults.seen), "others took its block over"
    assert [record["epoch"] for record in training.history] == [1, 2, 3]
    alone = Network(parameters.config)
    alone.set_label_prior(parameters.counts, N_LEARNED)
    train(alone, TrainingData(x=pack.x, y=pack.y, rows=np.arange(N_LEARNED)), plan, [])
    difference = precision(network, pack, pubmed) - precision(alone, pack, pubmed)
    assert -0.005 < difference < 0.02


def test_one_replica_alone_learns_the_bits_of_one_process(pack):
    """Whatever stores there are: blocks, their order and all draws are those of the plan."""
    n_rows, parameters, plan = 2048, parameters_of(pack, 2048), plan_of(2)
    training = Downpour(pack=pack, n_rows=n_rows, parameters=parameters, plan=plan, n_replicas=1, n_stores=2)
    network = training.train()
    alone, losses = Network(parameters.config), {0: 0.0, 1: 0.0}
    alone.set_label_prior(parameters.counts, n_rows)
    queue, step = BlockQueue(n_rows, training.block_rows, range(2), plan.seed), 0
    while block := queue.take(0, 0.0):
        order = np.random.default_rng([plan.seed, block.epoch, block.number]).permutation(256)
        rate = learning_rate_at(plan, step, 8)
        losses[block.epoch] += alone.train_batch(pack.x, pack.y, block.first + order, rate)[0]
        queue.finish(0, 0.0)
        step += 1
    assert step == 16
    assert [record["loss"] * n_rows for record in training.history] == pytest.approx([*losses.values()])
    found, expected = network.state(), alone.state()
    assert {n: a.tobytes() for n, a in found.items()} == {n: a.tobytes() for n, a in expected.items()}


def test_the_death_of_a_store_ends_the_training_and_names_it(pack):
    def kill(progress):
        os.kill(progress.stores[0], signal.SIGKILL)

    training = Downpour(
        pack=pack, n_rows=2048, parameters=parameters_of(pack, 2048), plan=plan_of(3), n_replicas=1
    )
    with pytest.raises(WorkerError, match=r"store 0 \(process \d+\) has died .* rows are lost"):
        training.train(kill)


def test_without_any_replica_left_the_training_ends(pack):
    def kill(progress):
        os.kill(progress.alive[0], signal.SIGKILL)

    training = Downpour(
        pack=pack, n_rows=2048, parameters=parameters_of(pack, 2048), plan=plan_of(3), n_replicas=1
    )
    with pytest.raises(WorkerError, match="all replicas have died"):
        training.train(kill)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_replicas": 0}, "n_replicas is 0"),
        ({"n_fetch": 0}, "n_fetch is 0"),
        ({"n_stores": 3}, "n_shards is 8 for 3 ranks"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(pack, change, message):
    given = dict(pack=pack, n_rows=2048, parameters=parameters_of(pack, 2048), plan=plan_of(1), n_replicas=2)
    with pytest.raises(InputError, match=message):
        Downpour(**given | change)


def rows_program(path, exchange):
    """Some steps of the protocol rows; what they make of the model."""
    pack = Pack.open(path)
    parameters = parameters_of(pack, 2048)
    network = RowsNetwork(parameters.config, parameters.features, parameters.labels, exchange)
    network.set_label_prior(parameters.counts, parameters.n_examples)
    for step in range(4):
        rows = np.arange(step * 128, (step + 1) * 128)
        network.train_batch(pack.x, pack.y, np.array_split(rows, exchange.size)[exchange.rank], 0.1)
    return {name: array.tobytes() for name, array in network.snapshot().items()}


def test_actors_that_join_a_gloo_group_learn_the_bits_of_threads(pack):
    program = partial(rows_program, str(pack.path))
    assert run_ranks(program, 2) == on_threads(2, program)


def test_workers_for_whom_there_are_no_cpus_are_not_waited_for_forever(monkeypatch):
    monkeypatch.setattr("hashslide.distributed.ray.cluster._START_S", 1.0)
    with pytest.raises(WorkerError, match=r"the 2 workers have not started in 1 s\. The cluster has 5 CPUs"):
        run_ranks(failing_program, 2, n_threads=50, timeout_s=1)


def failing_program(exchange):
    if exchange.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    exchange.barrier()


def test_a_rank_that_dies_is_named(pack):
    processes = {}
    with pytest.raises(WorkerError, match=r"rank 1 \(process (\d+)\) has died; the other ranks") as raised:
        run_ranks(failing_program, 2, on_start=processes.update)
    assert f"process {processes[1]})" in str(raised.value)


def refusing_program(exchange):
    if exchange.rank == 1:
        raise InputError("this rank refuses")
    exchange.barrier()


def test_what_a_rank_refuses_reaches_the_caller(pack):
    with pytest.raises(InputError, match="this rank refuses"):
        run_ranks(refusing_program, 2, timeout_s=20)
