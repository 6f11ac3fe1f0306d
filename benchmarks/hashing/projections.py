"""Do projections that are learned from pairs (query, right neuron) find more than random ones?

    python -m benchmarks.hashing.projections --data debian-depends npm-deps-2016 wordnet-hypernyms

On the output neurons of a trained network, and on queries of validation rows. Every method makes the same
number of tables from signs of as many projections. What differs is where the directions come from:

- random: SimHash, with the queries as they are; with `centre_queries`, which is how all others map neurons
  and queries before they project; and with `centre` and `augment` too
- ITQ: a rotation of the principal directions of neurons and queries that loses least by taking signs (Gong &
  Lazebnik 2011); turned at random for each further set of bits
- balanced: random in the coordinates in which neurons and queries have the same second moments, the
  geometric mean of both
- pairs: random within the directions in which queries and their right neurons covary (SVD of the
  cross-covariance of whitened pairs), weighted by how much
- learned: gradient descent on the bits' agreement, tanh for signs: the right neuron has to agree with its
  query more than the other neurons of the batch (MONGOOSE, Chen et al. 2021, with a softmax for its triplets)

and k-means cells, which are probed more or less often. The codes' length K varies how many neurons are found:
the table holds the share of the right and of the five best neurons that are found where 1 % of the neurons
are read, by interpolation. Projections are learned on rows that the network was trained on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import KMeans, SlideClassifier
from hashslide.diagnostics.tables import build_index
from hashslide.reference.tables import MipsMap

from ..common.harness import Record, Report, cell, middle, say, stored, table
from ..common.matrices import load_matrices
from ..common.processes import fresh

Matrix = NDArray[np.float32]
LENGTHS = (4, 6, 8, 10, 12, 14, 16)
PROBES = (1, 2, 4, 8, 16, 32)
BEST, READ = 5, 0.01
PAIRS = 20_000  # at most, that a method learns from


def gaussian(n: int, width: int, seed: int) -> Matrix:
    """Return n random directions (n, width)."""
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def scaled(vectors: Matrix) -> Matrix:
    """Return vectors of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def power(moment: Matrix, exponent: float) -> Matrix:
    """Return a power of a symmetric positive matrix; its smallest eigenvalues are raised."""
    values, axes = np.linalg.eigh(moment.astype(np.float64))
    values = np.maximum(values, 1e-4 * values[-1])
    return (axes * values**exponent @ axes.T).astype(np.float32)


def random_directions(n: int, neurons: Matrix, queries: Matrix, right: Matrix, seed: int) -> Any:
    """SimHash."""
    directions = gaussian(n, neurons.shape[1], seed)
    return directions, directions


def itq(n: int, neurons: Matrix, queries: Matrix, right: Matrix, seed: int) -> Any:
    """Rotations of the principal directions, by iterative quantization."""
    both = np.concatenate([scaled(neurons), scaled(queries)])
    width = both.shape[1]
    parts = []
    for i in range(-(-n // width)):
        turn = np.linalg.qr(gaussian(width, width, seed + i))[0]
        for _ in range(20):
            left, _, back = np.linalg.svd(np.sign(both @ turn).T @ both)
            turn = (left @ back).T
        parts.append(turn.T)
    directions = np.concatenate(parts)[:n]
    return directions, directions


def balanced(n: int, neurons: Matrix, queries: Matrix, right: Matrix, seed: int) -> Any:
    """A x for neurons and A^-T h for queries, which keeps the inner products, with equal second moments."""
    of_neurons, of_queries = (v.T @ v / len(v) for v in (neurons, queries))
    root, back = power(of_neurons, 0.5), power(of_neurons, -0.5)
    mean = back @ power(root @ of_queries @ root, 0.5) @ back  # A^T A
    forward, inverse = power(mean, 0.5), power(mean, -0.5)
    directions = gaussian(n, neurons.shape[1], seed)
    return directions @ forward, directions @ inverse


def paired(n: int, neurons: Matrix, queries: Matrix, right: Matrix, seed: int) -> Any:
    """Canonical directions of queries and their right neurons."""
    from_right, from_query = (power(v.T @ v / len(v), -0.5) for v in (right, queries))
    left, strength, back = np.linalg.svd(from_right @ (right.T @ queries / len(right)) @ from_query)
    directions = gaussian(n, neurons.shape[1], seed) * np.sqrt(strength)
    return directions @ left.T @ from_right, directions @ back @ from_query


def learned(n: int, neurons: Matrix, queries: Matrix, right: Matrix, seed: int) -> Any:
    """Directions by gradient descent, from random ones."""
    import torch

    torch.manual_seed(seed)
    scale = float(np.sqrt(neurons.shape[1]))
    directions = torch.tensor(gaussian(n, neurons.shape[1], seed) / scale, requires_grad=True)
    h, w = (torch.tensor(scale * scaled(v)) for v in (queries, right))
    optimizer = torch.optim.Adam([directions], 3e-3)
    for _ in range(400):
        rows = torch.randint(len(h), (256,))
        bits = [torch.tanh(v[rows] @ directions.T) for v in (h, w)]
        agreement = bits[0] @ bits[1].T * (20 / n)
        same = (w[rows][:, None, :8] == w[rows][None, :, :8]).all(dim=2)  # the same right neuron twice
        same.fill_diagonal_(False)
        loss = torch.nn.functional.cross_entropy(agreement.masked_fill(same, -1e9), torch.arange(256))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = directions.detach().numpy()
    return found, found


CENTRED = {"centre_queries": True}
EQUALLY_LONG = {"centre_queries": True, "centre": True, "augment": True}
METHODS: dict[str, tuple[dict[str, bool], Callable[..., Any]]] = {
    "random, queries as they are": ({}, random_directions),
    "random, queries centred": (CENTRED, random_directions),
    "random, all centred and equally long": (EQUALLY_LONG, random_directions),
    "ITQ": (CENTRED, itq),
    "balanced": (CENTRED, balanced),
    "pairs": (CENTRED, paired),
    "learned": (CENTRED, learned),
}
CELLS = "k-means cells"


def trained(folder: str, options: Record, seed: int) -> Record:
    """Train a network; return its output neurons, queries of both parts and their right neurons."""
    X, Y = load_matrices(Path(folder), "train")
    model = SlideClassifier(
        ranker=False, epochs=options["epochs"], n_jobs=options["threads"], random_state=seed
    )
    model.fit(X, Y)
    network = model.network_
    weight, bias = network.label_rows(np.arange(Y.shape[1]))
    rng = np.random.default_rng(seed)
    X_validation, Y_validation = load_matrices(Path(folder), "validation")
    has_label = np.flatnonzero(np.diff(Y_validation.indptr))[: options["queries"]]
    chosen = rng.permutation(np.flatnonzero(np.diff(Y.indptr)))[:PAIRS]
    right = np.array([rng.choice(Y.indices[Y.indptr[i] : Y.indptr[i + 1]]) for i in chosen])
    return {
        "weight": weight,
        "bias": bias,
        "pairs": (network.hidden(X[chosen], options["threads"]), right),
        "queries": network.hidden(X_validation[has_label], options["threads"]),
        "right": [Y_validation[i].indices for i in has_label],
    }


def buckets_of(bits: NDArray[np.bool_], tables: int, length: int) -> NDArray[np.int64]:
    """Return the first `length` bits of each table's as numbers (n, tables)."""
    of_table = bits.reshape(len(bits), tables, -1)[:, :, :length]
    return of_table @ (1 << np.arange(length, dtype=np.int64))


def judge(data: Record, read: Callable[[int], NDArray[np.bool_]]) -> tuple[float, float, float]:
    """Return the share of all neurons that are read, and of the right and the best ones found among them."""
    shares = np.zeros(3)
    for i, (h, right) in enumerate(zip(data["queries"], data["right"], strict=True)):
        seen = read(i)
        best = np.argpartition(-(data["weight"] @ h + data["bias"]), BEST)[:BEST]
        shares += seen.mean(), seen[right].mean(), seen[best].mean()
    return tuple((shares / len(data["right"])).tolist())


def at_read(points: list[tuple[float, float, float]]) -> Record:
    """Return the shares found where READ of the neurons are read."""
    read, right, best = np.array(sorted(points)).T
    place = np.log(np.maximum(read, 1e-9))
    return {
        "right": float(np.interp(np.log(READ), place, right)),
        "best": float(np.interp(np.log(READ), place, best)),
    }


def measure(folder: str, options: Record, seed: int) -> Record:
    """Measure every method on one trained network; runs in a process of its own."""
    data, tables = trained(folder, options, seed), options["tables"]
    weight, bias, (h, right) = data["weight"], data["bias"], data["pairs"]
    is_trained = (weight != 0).any(axis=1)
    found: Record = {}
    for name, (mapping, method) in METHODS.items():
        begin = time.process_time()
        mips = MipsMap(weight.shape[1], **mapping)
        mips.observe(h)
        mips.fit(weight, bias)
        neurons, _ = mips.neurons(weight, bias)
        queries, seen = mips.queries(h), mips.queries(data["queries"])
        n = tables * max(LENGTHS)
        of_neurons, of_queries = method(n, neurons[is_trained], queries, neurons[right], seed)
        seconds = time.process_time() - begin
        bits = [vectors @ d.T > 0 for vectors, d in ((neurons, of_neurons), (seen, of_queries))]
        points = []
        for length in LENGTHS:
            stored_in, asked = (buckets_of(b, tables, length) for b in bits)
            points.append(judge(data, lambda i: (stored_in == asked[i]).any(axis=1) & is_trained))  # noqa: B023
        found[name] = at_read(points) | {"seconds": seconds}
        say(f"{name}: {found[name]}, {points}")
    begin = time.process_time()
    cells = KMeans(centre=True, centre_queries=True, probes=max(PROBES))
    index = build_index(cells, weight, bias, h, seed=seed, n_threads=options["threads"])
    asked, stored_in = index.look_up(data["queries"], 1)[:, 0], index.table(0).buckets
    points = [judge(data, lambda i: np.isin(stored_in, asked[i, :p])) for p in PROBES]  # noqa: B023
    found[CELLS] = at_read(points) | {"seconds": time.process_time() - begin}
    say(f"{CELLS}: {found[CELLS]}, {points}")
    return found


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", nargs="+", type=Path, required=True, help="folders of train.txt.gz or train.txt"
    )
    parser.add_argument("--examples", type=int, default=40_000, help="size of the training part; 0: all")
    parser.add_argument("--validation", type=int, default=2_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    options = {k: v for k, v in vars(arguments).items() if isinstance(v, int)}
    for seed in range(arguments.runs):
        for folder in arguments.data:
            with stored(folder, arguments.examples, arguments.validation) as parts:
                for name, result in fresh(measure, parts, options, seed).items():
                    report.add({"data": folder.name, "method": name, "run": seed} | result)
    lines = []
    for name in [*METHODS, CELLS]:
        cells = []
        for folder in arguments.data:
            done = report.select(data=folder.name, method=name)
            cells += [cell(middle(done, key), d) for key, d in (("right", 3), ("best", 3), ("seconds", 1))]
        lines.append([name, *cells])
    head = [f"{f.name}: {what}" for f in arguments.data for what in ("right", f"best {BEST}", "CPU s")]
    print(table(["directions", *head], lines))


if __name__ == "__main__":
    main()
