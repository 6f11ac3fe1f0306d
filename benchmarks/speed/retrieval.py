"""How few output neurons have to be scored to find the best labels, and how fast that is.

    python -m benchmarks.speed.retrieval recall --data DIR --model m.hashslide --out recall.json
    python -m benchmarks.speed.retrieval latency --data DIR --model m.hashslide --out latency.json

DIR holds train.txt.gz and test.txt.gz. The model is trained on the former and kept in the file, or read from
it if it exists. Half of the test points tune whatever has settings, the other half is measured.

recall: the share of the exact best label, and of the five best, that are among the neurons scored, against
the share of neurons scored, for every hash family over the trained output neurons and for the learned lists.

latency: time to the top 5 at no less than 99 % of exact P@1 and P@5. The rivals faiss, hnswlib and usearch,
where installed, search the vectors (w, b) with ready-made queries (h, 1): they are not charged for the hidden
layer and know no ranker. hashslide starts from the sparse features. Each rival's effort is the least
that reaches the target. Train with --ranker no for the same scores everywhere.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from hashslide import KMeans, SimHash, SlideClassifier, Top
from hashslide.csr import Csr, as_csr
from hashslide.data import load_xmc
from hashslide.diagnostics import tables
from hashslide.metrics import precision_at_k
from hashslide.network import CandidateSettings, Network
from hashslide.settings import HashFamily
from hashslide.settings.hash_families import HASH_FAMILIES

from ..common.matrices import part_file

K = 5
SHARE = 0.99
HASHES = {name: (7, 10) for name in ("simhash", "sparse_simhash", "fast_simhash")}
HASHES |= {name: (2, 3) for name in ("wta", "dwta", "minhash")}
TABLES = 50
PROBES = (1, 4)
CENTRED = (False, True)
MAPS = (  # from inner products to angles
    {"centre": False},
    {"bias": False},
    {"norm_ranges": 4},
    {"augment": True},
    {"augment": True, "centre_queries": True},
)
CELL_PROBES = (1, 2, 4, 8, 16)
EFFORTS = [2**i for i in range(13)]


class Problem:
    """A trained network, its training data, and tuning and measured halves of the test points."""

    def __init__(self, folder: Path, model_file: Path | None, ranker: str, rows: int, threads: int):
        x, y = load_xmc(part_file(folder, "train"))
        x_test, y_test = load_xmc(part_file(folder, "test"))
        if model_file and model_file.exists():
            model = SlideClassifier.load(model_file)
        else:
            wanted = {"yes": True, "no": False, "auto": "auto"}[ranker]
            settings = {"ranker": wanted, "approximate": True, "n_jobs": threads, "random_state": 0}
            model = SlideClassifier(**settings).fit(x, y)
            if model_file:
                model.save(model_file)
        if not model.network_.has_candidates:
            model.build_approximate(x, y)
        self.model, self.network, self.threads = model, model.network_, threads
        chosen = np.random.default_rng(0).permutation(x_test.shape[0])[: 2 * rows]
        halves = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
        columns = np.asarray(model.classes_, np.int64)
        self.tuning, self.measured = (
            (as_csr(x_test[half]), y_test[half][:, columns].tocsr()) for half in halves
        )

    def exact(self, x: Csr) -> NDArray:
        """Ids of the K best labels."""
        return self.network.predict_topk(x, K, self.threads)[0]


# Recall against share of neurons scored.


class Queries:
    """The measured activations, their exact best labels; activations of other examples for their mean."""

    def __init__(self, problem: Problem):
        network, threads = problem.network, problem.threads
        self.hidden, self.exact = (
            network.hidden(problem.measured[0], threads),
            problem.exact(problem.measured[0]),
        )
        self.seen = network.hidden(problem.tuning[0], threads)
        state = network.state()
        self.weight, self.bias = state["output.weight"], state["output.bias"]


def families() -> Iterator[HashFamily]:
    """Yield the settings of every index."""
    common = {"centre": True, "bucket_size": 0}
    for family, hashes in HASHES.items():
        is_angle = "simhash" in family
        for k, probes, centred in itertools.product(
            hashes, *((PROBES, CENTRED) if is_angle else ((1,), (False,)))
        ):
            settings = {"hashes": k, "tables": TABLES, "probes": probes, "centre_queries": centred}
            yield HASH_FAMILIES[family](**common | settings)
    for options in MAPS:
        settings = {"hashes": 10, "tables": TABLES, "probes": 4, "centre_queries": False}
        yield SimHash(**common | settings | options)
    for n_tables, centred, probes in itertools.product((1, 3), CENTRED, CELL_PROBES):
        yield KMeans(tables=n_tables, probes=probes, centre_queries=centred)


def recall_of_index(problem: Problem, queries: Queries, settings: HashFamily) -> dict:
    """Build an index over the output neurons and look up the queries.

    Every neuron found counts as scored, and every centre. Next to it the recall if only the 1 % of the
    neurons that are found in most tables are scored.
    """
    weight, bias = queries.weight, queries.bias
    start = time.perf_counter()
    index = tables.build_index(settings, weight, bias, queries.seen, n_threads=problem.threads)
    seconds = time.perf_counter() - start
    members = [index.table(t) for t in range(index.n_tables)]
    scored, found, met = 0, np.zeros(queries.exact.shape, bool), np.zeros(len(bias), bool)
    for i, row in enumerate(index.look_up(queries.hidden, problem.threads)):
        met[:] = False
        for table, buckets in zip(members, row, strict=True):
            for bucket in buckets[buckets >= 0].tolist():
                met[table.bucket(bucket)] = True
        scored += met.sum()
        found[i] = met[queries.exact[i]]
    most = Top(budget=max(1, len(bias) // 100))
    begin, ids = tables.selected(most, weight, bias, queries.hidden, index, problem.threads)
    of_most = np.array([np.isin(queries.exact[i], ids[begin[i] : begin[i + 1]]) for i in range(len(found))])
    centres = settings.tables * members[0].n_buckets if isinstance(settings, KMeans) else 0
    record = recall_record(found, scored / len(found) + centres, len(bias))
    return record | {"top1_of_most": of_most[:, 0].mean(), "build_seconds": seconds}


def recall_of_lists(network: Network, x: Csr, exact: NDArray, settings: CandidateSettings) -> dict:
    """Recall of the learned lists; the centres of the cells count as scored neurons."""
    network.candidate_settings = settings
    found = network.predict_topk(x, K, 1, approximate=True)[0]
    hits = (exact[:, :, None] == found[:, None, :]).any(axis=2)
    n_labels = network.config.n_labels
    centres = len(network.state()["candidates.cells.offsets"]) if settings.probes else 0
    scored = min(settings.feature_labels + settings.probes * settings.cell_labels, n_labels)
    return recall_record(hits, scored + centres, n_labels)


def recall_record(found: NDArray, scored: float, n_labels: int) -> dict:
    """Return recall of the best label, of the five best, and the share of neurons scored."""
    return {"top1": found[:, 0].mean(), "top5": found.mean(), "share": scored / n_labels}


def recall(problem: Problem) -> list[dict]:
    """Measure every family and the lists."""
    x, _ = problem.measured
    network, records, queries = problem.network, [], Queries(problem)
    for settings in families():
        record = recall_of_index(problem, queries, settings)
        records.append({"method": settings.name, "settings": vars(settings)} | record)
        print_recall(records[-1])
    root = round(math.sqrt(network.config.n_labels))
    for feature_labels in (0, 16, 32, 64, 128):
        for cell_labels, probes in ((0, 0), (root // 4, 1), (root, 1), (2 * root, 1), (2 * root, 4)):
            if feature_labels + cell_labels == 0:
                continue
            settings = CandidateSettings(feature_labels, cell_labels, probes)
            record = recall_of_lists(network, x, queries.exact, settings)
            records.append({"method": "learned lists", "settings": vars(settings)} | record)
            print_recall(records[-1])
    return records


def print_recall(record: dict) -> None:
    """Print one line of the table."""
    kind = HASH_FAMILIES.get(record["method"], SimHash)
    usual = vars(kind()) | {"centre": True, "centre_queries": False, "bucket_size": 0}
    shown = ", ".join(f"{k} {v}" for k, v in record["settings"].items() if usual.get(k) != v)
    figures = " | ".join(f"{record[name]:.1%}" for name in ("top1", "top5", "top1_of_most") if name in record)
    print(f"| {record['method']} | {shown} | {record['share']:.2%} | {figures} |", flush=True)


# Latency at the target.


class Rival:
    """A search over vectors: search(index, queries, effort, threads) gives ids (n, K).

    augmented: of vectors made equally long by one more coordinate, sqrt(M^2 - |v|^2) against 0, the nearest
    ones have the largest inner products (Bachrach et al. 2014); graphs often search them better.
    """

    def __init__(self, name: str, build: Callable, search: Callable, augmented: bool = False):
        self.name, self.build, self.search, self.augmented = name, build, search, augmented

    def vectors(self, vectors: NDArray) -> NDArray:
        """Return the vectors that are indexed."""
        if not self.augmented:
            return vectors
        squares = np.square(vectors, dtype=np.float64).sum(axis=1)
        return np.column_stack([vectors, np.sqrt(squares.max() - squares).astype(np.float32)])

    def queries(self, queries: NDArray) -> NDArray:
        """Return the queries for them."""
        if not self.augmented:
            return queries
        return np.column_stack([queries, np.zeros(len(queries), np.float32)])


def faiss_ivf() -> Rival:
    """4 sqrt(n) cells, inner product."""
    import faiss

    def build(vectors: NDArray, threads: int):
        faiss.omp_set_num_threads(threads)
        n_cells = round(4 * math.sqrt(len(vectors)))
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(vectors.shape[1]), vectors.shape[1], n_cells, faiss.METRIC_INNER_PRODUCT
        )
        index.train(vectors)
        index.add(vectors)
        return index

    def search(index, queries: NDArray, effort: int, threads: int) -> NDArray:
        faiss.omp_set_num_threads(threads)
        index.nprobe = min(effort, index.nlist)
        return index.search(queries, K)[1]

    return Rival("faiss IVF-Flat", build, search)


def faiss_hnsw(augmented: bool) -> Rival:
    """M = 32, efConstruction = 200."""
    import faiss

    def build(vectors: NDArray, threads: int):
        faiss.omp_set_num_threads(threads)
        metric = faiss.METRIC_L2 if augmented else faiss.METRIC_INNER_PRODUCT
        index = faiss.IndexHNSWFlat(vectors.shape[1], 32, metric)
        index.hnsw.efConstruction = 200
        index.add(vectors)
        return index

    def search(index, queries: NDArray, effort: int, threads: int) -> NDArray:
        faiss.omp_set_num_threads(threads)
        index.hnsw.efSearch = max(effort, K)
        return index.search(queries, K)[1]

    return Rival(named("faiss HNSW", augmented), build, search, augmented)


def hnswlib_rival(augmented: bool) -> Rival:
    """M = 32, ef_construction = 200."""
    import hnswlib

    def build(vectors: NDArray, threads: int):
        index = hnswlib.Index("l2" if augmented else "ip", vectors.shape[1])
        index.init_index(len(vectors), ef_construction=200, M=32, random_seed=0)
        index.add_items(vectors, num_threads=threads)
        return index

    def search(index, queries: NDArray, effort: int, threads: int) -> NDArray:
        index.set_ef(max(effort, K))
        return index.knn_query(queries, K, num_threads=threads)[0].astype(np.int64)

    return Rival(named("hnswlib", augmented), build, search, augmented)


def usearch_rival(augmented: bool) -> Rival:
    """connectivity = 32, expansion_add = 200, float32."""
    from usearch.index import Index

    def build(vectors: NDArray, threads: int):
        metric = "l2sq" if augmented else "ip"
        index = Index(ndim=vectors.shape[1], metric=metric, dtype="f32", connectivity=32, expansion_add=200)
        index.add(np.arange(len(vectors)), vectors, threads=threads)
        return index

    def search(index, queries: NDArray, effort: int, threads: int) -> NDArray:
        index.expansion_search = max(effort, K)
        keys = np.asarray(index.search(queries, K, threads=threads).keys, np.int64)
        return keys.reshape(len(queries), K)

    return Rival(named("usearch", augmented), build, search, augmented)


def named(name: str, augmented: bool) -> str:
    """Return the name of a variant."""
    return f"{name}, {'augmented' if augmented else 'inner product'}"


def installed_rivals(wanted: list[str]) -> Iterator[Rival]:
    """Yield the rivals with one of these words in their name whose package is there."""
    makers = [faiss_ivf]
    for graph in (faiss_hnsw, hnswlib_rival, usearch_rival):
        makers += [lambda g=graph: g(False), lambda g=graph: g(True)]
    for make in makers:
        try:
            rival = make()
        except ImportError as error:
            print(f"left out: {error}")
            continue
        if any(word in rival.name for word in wanted):
            yield rival


def shares(found: NDArray, exact: NDArray, y: sparse.csr_matrix) -> tuple[float, float]:
    """Return P@1 and P@K as shares of the exact ones."""
    return tuple(precision_at_k(y, found, k) / precision_at_k(y, exact, k) for k in (1, K))


def seconds_each(calls: list[Callable], repeats: int = 3) -> float:
    """Return the median over all calls of the best of some rounds, after one round that warms up."""
    rounds = []
    for _ in range(repeats + 1):
        times = []
        for call in calls:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        rounds.append(times)
    return median(np.min(rounds[1:], axis=0))


def measure(name: str, search: Callable, items: tuple[list, object], n: int, **more) -> dict:
    """Time single rows and the batch."""
    singles, batch = items
    one = seconds_each([lambda item=item: search(item) for item in singles])
    many = seconds_each([lambda: search(batch)]) / n
    print(
        f"| {name} | {more.get('effort', '')} | {more.get('share1', 1):.2%} | {more.get('share5', 1):.2%} |",
        end="",
    )
    print(f" {1e6 * one:,.0f} | {1e6 * many:,.1f} |", flush=True)
    return {"method": name, "single_us": 1e6 * one, "batch_us": 1e6 * many} | more


def latency(problem: Problem, n_single: int, rivals: list[str]) -> list[dict]:
    """Measure all methods, one after the other, in this process."""
    network, threads = problem.network, problem.threads
    (x_tune, y_tune), (x, y) = problem.tuning, problem.measured
    state = network.state()
    vectors = np.column_stack([state["output.weight"], state["output.bias"]])
    exact = problem.exact(x)

    def queries(of: Csr) -> NDArray:
        return np.column_stack([network.hidden(of, threads), np.ones(of.n_rows, np.float32)])

    q, q_tune, n = queries(x), queries(x_tune), x.n_rows
    rows = [x.block(i, i + 1) for i in range(min(n_single, n))], x
    points = [q[i : i + 1] for i in range(min(n_single, n))], q
    records = []
    with threadpool_limits(threads, user_api="blas"):
        records.append(measure("NumPy product", lambda h: numpy_topk(vectors, h), points, n))
    records.append(measure("hashslide, exact", lambda r: network.predict_topk(r, K, threads), rows, n))
    report = problem.model.tune_approximate(x_tune, y_tune, K, SHARE)
    found = network.predict_topk(x, K, threads, approximate=True)[0]
    share1, share5 = shares(found, exact, y)
    setting = "/".join(str(report[name]) for name in ("feature_labels", "cell_labels", "probes"))
    more = {"effort": setting, "share1": share1, "share5": share5}
    search = lambda r: network.predict_topk(r, K, threads, approximate=True)  # noqa: E731
    records.append(measure("hashslide, approximate", search, rows, n, **more))
    plain = numpy_topk(vectors, q), numpy_topk(vectors, q_tune)
    for rival in installed_rivals(rivals):
        start = time.perf_counter()
        index = rival.build(rival.vectors(vectors), threads)
        seconds = time.perf_counter() - start
        mine, mine_tune = rival.queries(q), rival.queries(q_tune)
        points = [mine[i : i + 1] for i in range(min(n_single, n))], mine
        for effort in EFFORTS:
            if min(shares(rival.search(index, mine_tune, effort, threads), plain[1], y_tune)) >= SHARE:
                break
        share1, share5 = shares(rival.search(index, mine, effort, threads), plain[0], y)
        more = {"effort": effort, "share1": share1, "share5": share5, "build_seconds": seconds}
        search = lambda h, r=rival, i=index, e=effort: r.search(i, h, e, threads)  # noqa: E731
        records.append(measure(rival.name, search, points, n, **more))
    return records


def numpy_topk(vectors: NDArray, queries: NDArray) -> NDArray:
    """Return the ids of the K largest products, best first, by blocks of rows."""
    parts = []
    for i in range(0, len(queries), 256):
        z = queries[i : i + 256] @ vectors.T
        best = np.argpartition(z, -K, axis=1)[:, -K:]
        order = np.argsort(-np.take_along_axis(z, best, 1), axis=1)
        parts.append(np.take_along_axis(best, order, 1))
    return np.concatenate(parts)


def main() -> None:
    """Measure, print a Markdown table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("recall", "latency"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument(
        "--ranker", choices=("yes", "no", "auto"), default="auto", help="of a model that is trained here"
    )
    parser.add_argument("--rows", type=int, default=2000, help="test points of each half")
    parser.add_argument("--single", type=int, default=500, help="of them timed one by one")
    parser.add_argument(
        "--rivals", nargs="+", default=[""], help="words of their names, such as IVF augmented; default: all"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    problem = Problem(arguments.data, arguments.model, arguments.ranker, arguments.rows, arguments.threads)
    if arguments.what == "recall":
        print("| method | settings | neurons scored | top-1 | top-5 | top-1 in the 1 % found most |")
        print("| :-- | :-- | --: | --: | --: | --: |")
        records = recall(problem)
    else:
        print("| method | effort | P@1 | P@5 | one row, µs | row of a batch, µs |")
        print("| :-- | :-- | --: | --: | --: | --: |")
        records = latency(problem, arguments.single, arguments.rivals)
    if arguments.out:
        config = problem.network.config
        about = {"data": arguments.data.name, "n_labels": config.n_labels, "width": config.width}
        about |= {"ranker": problem.network.has_ranker, "threads": arguments.threads}
        arguments.out.write_text(json.dumps(about | {"records": records}, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
