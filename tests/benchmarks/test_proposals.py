"""`benchmarks.hashing.proposals` against its laws, on the identifiers of this project's core."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.hashing import proposals
from benchmarks.hashing.proposal_network import Proposals
from benchmarks.hashing.proposal_sources import Draws, HashLaw, Oracle, Tables
from benchmarks.heads.sets import words
from benchmarks.sets import next_words
from hashslide.settings import SimHash

CORE = Path(__file__).parents[2] / "core"
SIGMAS = 4.5  # 7 in a million
SOURCES = {
    "uniform": lambda: Draws(uniform=60),
    "frequency": lambda: Draws(frequency=80),
    "batch": lambda: Draws(in_batch=True, uniform=30),
    "popular": lambda: Draws(popular=20, frequency=20, uniform=10),
    "SimHash found": lambda: Tables(10, SimHash(tables=3, hashes=6), uniform=60),
    "exact": lambda: Oracle(5, frequency=40, uniform=20),
    "law": lambda: HashLaw(6, 4),
    "law and draws": lambda: HashLaw(4, 5, uniform=30, in_batch=True),
}


@pytest.fixture(scope="module")
def text():
    files = {path.name: words.identifiers(path.read_text()) for path in sorted(CORE.rglob("*.cpp"))}
    train, test, names = words.encode(files)
    return train, test, names


@pytest.fixture(scope="module")
def data(text):
    return next_words.of_text(text[0], "words", held_out=0.1)


@pytest.fixture(scope="module")
def network(data):
    """Trained a little, and every label away from the start, so that all of them can be found."""
    options = {"seed": 0, "batch": 64, "width": 12}
    network, _ = proposals.trained(data, Draws(uniform=100, in_batch=True), options, 0.1, 0.0, 200)
    network.weight += np.random.default_rng(0).normal(size=network.weight.shape, scale=0.05).astype("f")
    return network


def batch_of(data, network, n):
    points = data.train[:n]
    features = data.features(points)
    return features, data.labels(points).astype(np.int64), network.hidden(features)


def test_points_are_the_words_before_the_label(text, data):
    train = text[0]
    point = data.train[1000]
    assert data.labels(np.array([point]))[0] == train[point] - 1
    before = data.features(np.array([point]))[0] % next_words.FREQUENT
    assert before.tolist() == train[point - 1 : point - 1 - next_words.CONTEXT : -1].tolist()
    assert (train[data.train] > 0).all() and data.train.max() < data.validation.min()


def test_equal_pairs_have_equal_labels(text):
    train = text[0]
    pairs = next_words.of_text(train, "pairs")
    places = np.r_[pairs.train, pairs.validation]
    two_words = np.c_[train[places], train[places + 1]]
    both = np.c_[pairs.labels(places), two_words]
    n = pairs.n_labels
    assert n == len(np.unique(both[:, 0])) == len(np.unique(two_words, axis=0)) > 1000
    assert n == len(np.unique(both, axis=0)) and two_words.min() > 0


def dense(network, h, labels):
    z = h.astype(float) @ network.weight.T.astype(float) + network.bias
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(h)), labels])
    p[np.arange(len(h)), labels] -= 1
    return loss, p


def mixed(network, labels):
    """All labels once, each in some role or in two of them."""
    n = network.n_labels
    ids = np.arange(n)
    own = [ids[(ids % 3 == b % 3) | (ids % 7 == 0)] for b in range(len(labels))]
    shared = ids[ids % 7 != 0]
    begin = np.cumsum([0, *map(len, own)])
    zeros = np.zeros(n, np.float32)
    return Proposals(
        shared, zeros[: len(shared)], begin, np.concatenate(own), np.zeros(begin[-1], np.float32)
    )


def test_all_labels_in_any_roles_are_the_full_softmax(data, network):
    _, labels, h = batch_of(data, network, 9)
    given = mixed(network, labels)
    found = network.estimate(h, labels, given)
    loss, p = dense(network, h, labels)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert np.allclose(found.hidden, p @ network.weight, atol=1e-5)
    ids, gradient, of_bias = network._label_gradients(h, labels, given, found)
    assert ids.tolist() == list(range(network.n_labels))
    assert np.allclose(gradient, p.T @ h, atol=1e-4)
    assert np.allclose(of_bias, p.sum(0), atol=1e-5)


def test_evaluation_is_exact(data, network, monkeypatch):
    monkeypatch.setattr("benchmarks.hashing.proposal_network.EVALUATED", 2000)
    features, labels, h = batch_of(data, network, 50)
    losses, place = network.evaluate(features, labels, 5)
    assert losses == pytest.approx(dense(network, h, labels)[0], rel=1e-5)
    z = h @ network.weight.T + network.bias
    best = np.argsort(-z, axis=1, kind="stable")[:, :5]
    assert ((place < 5) == (best == labels[:, None]).any(1)).all()


@pytest.mark.parametrize("name", SOURCES)
def test_the_partition_function_is_estimated_without_bias(name, data, network):
    features, labels, h = batch_of(data, network, 8)
    source, rng, n_others = SOURCES[name](), np.random.default_rng(3), 63
    source.prepare(data, network, 0)
    source.observe(h)
    source.build()
    moments = proposals.Moments(network, h, labels)
    for draw in range(640):
        if isinstance(source, HashLaw) and draw:
            source.build()
        others = data.labels(data.train[rng.integers(0, len(data.train), n_others)]).astype(np.int64)
        moments.add(source.propose(h, features, others, n_others, rng))
    result = moments.summary()
    assert 0 < result["Z error"] < 0.1
    assert abs(result["Z"] - 1) < SIGMAS * result["Z error"]
    assert result["negatives"] < 0.6 * data.n_labels
    assert result["hidden deviation"] > 0


def test_moments_tell_a_bias_from_a_deviation(data, network):
    """Estimates over all labels, some of them counted at a wrong chance: the gradients are known."""
    _, labels, h = batch_of(data, network, 8)
    n = data.n_labels
    moments = proposals.Moments(network, h, labels)
    truth = {"rows": moments.rows, "hidden": moments.hidden}
    scale = {"rows": np.square(h).sum(1), "hidden": 1.0}

    def norm(name, gradient):
        return np.sqrt((np.square(gradient).sum(1) * scale[name]).sum())

    wrong = [np.where(np.arange(n) % 2, log_q, 0).astype(np.float32) for log_q in (-1.0, 0.5)]
    nobody = (np.zeros(9, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    estimates = []
    for log_q in wrong:
        given = Proposals(np.arange(n), log_q, *nobody)
        found = network.estimate(h, labels, given)
        rows = found.shared.copy()
        rows[np.arange(8), labels] += found.true
        estimates.append({"rows": rows, "hidden": found.hidden})
    for draws in ([0, 0, 0], [0, 1] * 10):
        moments.start()
        for draw in draws:
            moments.add(Proposals(np.arange(n), wrong[draw], *nobody))
        summary = moments.summary()
        for name in truth:
            drawn = np.array([estimates[draw][name] for draw in draws])
            variance = sum(np.square(norm(name, d - drawn.mean(0))) for d in drawn) / (len(draws) - 1)
            squared = np.square(norm(name, drawn.mean(0) - truth[name])) - variance / len(draws)
            whole = norm(name, truth[name])
            assert summary[f"{name} deviation"] == pytest.approx(variance**0.5 / whole, rel=1e-3, abs=2e-3)
            expected = np.sign(squared) * np.sqrt(abs(squared)) / whole
            assert summary[f"{name} bias"] == pytest.approx(expected, rel=1e-2)


@pytest.fixture
def folder(text, tmp_path):
    """What the builder of the words leaves in its folder."""
    target = tmp_path / "words"
    target.mkdir()
    for part, ids in zip(("train", "test"), text[:2], strict=True):
        np.save(target / f"{part}.npy", ids)
    (target / "words.txt").write_text("\n".join(text[2]))
    return tmp_path


def test_the_commands_measure_every_source(folder, monkeypatch, capsys):
    common = ["--width", "8", "--batch", "32", "--hashes", "4", "--tables", "3"]
    small = ["--steps", "20", "--size", "40", "--examples", "4", "--draws", "6", "--law-draws", "3"]
    out = folder / "gradients.json"
    monkeypatch.setattr(
        sys, "argv", ["proposals", str(folder), "gradients", *common, *small, "--out", str(out)]
    )
    proposals.main()
    results = json.loads(out.read_text())["results"]
    assert [result["source"] for result in results] == list(proposals.of_gradients(40, 3, 4))
    assert all(np.isfinite(result["hidden deviation"]) for result in results)
    assert results[-1]["source"] in capsys.readouterr().out

    out = folder / "train.json"
    chosen = ["labels of the batch", "labels of the batch + 5 SimHash"]
    short = [
        "--seconds",
        "0.2",
        "--tune-seconds",
        "0.1",
        "--rates",
        "0.05",
        "0.1",
        "--rows",
        "50",
        "--hard",
        "5",
    ]
    arguments = [
        "proposals",
        str(folder),
        "train",
        *common,
        *short,
        "--sources",
        *chosen,
        "--out",
        str(out),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    proposals.main()
    results = json.loads(out.read_text())["results"]
    assert [result["source"] for result in results] == chosen
    assert all(result["rate"] in (0.05, 0.1) and result["steps"] > 0 for result in results)
    assert results[0]["loss difference"] == 0


def test_the_engine_and_advise_get_the_most_frequent_labels(folder, monkeypatch, capsys):
    out = folder / "engine.json"
    small = ["--labels", "40", "--points", "2000", "--rows", "60", "--out", str(out)]
    chosen = ["250 uniform", "none", "5 SimHash, per example"]
    short = ["--seconds", "0.1", "--tune-seconds", "0.05", "--rates", "0.1", "--sources", *chosen]
    monkeypatch.setattr(sys, "argv", ["proposals", str(folder), "engine", *small, *short])
    proposals.main()
    results = json.loads(out.read_text())["results"]
    assert [(result["labels"], result["source"]) for result in results] == [(40, name) for name in chosen]
    assert results[0]["difference"] == 0 and results[0]["equal steps"] == results[0]["P@1"]
    shown = capsys.readouterr().out
    assert all(f"| 40 | {name} |" in shown for name in chosen)

    monkeypatch.setattr(sys, "argv", ["proposals", str(folder), "advise", *small, "--seconds", "0.5"])
    proposals.main()
    assert capsys.readouterr().out.startswith("40 labels: ")
