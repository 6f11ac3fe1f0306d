"""Where should the negatives come from with 10⁶ to 10⁷ labels, one label a point and a long tail?

    python -m benchmarks.hashing.proposals heads-data gradients --out gradients.json
    python -m benchmarks.hashing.proposals heads-data train --seconds 20 --out train.json
    python -m benchmarks.hashing.proposals heads-data engine --out engine.json
    python -m benchmarks.hashing.proposals heads-data advise --points 400000 --seconds 150 --labels 0
    python -m benchmarks.hashing.proposals heads-data train --kind pairs --sources "labels of the batch" \
        "+ 250 uniform (default)" --out pairs.json

The data are the identifiers of Linux's C files (benchmarks.sets.next_words). Networks differ in the source of
negatives alone, and every source says with what chance it proposes a label.

`gradients`: a network is trained by the default for a while. Then the gradient of some examples with regard
to the hidden activations and to the rows of the output layer is computed over all labels, and estimated many
times from each source with about as many negatives. Bias and deviation are relative to the norm of the
gradient. The bias is that of the mean over all draws without the mean's own variance (negative: smaller than
that explains); its standard error is from a jackknife over the examples. Tables of `LSH, law` are drawn anew
for each estimate, others are built once.

`train`: each source at the best of some learning rates, which a shorter training on the same data chooses by
the loss of the validation part. The clock runs while a source proposes, rebuilds and the network steps;
not while batches are made or accuracy is measured. The rate falls linearly over the time.

`engine`: the same with `SlideClassifier`'s network, with and without random negatives besides the labels of
the batch, over the most frequent words and over all. `advise`: what `hashslide.advise` says of the same data.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import Negatives, SlideClassifier, advise
from hashslide.estimator.preparing import prepare
from hashslide.settings import KMeans, Layer, Scored, SimHash

from ..common.harness import KS, Record, Report, cell, middle, say, table
from ..common.processes import fresh
from ..sets.next_words import NextWords, load
from .proposal_network import Estimate, ProposalNetwork, Proposals
from .proposal_sources import Draws, Found, HashLaw, Lists, Oracle, Tables

DEFAULT = "labels of the batch + 250 uniform (default)"
REBUILDS: Record = {"centre": True, "rehash_first": 500, "rehash_growth": 2.0}
KMEANS = KMeans(cells=1024, probes=2, **REBUILDS)
SIMHASH = SimHash(tables=20, hashes=14, **REBUILDS)
LAW_EVERY = 1000  # steps from one drawing of the tables to the next
RATES = (0.1, 0.2, 0.4)
SUPERBATCH = 64  # batches whose features are made at once


def of_training(hard: int, tables: int, hashes: int) -> dict[str, Callable[[], Draws]]:
    """Return the sources to train with."""
    default = {"uniform": 250, "in_batch": True}
    return {
        DEFAULT: lambda: Draws(**default),
        "labels of the batch": lambda: Draws(in_batch=True),
        "labels of the batch + 250 by frequency": lambda: Draws(frequency=250, in_batch=True),
        "labels of the batch + 1,000 uniform": lambda: Draws(uniform=1000, in_batch=True),
        "labels of the batch + 250 popular": lambda: Draws(popular=250, in_batch=True),
        "500 uniform": lambda: Draws(uniform=500),
        "500 by frequency": lambda: Draws(frequency=500),
        f"labels of the batch + {hard} k-means": lambda: Tables(hard, KMEANS, in_batch=True),
        f"labels of the batch + {hard} SimHash": lambda: Tables(hard, SIMHASH, in_batch=True),
        f"labels of the batch + {hard} of the lists": lambda: Lists(hard, in_batch=True),
        "labels of the batch + LSH, law": lambda: HashLaw(tables, hashes, LAW_EVERY, in_batch=True),
    }


def of_gradients(size: int, tables: int, hashes: int) -> dict[str, Callable[[], Draws]]:
    """Return the sources to compare, each with `size` draws or found labels, or half of each."""
    half, often = {"uniform": size // 2}, {"frequency": size // 2}
    return {
        "uniform": lambda: Draws(uniform=size),
        "frequency": lambda: Draws(frequency=size),
        "frequency + uniform": lambda: Draws(frequency=size // 2, uniform=size // 2),
        "labels of the batch": lambda: Draws(in_batch=True),
        "labels of the batch + uniform": lambda: Draws(in_batch=True, **half),
        "popular + uniform": lambda: Draws(popular=size // 2, **half),
        "popular + frequency": lambda: Draws(popular=size // 2, **often),
        "LSH, law": lambda: HashLaw(tables, hashes),
        "LSH, law + uniform": lambda: HashLaw(tables, hashes, **half),
        "LSH, law + frequency": lambda: HashLaw(tables, hashes, **often),
        "SimHash found + uniform": lambda: Tables(size // 2, SIMHASH, **half),
        "SimHash found + frequency": lambda: Tables(size // 2, SIMHASH, **often),
        "k-means found + uniform": lambda: Tables(size // 2, KMEANS, **half),
        "k-means found + frequency": lambda: Tables(size // 2, KMEANS, **often),
        "lists + uniform": lambda: Lists(size // 2, **half),
        "lists + frequency": lambda: Lists(size // 2, **often),
        "exact top + uniform": lambda: Oracle(size // 2, **half),
        "exact top + frequency": lambda: Oracle(size // 2, **often),
    }


def batches(
    data: NextWords, size: int, seed: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], np.random.Generator]]:
    """Yield features and labels of shuffled batches without end, and a generator for the batch's draws."""
    rng = np.random.default_rng(seed)
    while True:
        order = data.train[rng.permutation(len(data.train))]
        for begin in range(0, len(order) - size + 1, size * SUPERBATCH):
            points = order[begin : begin + size * SUPERBATCH]
            features, labels = data.features(points), data.labels(points).astype(np.int64)
            for first in range(0, len(points) - size + 1, size):
                yield features[first : first + size], labels[first : first + size], rng


class Clock:
    """Seconds of the parts of a training."""

    def __init__(self) -> None:
        self.seconds = {"propose": 0.0, "step": 0.0, "rebuild": 0.0}

    def run(self, part: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a call returns, and count its time."""
        begin = time.perf_counter()
        result = function(*arguments)
        self.seconds[part] += time.perf_counter() - begin
        return result

    @property
    def total(self) -> float:
        """Return the sum."""
        return sum(self.seconds.values())


def trained(
    data: NextWords, source: Draws, options: Record, rate: float, seconds: float, steps: int = 0
) -> tuple[ProposalNetwork, Record]:
    """Train for some seconds, or for some steps if they are not 0."""
    seed, size = options["seed"], options["batch"]
    network = ProposalNetwork(data.n_features, options["width"], data.counts, seed)
    source.prepare(data, network, seed)
    clock, negatives, step = Clock(), 0, 0
    for features, labels, rng in batches(data, size, seed):
        progress = step / steps if steps else clock.total / seconds
        if progress >= 1:
            break
        if step:
            clock.run("rebuild", source.refresh, step)
        h = clock.run("step", network.hidden, features)
        given = clock.run("propose", source.propose, h, features, labels, size - 1, rng)
        clock.run("step", network.step, features, labels, given, rate * (1 - progress))
        negatives += len(given.shared) + len(given.own) / size
        step += 1
    done = {"steps": step, "wall": clock.total, "examples": step * size, "negatives": negatives / step}
    return network, done | clock.seconds


def measured(network: ProposalNetwork, data: NextWords, rows: int) -> Record:
    """Return the loss and P@k on points of the validation part, and the losses of each of them."""
    points = np.sort(np.random.default_rng(0).permutation(data.validation)[:rows])
    losses, place = network.evaluate(data.features(points), data.labels(points).astype(np.int64), max(KS))
    found = {f"P@{k}": float((place < k).mean()) / k for k in KS}
    return (
        {"loss": float(losses.mean()), "recall@5": float((place < 5).mean())}
        | found
        | {
            "losses": losses,
            "hits": place < 1,
        }
    )


def train_source(folder: str, name: str, options: Record) -> Record:
    """Choose the learning rate of a source and train with it; in a process of its own."""
    data = load(Path(folder), options["kind"], options["tokens"])

    def make() -> Draws:
        kinds = of_training(options["hard"], options["tables"], options["hashes"])
        return kinds[name]()

    tried = {}
    for rate in options["rates"] if len(options["rates"]) > 1 else ():
        network, _ = trained(data, make(), options, rate, options["tune_seconds"])
        tried[rate] = measured(network, data, options["rows"] // 4)["loss"]
    rate = min(tried, key=tried.__getitem__) if tried else options["rates"][0]
    network, done = trained(data, make(), options, rate, options["seconds"], options["equal_steps"])
    return done | {"rate": rate, "tried": tried} | measured(network, data, options["rows"])


def train(arguments: argparse.Namespace, report: Report) -> str:
    """Train with every source; return a table."""
    options = {k: v for k, v in vars(arguments).items() if k not in ("out", "folder", "sources")}
    kinds = of_training(arguments.hard, arguments.tables, arguments.hashes)
    first: Record = {}
    for seed in range(arguments.runs):
        for name in [n for n in kinds if not arguments.sources or n in arguments.sources]:
            result = fresh(train_source, str(arguments.folder), name, options | {"seed": seed})
            first.setdefault(seed, result)
            for key, of in (("losses", "loss"), ("hits", "P@1")):
                d = result[key].astype(float) - first[seed][key]
                result[f"{of} difference"], result[f"{of} error"] = d.mean(), d.std() / len(d) ** 0.5
            plain = {k: v for k, v in result.items() if k not in ("losses", "hits")}
            report.add({"source": name, "run": seed} | plain)
            say(
                f"{name}: loss {result['loss']:.4f}, P@1 {result['P@1']:.4f}, "
                f"{result['examples']:,} examples, rate {result['rate']}"
            )
    head = [
        "source",
        *(f"P@{k}" for k in KS),
        "loss",
        "against first",
        "±",
        "negatives",
        "examples/s",
        "rate",
    ]
    lines = []
    for name in kinds:
        if found := report.select(source=name):
            figures = [cell(middle(found, f"P@{k}"), 4) for k in KS]
            keys = {"loss": 4, "loss difference": 4, "loss error": 4, "negatives": 0}
            figures += [cell(middle(found, key), digits) for key, digits in keys.items()]
            speed = middle(found, "examples") / middle(found, "wall")
            lines.append([name, *figures, cell(speed, 0), cell(middle(found, "rate"), 3)])
    return table(head, lines)


class Moments:
    """Mean and variance of estimated gradients, against the true ones.

    Parameters
    ----------
    network : ProposalNetwork
    h : float32 array of shape (n, width)
    labels : int64 array of shape (n,)
    """

    def __init__(self, network: ProposalNetwork, h: NDArray[np.float32], labels: NDArray[np.int64]):
        self.network, self.h, self.labels, self.n = network, h, labels, len(h)
        z = network.logits(h, 0, network.n_labels)
        z -= z.max(1, keepdims=True)
        p = np.exp(z, out=z)
        total = p.sum(1, dtype=np.float64)
        p /= total[:, None].astype(np.float32)
        self.log_z = np.log(total) + network.logits(h, 0, network.n_labels).max(1)
        p[np.arange(self.n), labels] -= 1
        self.rows, self.hidden = p, p @ network.weight
        self.start()

    def start(self) -> None:
        """Forget the estimates."""
        self.draws = 0
        self.mean_rows = np.zeros_like(self.rows)
        self.mean_hidden = np.zeros(self.hidden.shape)
        self.squares = {"rows": np.zeros(self.n), "hidden": np.zeros(self.n)}
        self.z: list[NDArray[np.float64]] = []
        self.negatives = 0.0

    def add(self, given: Proposals) -> None:
        """Add the estimate from one draw of the proposals."""
        found: Estimate = self.network.estimate(self.h, self.labels, given)
        examples = np.repeat(np.arange(self.n), np.diff(given.begin))
        self.draws += 1
        self.mean_rows[:, given.shared] += found.shared
        self.mean_rows[examples, given.own] += found.own
        self.mean_rows[np.arange(self.n), self.labels] += found.true
        self.mean_hidden += found.hidden
        own = np.bincount(examples, np.square(found.own), self.n)
        self.squares["rows"] += np.square(found.shared).sum(1) + own + np.square(found.true)
        self.squares["hidden"] += np.square(found.hidden, dtype=np.float64).sum(1)
        self.z.append(np.exp(found.log_z - self.log_z))
        self.negatives += len(given.shared) + len(given.own) / self.n

    def summary(self) -> Record:
        """Return relative bias, its error and relative deviation of both gradients, and of Z."""
        result: Record = {"negatives": self.negatives / self.draws}
        for name, mean, truth in (
            ("hidden", self.mean_hidden / self.draws, self.hidden),
            ("rows", self.mean_rows / np.float32(self.draws), self.rows),
        ):
            # The rows' gradients are (p - y) h.
            scale = np.square(self.h).sum(1) if name == "rows" else np.ones(self.n)
            size = np.square(mean).sum(1, dtype=np.float64)
            variance = (self.squares[name] - self.draws * size) / (self.draws - 1) * scale
            squared = np.square(mean - truth).sum(1, dtype=np.float64) * scale - variance / self.draws
            norm = np.square(truth).sum(1, dtype=np.float64) * scale
            result[f"{name} bias"], result[f"{name} bias error"] = _root_ratio(squared, norm)
            result[f"{name} deviation"] = float(np.sqrt(max(variance.sum(), 0) / norm.sum()))
        z = np.array(self.z)
        by_draw = z.mean(1)
        result["Z"] = float(z.mean())
        result["Z error"] = float(by_draw.std(ddof=1) / np.sqrt(self.draws))
        return result


def _root_ratio(squared: NDArray[np.float64], norm: NDArray[np.float64]) -> tuple[float, float]:
    """Return the signed root of sum(squared) / sum(norm) and its standard error, by the jackknife."""

    def root(a: Any, b: Any) -> Any:
        return np.sign(a) * np.sqrt(np.abs(a) / b)

    n = len(norm)
    left_out = root(squared.sum() - squared, norm.sum() - norm)
    error = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
    return float(root(squared.sum(), norm.sum())), float(error)


def gradients(arguments: argparse.Namespace, report: Report) -> str:
    """Measure every source on one network; return a table."""
    data = load(arguments.folder, arguments.kind, arguments.tokens)
    options = {"seed": 0, "batch": arguments.batch, "width": arguments.width}
    network, done = trained(
        data, Draws(uniform=250, in_batch=True), options, arguments.rates[0], 0.0, arguments.steps
    )
    say(
        f"trained: {done['steps']:,} steps in {done['wall']:.0f} s; "
        + str({k: v for k, v in measured(network, data, 500).items() if k in ("loss", "P@1")})
    )
    compare(data, network, arguments, report)
    head = [
        "source",
        "negatives",
        "Ẑ / Z",
        "±",
        "bias, dh %",
        "±",
        "deviation, dh %",
        "bias, dW %",
        "±",
        "deviation, dW %",
    ]
    lines = []
    for result in report.content["results"]:
        percent = [
            cell(100 * result[f"{g} {what}"], 1)
            for g in ("hidden", "rows")
            for what in ("bias", "bias error", "deviation")
        ]
        z = [cell(result["Z"], 3), cell(result["Z error"], 3)]
        lines.append([result["source"], cell(result["negatives"], 0), *z, *percent])
    return table(head, lines)


def compare(data: NextWords, network: ProposalNetwork, arguments: argparse.Namespace, report: Report) -> None:
    """Add the figures of every source to the report."""
    rng = np.random.default_rng(1)
    points = rng.permutation(data.train)[: arguments.examples]
    features, labels = data.features(points), data.labels(points).astype(np.int64)
    h = network.hidden(features)
    moments = Moments(network, h, labels)
    others_h = network.hidden(data.features(rng.permutation(data.train)[:4096]))
    for name, make in of_gradients(arguments.size, arguments.tables, arguments.hashes).items():
        if arguments.sources and name not in arguments.sources:
            continue
        source = make()
        source.prepare(data, network, 0)
        source.observe(others_h)
        source.build()
        is_law = isinstance(source, HashLaw)
        moments.start()
        found: Proposals | None = None
        for draw in range(arguments.law_draws if is_law else arguments.draws):
            if is_law and draw:
                source.build()
            others = data.labels(data.train[rng.integers(0, len(data.train), arguments.batch - 1)])
            if isinstance(source, Found) and found is not None:  # what is found is always the same
                shared, log_r = source.shared(others.astype(np.int64), arguments.batch - 1, rng)
                found.shared, found.shared_log_q = shared, log_r.astype(np.float32)
            else:
                found = source.propose(h, features, others.astype(np.int64), arguments.batch - 1, rng)
            moments.add(found)
        report.add({"source": name} | moments.summary())
        say(f"{name}: {report.content['results'][-1]}")


LAYER = Layer(64, activation="identity", length=5.0, softness=0.0)
OFTEN = {"negatives": Negatives(uniform=0)}
ALONE = OFTEN | {"active": "per_example", "sampler": Scored(budget=5), "precision": "float32"}
ENGINE: dict[str, Record] = {
    "250 uniform": {},
    "none": OFTEN,
    "1,000 uniform": {"negatives": Negatives(uniform=1000)},
    "5 SimHash, per example": ALONE | {"hash": SIMHASH},
    "5 k-means, per example": ALONE | {"hash": KMEANS},
}


def of_most_frequent(data: NextWords, n_labels: int, points: int, rows: int) -> tuple[Any, ...]:
    """Return X, y, validation X and y of points whose labels are the most frequent ones, drawn at random."""
    kept = np.zeros(data.n_labels, bool)
    kept[np.argsort(-data.counts, kind="stable")[: n_labels or data.n_labels]] = True
    parts = []
    for places, most in ((data.train, points), (data.validation, rows)):
        places = places[kept[data.labels(places)]]
        places = np.sort(np.random.default_rng(0).permutation(places)[:most])
        features = data.features(places)
        begin = np.arange(0, features.size + 1, features.shape[1])
        ids, ones = np.sort(features, axis=1).ravel(), np.ones(features.size, np.float32)
        parts += [csr_matrix((ones, ids, begin), (len(places), data.n_features)), data.labels(places)]
    return tuple(parts)


def train_engine(
    parts: tuple[Any, ...], settings: Record, rate: float, seconds: float, seed: int, steps: int = 0
) -> Record:
    """Train `SlideClassifier`'s network for some seconds, or some steps, and validate it."""
    x, y, x_validation, y_validation = parts
    model = SlideClassifier(LAYER, learning_rate=rate, ranker=False, n_jobs=1, random_state=seed, **settings)
    prepared = prepare(model, x, y)
    size, rng, clock, step = prepared.settings.batch_size, np.random.default_rng(seed), Clock(), 0
    while (progress := step / steps if steps else clock.total / seconds) < 1:
        if step % SUPERBATCH == 0:
            order = rng.integers(0, x.shape[0], (SUPERBATCH, size))
        given = (prepared.data.x, prepared.data.y, order[step % SUPERBATCH], rate * (1 - progress), None, 1)
        clock.run("step", prepared.network.train_batch, *given)
        step += 1
    labels = np.unique(y)
    topk, _ = prepared.network.predict_topk(x_validation, max(KS), 1)
    hits = labels[topk] == y_validation[:, None]
    found = {f"P@{k}": float(hits[:, :k].sum(1).mean() / k) for k in KS}
    return {"steps": step, "examples": step * size, "wall": clock.total, "hits": hits[:, 0]} | found


def engine(arguments: argparse.Namespace, report: Report) -> str:
    """Train the estimator's network with other negatives, by the number of labels; return a table."""
    data = load(arguments.folder, arguments.kind, arguments.tokens)
    lines = []
    for n_labels in arguments.labels:
        parts = of_most_frequent(data, n_labels, arguments.points, arguments.rows)
        for seed in range(arguments.runs):
            first: Record = {}
            for name, settings in ENGINE.items():
                if arguments.sources and name not in arguments.sources:
                    continue
                tried = {
                    rate: train_engine(parts, settings, rate, arguments.tune_seconds, seed)["P@1"]
                    for rate in arguments.rates
                }
                rate = max(tried, key=tried.__getitem__)
                result = train_engine(parts, settings, rate, arguments.seconds, seed)
                again = train_engine(parts, settings, rate, 0, seed, first["steps"]) if first else result
                first = first or result
                d = result["hits"].astype(float) - first["hits"]
                result |= {
                    "equal steps": again["P@1"],
                    "difference": d.mean(),
                    "standard error": d.std() / len(d) ** 0.5,
                    "rate": rate,
                }
                n = len(np.unique(parts[1]))
                plain = {key: value for key, value in result.items() if key != "hits"}
                report.add({"labels": n, "source": name, "run": seed, "tried": tried} | plain)
                say(f"{n:,} labels, {name}: P@1 {result['P@1']:.4f}, rate {rate}, {result['examples']:,}")
        for name in ENGINE:
            if found := report.select(source=name, labels=n):
                figures = [cell(middle(found, f"P@{k}"), 4) for k in KS]
                figures += [
                    cell(middle(found, key), 4) for key in ("difference", "standard error", "equal steps")
                ]
                speed = middle(found, "examples") / middle(found, "wall")
                figures += [cell(speed, 0), cell(middle(found, "rate"), 2)]
                lines.append([f"{n:,}", name, *figures])
    head = ["labels", "besides those of the batch", *(f"P@{k}" for k in KS)]
    head += ["against first", "±", "P@1 at equal steps"]
    return table([*head, "examples/s", "rate"], lines, texts=2)


def ask(arguments: argparse.Namespace, report: Report) -> str:
    """Return what `advise` says of the data, by the number of labels."""
    data, said = load(arguments.folder, arguments.kind, arguments.tokens), []
    for n_labels in arguments.labels:
        x, y, *_ = of_most_frequent(data, n_labels, arguments.points, arguments.rows)
        options = {"examples": arguments.points, "seconds": arguments.seconds, "hidden": 64, "n_jobs": 1}
        advice = advise(x, y, **options, progress=say)
        report.add({"labels": n_labels} | advice.to_dict())
        said += [f"{advice.facts['labels']:,} labels: {advice.verdict}", *advice.reasons, ""]
    return "\n".join(said)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the words are, or are to be built")
    parser.add_argument("what", choices=["gradients", "train", "engine", "advise"])
    parser.add_argument("--kind", choices=["words", "pairs"], default="words", help="10⁶ or 10⁷ labels")
    parser.add_argument("--tokens", type=int, default=0, help="size of the text; 0: all")
    parser.add_argument("--sources", nargs="+", default=[], help="by name; default: all")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--tables", type=int, default=10, help="of LSH by its law")
    parser.add_argument("--hashes", type=int, default=14, help="of a table of LSH by its law")
    of_train = parser.add_argument_group("train")
    of_train.add_argument("--seconds", type=float, default=10.0)
    of_train.add_argument("--equal-steps", type=int, default=0, help="so many steps, whatever they take")
    of_train.add_argument("--tune-seconds", type=float, default=4.0)
    of_train.add_argument("--hard", type=int, default=10, help="labels that an example finds")
    of_train.add_argument("--rows", type=int, default=2000, help="of the validation part")
    of_train.add_argument("--runs", type=int, default=1)
    of_engine = parser.add_argument_group("engine and advise")
    of_engine.add_argument("--labels", type=int, nargs="+", default=[1000, 100_000, 0], help="0: all")
    of_engine.add_argument("--points", type=int, default=4_000_000)
    of_gradient = parser.add_argument_group("gradients")
    of_gradient.add_argument("--steps", type=int, default=4000)
    of_gradient.add_argument("--size", type=int, default=512, help="negatives of an example")
    of_gradient.add_argument("--examples", type=int, default=32)
    of_gradient.add_argument("--draws", type=int, default=200)
    of_gradient.add_argument("--law-draws", type=int, default=25)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    commands = {"gradients": gradients, "train": train, "engine": engine, "advise": ask}
    print(commands[arguments.what](arguments, report))


if __name__ == "__main__":
    main()
