"""The synchronous protocol `rows`: bits, gradients, bytes."""

import numpy as np
import pytest
from data_helpers import slice_of
from rank_helpers import on_threads

from hashslide.csr import as_csr
from hashslide.distributed.rows import RowsNetwork
from hashslide.distributed.sharded.wire import WIRES
from hashslide.distributed.sharding import Sharding
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.settings import SGD, Adagrad, Adam, Negatives, NetworkConfig

N_ROWS, N_FEATURES, N_LABELS, WIDTH, BATCH = 600, 5520, 1996, 24, 64

LAYERS = ("input.weight", "input.bias", "output.weight", "output.bias")

SETTINGS = {
    "adagrad": {},
    "softmax": {
        "loss": "softmax",
        "optimizer": Adam(),
        "negatives": Negatives(uniform=40, popular=10, prior_correction=1.0),
    },
    "everything": {
        "optimizer": Adagrad(weight_decay=0.01),
        "input_dropout": 0.3,
        "example_power": 0.5,
        "input_scale": 1.7,
        "negatives": Negatives(uniform=20, popular=5, prior_correction=0.5),
    },
    "sgd": {"optimizer": SGD(momentum=0.9)},
    "bfloat16": {"precision": "bfloat16"},
}

STEEP = 3.0  # a rate at which plain SGD moves on these data


@pytest.fixture(scope="module")
def data(pubmed):
    """A slice of real data, with the features and labels that occur in it."""
    d = slice_of(pubmed, N_ROWS, 1)
    x, y = as_csr(d.X_train), as_csr(d.Y_train)
    assert (x.n_columns, y.n_columns) == (N_FEATURES, N_LABELS)
    return x, y


def config(name="adagrad", **changes):
    return NetworkConfig(
        n_features=N_FEATURES, n_labels=N_LABELS, hidden=WIDTH, seed=5, **SETTINGS[name] | changes
    )


# Nothing is drawn and every label is active: what a batch gives does not depend on how it is cut.
PLAIN = config(optimizer=SGD(), negatives=Negatives(uniform=0, popular=N_LABELS, prior_correction=0.0))


def counts_of(y):
    return np.bincount(y.indices, minlength=N_LABELS).astype(np.int64)


def sharded(settings, exchange, data, **options):
    """A network of this rank, that knows the labels."""
    x, y = data
    features = Sharding.balanced(np.bincount(x.indices, minlength=N_FEATURES), 8)
    counts = counts_of(y)
    network = RowsNetwork(settings, features, Sharding.balanced(counts, 8), exchange, **options)
    network.set_label_prior(counts, N_ROWS)
    return network


def batches(n, size=BATCH):
    rows = np.random.default_rng(0).permutation(N_ROWS)
    return [rows[i * size : (i + 1) * size] for i in range(n)]


def own_part(rows, exchange):
    return np.array_split(rows, exchange.size)[exchange.rank]


def trained(size, settings, data, n_steps=6, rate=0.1, **options):
    """States of all ranks and their networks' losses after some steps."""

    def program(exchange):
        network = sharded(settings, exchange, data, **options)
        losses = [network.train_batch(*data, own_part(rows, exchange), rate)[0] for rows in batches(n_steps)]
        return network.snapshot(), losses, dict(exchange.bytes_sent), network.assemble()

    return on_threads(size, program)


def single(settings, data, n_steps=6, weight=None, label_weight=None):
    """The same steps by a network of one process."""
    network = Network(settings)
    network.set_label_prior(counts_of(data[1]), N_ROWS)
    if label_weight is not None:
        network.set_label_weight(label_weight)
    losses = [network.train_batch(*data, rows, 0.1, weight)[0] for rows in batches(n_steps)]
    return network, losses


def bits(state):
    return {name: array.tobytes() for name, array in state.items()}


@pytest.mark.parametrize("name", SETTINGS)
def test_one_rank_learns_the_bits_of_the_single_process(data, name):
    settings = config(name)
    network, losses = single(settings, data)
    ((_, found, _, assembled),) = trained(1, settings, data)
    assert found == losses
    assert bits(assembled.state()) == bits(network.state())


def test_weights_of_examples_and_labels_count_as_in_the_single_process(data):
    random = np.random.default_rng(1)
    weight = random.uniform(0.5, 2, N_ROWS).astype(np.float32)
    label_weight = random.uniform(0.5, 2, N_LABELS).astype(np.float32)
    network, losses = single(config(), data, weight=weight, label_weight=label_weight)

    def program(exchange):
        own = sharded(config(), exchange, data)
        own.set_label_weight(label_weight)
        found = [own.train_batch(*data, rows, 0.1, weight)[0] for rows in batches(6)]
        return found, own.assemble()

    ((found, assembled),) = on_threads(1, program)
    assert found == losses
    assert bits(assembled.state()) == bits(network.state())


@pytest.mark.parametrize(
    ("size", "name"), [(2, "adagrad"), (4, "softmax"), (8, "everything"), (2, "bfloat16")]
)
def test_the_same_number_of_ranks_gives_the_same_bits(data, size, name):
    first, second = (trained(size, config(name), data) for _ in range(2))
    for (state, losses, _, _), (again, losses_again, _, _) in zip(first, second, strict=True):
        assert losses == losses_again
        assert bits(state) == bits(again)


def test_an_update_is_the_sum_of_what_each_rank_finds_on_its_own_part(data):
    """With plain SGD: each part as a batch of its own, by networks of one process, with their own draws."""
    before = trained(4, PLAIN, data, n_steps=2, rate=STEEP)[0][3].snapshot()
    rows = batches(3)[2]
    expected = {name: array.astype(np.float64) for name, array in before.items()}
    for part in np.array_split(rows, 4):
        alone = Network.from_state(PLAIN, before)
        alone.train_batch(*data, part, STEEP)
        for name in LAYERS:
            change = alone.state()[name].astype(np.float64) - before[name]
            expected[name] += change * len(part) / len(rows)  # steps are means over the parts
    found = trained(4, PLAIN, data, n_steps=3, rate=STEEP)[0][3].state()
    for name in LAYERS:
        change = np.abs(expected[name] - before[name]).max()
        assert change > 1e-4
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-3 * change)


def test_bytes_are_those_of_the_touched_rows_and_their_numbers(data):
    size = 4
    (rows,) = batches(1)
    x, y = data
    settings = config(negatives=Negatives(uniform=0, popular=0, prior_correction=1.0))
    features = Sharding.balanced(np.bincount(x.indices, minlength=N_FEATURES), 8)
    labels = Sharding.balanced(counts_of(y), 8)
    for rank, (_, _, sent, _) in enumerate(trained(size, settings, data, n_steps=1)):
        fetched = pushed = answered = 0
        for other, part in enumerate(np.array_split(rows, size)):
            touched = [np.unique(m.take(part).indices) for m in (x, y)]
            owners = [s.owner_of(ids, size) for s, ids in zip((features, labels), touched, strict=True)]
            if other == rank:
                fetched = pushed = sum(int((owner != rank).sum()) for owner in owners)
            else:
                answered += sum(int((owner == rank).sum()) for owner in owners)
        numbers = sent["rows"] + sent["gradients"] - 4 * WIDTH * (answered + pushed)
        assert 0 < numbers < 4 * (fetched + pushed) + 16 * (answered + pushed) + 3 * 500


def test_a_rank_without_examples_takes_part(data):
    def program(exchange):
        network = sharded(config(), exchange, data)
        rows = batches(1)[0] if exchange.rank == 0 else np.empty(0, np.int64)
        network.train_batch(*data, rows, 0.1)
        return network.assemble()

    together = on_threads(2, program)[0]
    alone, _ = single(config(), data, n_steps=1)
    assert bits(together.state()) == bits(alone.state())


def test_rows_are_fetched_anew_only_every_so_many_batches(data):
    (rows,) = batches(1)
    settings = config(negatives=Negatives(uniform=0, popular=0, prior_correction=1.0))

    def program(exchange, n_fetch):
        network = sharded(settings, exchange, data, n_fetch=n_fetch)
        losses, sent = [], []
        for _ in range(4):
            losses.append(network.train_batch(*data, own_part(rows, exchange), 0.1)[0])
            sent.append(exchange.bytes_sent["rows"])
        return losses, np.diff(sent, prepend=0)

    losses, sent = on_threads(2, lambda exchange: program(exchange, 3))[0]
    fresh, sent_fresh = on_threads(2, lambda exchange: program(exchange, 1))[0]
    assert losses[0] == fresh[0] > fresh[1] > fresh[2] > fresh[3]
    assert losses[0] == losses[1] == losses[2] > losses[3], "the rows that it has are as old as they are"
    assert sent[0] == sent_fresh[0] == sent[3]
    assert sent[1] < 0.05 * sent[0] and sent[2] < 0.05 * sent[0]


def test_gradients_of_several_batches_are_pushed_together(data):
    """Two batches with one push are one batch of twice the size, where nothing is drawn."""
    whole, _ = single(PLAIN, data, n_steps=0)
    before = whole.snapshot()
    for first, second in zip(batches(4)[::2], batches(4)[1::2], strict=True):
        whole.train_batch(*data, np.concatenate([first, second]), STEEP)
    state = trained(1, PLAIN, data, n_steps=4, rate=STEEP, n_push=2)[0][3].state()
    for name in LAYERS:
        change = np.abs(whole.state()[name] - before[name]).max()
        assert change > 1e-4
        np.testing.assert_allclose(state[name], whole.state()[name], rtol=0, atol=1e-3 * change)
    assert state["progress"][0] == 4


def test_what_waits_for_a_push_is_pushed_before_the_model_is_read(data):
    states = trained(2, config(), data, n_steps=5, n_push=2)[0][3].state()
    fewer = trained(2, config(), data, n_steps=4, n_push=2)[0][3].state()
    assert not np.array_equal(states["output.weight"], fewer["output.weight"])


def test_bfloat16_on_the_wire_halves_the_bytes_and_is_right_in_the_mean(data):
    whole, half = (trained(2, PLAIN, data, n_steps=3, rate=STEEP, wire=wire)[0] for wire in WIRES)
    for purpose in ("rows", "gradients"):
        assert 0.5 < half[2][purpose] / whole[2][purpose] < 0.62, (
            "numbers of rows and counts stay as they are"
        )
    start = trained(2, PLAIN, data, n_steps=0)[0][3].state()
    for name in LAYERS:
        exact, found = (run[3].state()[name].astype(np.float64) for run in (whole, half))
        change, error = exact - start[name], found - exact
        assert 0 < np.abs(error).max() < 0.1 * np.abs(change).max()
        along = float((error * change).sum() / (change**2).sum())
        assert abs(along) < 2e-3, "rounding neither shortens nor lengthens what is learned"


def test_the_same_bits_with_bfloat16_on_the_wire(data):
    first, second = (trained(4, config(), data, wire="bfloat16") for _ in range(2))
    assert [bits(run[0]) for run in first] == [bits(run[0]) for run in second]


@pytest.mark.parametrize("options", [{"n_fetch": 0}, {"n_push": 1.5}, {"n_push": -1}])
def test_wrong_intervals_are_refused(data, options):
    with pytest.raises(InputError, match=f"{next(iter(options))} is {next(iter(options.values()))}"):
        trained(1, config(), data, n_steps=0, **options)
