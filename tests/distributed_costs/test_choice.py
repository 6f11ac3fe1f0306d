"""Which protocol is taken, what a network is measured to do, and how it is named."""

import time

import pytest
from rank_helpers import on_threads

from hashslide import SlideClassifier
from hashslide.csr import as_csr, as_pattern
from hashslide.distributed.costs import (
    Costs,
    Link,
    auto_protocol,
    choose,
    estimate_machines,
    measure_link,
    parse_bandwidth,
    parse_delay,
)
from hashslide.distributed.costs.compute import _part_of
from hashslide.distributed.exchange import Alone
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig

SENT = {"activations": 2e6, "rows": 3e5}


def test_the_faster_protocol_is_taken_and_the_reason_names_the_figures():
    found = choose(8, {"activations": 0.02, "rows": 0.01}, SENT)
    assert found.protocol == "rows"
    assert "20 ms with activations (2 MB sent by a machine) and 10 ms with rows (300 kB)" in found.reason
    assert choose(8, {"activations": 0.01, "rows": 0.02}, SENT).protocol == "activations"


def test_of_two_that_are_alike_the_one_whose_result_is_always_the_same():
    found = choose(8, {"activations": 0.0102, "rows": 0.01}, SENT)
    assert found.protocol == "activations" and "does not depend on the number" in found.reason
    assert choose(1, {}, {}).protocol == "activations"


@pytest.fixture(scope="module")
def costs(pubmed):
    """Measured on real examples."""
    x, y = as_csr(pubmed.X_train[:2000]), as_pattern(pubmed.Y_train[:2000])
    config = NetworkConfig(n_features=x.n_columns, n_labels=10**6, hidden=64, negatives=100)
    return Costs(config, x, y, 1, seconds=0.0)


def test_much_traffic_on_a_slow_network_decides(costs):
    """Activations send 4 B numbers for each unit, rows 2 t, which grows more slowly than B."""
    slow = Link(bandwidth=1e3, delay=0.0, message=0.0)
    assert costs.choose(2, 64, slow).protocol == "activations"
    assert costs.choose(64, 8192, slow).protocol == "rows"


def test_all_ranks_choose_the_same(pubmed_small):
    x, y = as_csr(pubmed_small.X_train), as_pattern(pubmed_small.Y_train)
    config = NetworkConfig(n_features=x.n_columns, n_labels=y.n_columns, hidden=16, negatives=50)
    found = on_threads(2, lambda exchange: auto_protocol(config, 64, x, y, exchange))
    assert found[0] == found[1] and found[0].protocol in ("activations", "rows")
    assert "expected to take" in found[0].reason
    assert auto_protocol(config, 64, x, y, Alone()).protocol == "activations"


def test_a_network_is_measured(monkeypatch):
    """A clock that only messages move: 2 ms each, and 1 ms more for 1 MB."""
    now = {}
    monkeypatch.setattr(time, "perf_counter", lambda: now.setdefault("s", 0.0))

    class Slow:
        rank, size = 0, 2

        def all_to_all(self, parts, purpose, sizes=None):
            now["s"] = now.get("s", 0.0) + 0.002 + parts[1].nbytes / 1e9
            return list(parts)

        def all_gather(self, array, purpose, sizes=None):
            return [array, 2 * array]  # the other rank finds its network half as fast

    found = measure_link(Slow())
    assert found.delay == pytest.approx(0.004, rel=1e-3) and found.bandwidth == pytest.approx(5e8, rel=1e-3)
    assert measure_link(Alone()).seconds(1e9, 1) == 0


@pytest.mark.parametrize(
    "text, value", [("10Gbit", 1.25e9), ("100 Mbit/s", 1.25e7), ("1gbps", None), ("2.5gbit", 3.125e8)]
)
def test_bandwidths(text, value):
    if value is None:
        with pytest.raises(InputError, match="such as 10Gbit"):
            parse_bandwidth(text)
    else:
        assert parse_bandwidth(text) == value


@pytest.mark.parametrize(
    "text", ["", "fast", "0Gbit", "10", "10GB", "-1Gbit", "1.2.3Gbit", "nanGbit", "1e999Gbit"]
)
def test_no_bandwidths(text):
    with pytest.raises(InputError, match="accepted are bits per second"):
        parse_bandwidth(text)


@pytest.mark.parametrize("text, value", [("1ms", 1e-3), ("50us", 5e-5), ("0s", 0.0), ("0.2 s", 0.2)])
def test_delays(text, value):
    assert parse_delay(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "1", "1 h", "-1ms", "..ms", "1e999s"])
def test_no_delays(text):
    with pytest.raises(InputError, match="accepted are times such as 1ms"):
        parse_delay(text)


def test_the_measured_part_of_a_model_has_its_share_of_the_entries(pubmed):
    x = as_csr(pubmed.X_train[:2000])
    for parts in (2, 8, 64):
        part = _part_of(x, parts)
        assert part.nnz / x.nnz == pytest.approx(1 / parts, rel=0.02)
        assert part.shape == (2000, pytest.approx(x.n_columns / parts, abs=1))


def test_estimates_of_many_machines(pubmed_small):
    X, Y = pubmed_small.X_train, pubmed_small.Y_train
    model = SlideClassifier(hidden=16, random_state=0, n_jobs=1)
    found = estimate_machines(model, X, Y, 8, total_labels=10**7, seconds=0.0)
    assert [(p.protocol, p.batch) for p in found.protocols] == [
        ("one machine", 94),
        *(("activations", 94), ("rows", 94), ("downpour", 94)),
        *(("activations", 752), ("rows", 752), ("downpour", 752)),
    ]
    for p in found.protocols:
        assert p.seconds > 0 and p.straggling <= 1.2 * p.examples_per_second
    assert found.memory["model"] < found.one_bytes / 7.9 and found.first_bytes > found.one_bytes
    assert found.dense_bytes > 1000 * max(p.sent for p in found.protocols)
    plain = found.to_dict()
    assert plain["machine_bytes"] == sum(found.memory.values()) and plain["choice"]["protocol"]
    (alone,) = estimate_machines(model, X, Y, 1, seconds=0.0).protocols
    assert alone.speed_up == 1 and alone.sent == 0


def test_what_many_machines_cannot_train_is_refused(pubmed_small):
    X, Y = pubmed_small.X_train, pubmed_small.Y_train
    with pytest.raises(InputError, match="machines"):
        estimate_machines(SlideClassifier(), X, Y, 0)
    with pytest.raises(InputError, match="hidden"):
        estimate_machines(SlideClassifier(hidden=(32, 32)), X, Y, 4)
    with pytest.raises(InputError, match="10Gbit"):
        estimate_machines(SlideClassifier(), X, Y, 4, network="a lot")
