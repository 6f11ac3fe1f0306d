"""When should neurons be hashed again: on a schedule, or when their codes have drifted? At equal time.

    python -m benchmarks.hashing.rebuilds --data debian-depends --out rebuilds.json

The schedule re-hashes what has changed every `rehash_every` steps and rebuilds at growing intervals; the
rarer one waits five times as long. The trigger (MONGOOSE, Chen et al. 2021) measures, every few steps, the
share of all codes that are out of date, on a sample of at most 256 changed neurons; it re-hashes what has
changed when the share reaches a limit, and rebuilds when as many codes have changed as there are. It is no
part of the package: the training is stopped for it, and its measurements are not counted, so that it does
better here than it could in the package. "Never again" builds the tables once.

Each source of negatives is trained with several learning rates, times the default; for every source and
rate the schedule trains for `--epochs`, and the others for as many seconds of the processor, which other
programs on the machine do not change much, the rate falling linearly. The hidden layer is that of
`benchmarks.learning.multiplications`, on generated images (CONVEX). "Found" is the share of the five best
neurons that look-ups find, the mean of four moments of the training; P@1 (of images: accuracy) and
"found" are those of validation rows. "Re-hashes" counts those of changed neurons, "builds" those of all, and
"hashing" is the share of the time that both took.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from hashslide import DWTA, Hashed, KMeans, Scored, SimHash, SlideClassifier, Vanilla
from hashslide.diagnostics import tables
from hashslide.estimator.preparing import prepare
from hashslide.metrics import precision_at_k
from hashslide.network import Network
from hashslide.settings import HashFamily

from ..common.harness import Record, Report, cell, middle, say, stored, table
from ..common.matrices import load_matrices
from ..common.processes import fresh
from ..learning.multiplications import HASHING, TRAINING
from ..learning.negatives import batches
from ..sets import image_sets

NEVER = 10**9
MOMENTS, QUERIES, RANK = 4, 200, 5
MEASURED, LOOK_EVERY = 256, 10  # neurons of a sample; steps between two
BUILDS, NEXT_REHASH, CHANGED = 1, 3, 4  # places in the saved progress of an index


@dataclass(frozen=True)
class Rule:
    """When neurons are hashed again: so many times as rarely as usual, or at a drift."""

    times: int = 1
    drift: float | None = None

    def applied(self, family: HashFamily) -> HashFamily:
        """Return the family with this schedule."""
        if self.drift is not None or self.times >= NEVER:
            return replace(family, rehash_every=NEVER, rehash_growth=float(NEVER))
        return replace(family, rehash_every=self.times * family.rehash_every)


SCHEDULE = "schedule"
RULES = {
    SCHEDULE: Rule(),
    "rarer schedule": Rule(times=5),
    "drift of 5 %": Rule(drift=0.05),
    "drift of 20 %": Rule(drift=0.2),
    "never again": Rule(times=NEVER),
}
FAMILIES: dict[str, HashFamily] = {
    "DWTA": DWTA(),
    "SimHash": SimHash(),
    "k-means": KMeans(),
    "hidden": HASHING,
}


def source_of(name: str, rule: Rule) -> Record:
    """Return the classifier's parameters for a source of negatives, or for a hashed hidden layer."""
    family = rule.applied(FAMILIES[name])
    if name == "hidden":
        return TRAINING | {"hidden": [Hashed(1000, 294, "identity", hash=family, winners=140)]}
    parameters = {"hash": family, "batch_size": 64}  # many steps in little time
    if name == "DWTA":
        return parameters | {"active": "per_example", "sampler": Vanilla(budget=250)}
    return parameters | {"sampler": Scored(budget=5)}


class Trigger:
    """Re-hashes the neurons of a network by their drift.

    Parameters
    ----------
    limit
        The share of out-of-date codes; None: never.
    seed
        Of the samples.

    Attributes
    ----------
    pulled
        How often it has re-hashed.
    """

    def __init__(self, limit: float | None, seed: int):
        self.limit, self.rng, self.pulled = limit, np.random.default_rng(seed), 0
        self._past: dict[str, float] = {}  # seconds by stage before the network was last restored

    def look(self, network: Network) -> None:
        """Let the next step re-hash the layers that have drifted."""
        if self.limit is None or network.step % LOOK_EVERY:
            return
        state: dict[str, Any] = {}
        for layer in tables.hashed_layers(network):
            if drift_of(layer, MEASURED, self.rng) >= self.limit:
                state = state or network.state()
                state[f"{layer.name}.index.progress"][NEXT_REHASH] = 0
        if state:
            self.pulled += 1
            self._past = self.seconds(network)
            network.restore(state)

    def seconds(self, network: Network) -> dict[str, float]:
        """Return the seconds that the training has spent in each stage."""
        return {name: s + self._past.get(name, 0.0) for name, s in network.stage_seconds.items()}


def drift_of(layer: tables.LayerTables, size: int, rng: np.random.Generator) -> float:
    """Return the share of all codes that are out of date, by a sample of the neurons that have changed.

    Only those can have another code. The sample is hashed again in a copy of the tables, which counts the
    neurons that move; the layer's object is used up by that.
    """
    index = layer.own_index
    state = index.state()
    touched = state["touched"]
    if not index.ready or not len(touched):
        return 0.0
    sample = rng.choice(touched, min(size, len(touched)), replace=False)
    state["touched"], state["progress"][[NEXT_REHASH, CHANGED]] = sample, 0
    index.restore(state, 1)
    index.maintain(layer.weight, layer.bias, 1, 1)
    moved = int(index.state()["progress"][CHANGED])
    return moved / (len(sample) * index.n_tables) * len(touched) / len(layer.bias)


def data_of(source: str, folder: str, part: str, options: Record) -> tuple[csr_matrix, Any]:
    """Return one part of the data of a source."""
    if source != "hidden":
        X, Y = load_matrices(Path(folder), part)
        return X, Y
    n = options["images"]
    X, y = image_sets.convex(n + n // 4, seed=1)
    rows = slice(0, n) if part == "train" else slice(n, None)
    return csr_matrix(X[rows]), y[rows]


def train(
    source: str, rule: Rule, factor: float, folder: str, options: Record, seconds: float, seed: int
) -> Record:
    """Train for `seconds`, or for the epochs if they are 0; runs in a process of its own."""
    X, Y = data_of(source, folder, "train", options)
    model = SlideClassifier(n_jobs=options["threads"], random_state=seed, **source_of(source, rule))
    prepared = prepare(model, X, Y)
    network, data, settings = prepared.network, prepared.data, prepared.settings
    held_out, truth = data_of(source, folder, "validation", options)
    n_steps = options["epochs"] * math.ceil(X.shape[0] / settings.batch_size)
    first_rate = factor * (0.08 if source == "hidden" else settings.learning_rate)
    spent, step, found, trigger = 0.0, 0, [], Trigger(rule.drift, seed)
    for rows in batches(data.rows, settings.batch_size, seed):
        progress = spent / seconds if seconds else step / n_steps
        if progress >= (len(found) + 1) / MOMENTS:
            found.append(found_share(network, held_out[:QUERIES]))
        if progress >= 1:
            break
        begin = time.process_time()
        network.train_batch(data.x, data.y, rows, first_rate * (1 - progress), None, options["threads"])
        spent += time.process_time() - begin
        step += 1
        trigger.look(network)
    topk, _ = network.predict_topk(held_out, 1 if source == "hidden" else 5, options["threads"])
    stages, family = trigger.seconds(network), rule.applied(FAMILIES[source])
    measured = {"cpu": spent, "epochs": step / n_steps * options["epochs"], "builds": builds_of(network)}
    measured |= {"hashing": stages["rehash"] / sum(stages.values()), "found": float(np.mean(found))}
    measured |= {"rehashes": trigger.pulled + step // family.rehash_every}
    if source == "hidden":
        return measured | {"P@1": float(np.mean(topk[:, 0] == np.unique(Y).searchsorted(truth)))}
    return measured | {f"P@{k}": float(precision_at_k(truth, topk, k)) for k in (1, 5)}


def builds_of(network: Any) -> int:
    """Return how often the tables have been built."""
    states = [array for name, array in network.state().items() if name.endswith("index.progress")]
    return int(max(array[BUILDS] for array in states))


def found_share(network: Any, X: csr_matrix) -> float:
    """Return the share of the best neurons that look-ups find, over the hashed layers."""
    queries, shares = tables.queries_of(network, X), []
    for layer in tables.hashed_layers(network):
        index, h = layer.own_index, queries[layer.name]
        if issparse(h):
            return math.nan  # of the input: not looked at
        if not index.ready:
            continue
        best = np.argpartition(-(h @ layer.weight.T + layer.bias), RANK)[:, :RANK]
        of_table = [index.table(t) for t in range(index.n_tables)]
        for buckets, wanted in zip(index.look_up(h, 1), best, strict=True):
            seen = [of_table[t].bucket(b) for t in range(len(of_table)) for b in buckets[t] if b >= 0]
            shares.append(np.isin(wanted, np.concatenate(seen)).mean())
    return float(np.mean(shares)) if shares else 0.0


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz or train.txt")
    parser.add_argument("--sources", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--rules", nargs="+", choices=list(RULES), default=list(RULES))
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 4], help="times the default")
    parser.add_argument("--examples", type=int, default=20_000, help="size of the training part; 0: all")
    parser.add_argument("--images", type=int, default=1_000, help="for the hidden layers")
    parser.add_argument("--validation", type=int, default=3_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    options = {k: v for k, v in vars(arguments).items() if isinstance(v, int)}
    rules = {SCHEDULE: RULES[SCHEDULE]} | {name: RULES[name] for name in arguments.rules}
    cases = [(source, rate) for source in arguments.sources for rate in arguments.rates]
    with stored(arguments.data, arguments.examples, arguments.validation) as folder:
        for seed in range(arguments.runs):
            for source, factor in cases:
                seconds = 0.0
                for name, rule in rules.items():
                    result = fresh(train, source, rule, factor, folder, options, seconds, seed)
                    seconds = seconds or result["cpu"]
                    report.add({"source": source, "rate": factor, "rule": name, "run": seed} | result)
                    say(f"run {seed + 1}  {source}, rate times {factor:g}, {name}: {result}")
    lines = []
    for source, factor in cases:
        for name in rules:
            done = report.select(source=source, rate=factor, rule=name)
            share = 100 * middle(done, "hashing")
            figures = [(middle(done, key), 4) for key in ("P@1", "P@5", "found")]
            figures += [(middle(done, key), 0) for key in ("rehashes", "builds")]
            figures += [(middle(done, "epochs"), 2), (share, 1)]
            lines.append([source, f"{factor:g}", name, *(cell(*figure) for figure in figures)])
    head = [
        "source",
        "rate",
        "re-hashed",
        "P@1",
        "P@5",
        "found",
        "re-hashes",
        "builds",
        "epochs",
        "% hashing",
    ]
    print(table(head, lines, texts=3))


if __name__ == "__main__":
    main()
