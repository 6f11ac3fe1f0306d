"""What the hash tables of a model's layers hold and find: `hashslide inspect MODEL --tables`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import _core
from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.precision import to_float32
from hashslide.reference.rng import mix
from hashslide.settings import CustomHash, Sampler
from hashslide.settings.base import own_values
from hashslide.settings.hash_families import HASH_FAMILIES, Hash, TableFamily
from hashslide.settings.plain import to_plain

__all__ = [
    "LayerTables",
    "Occupancy",
    "Recall",
    "active_share",
    "build_index",
    "hashed_layers",
    "occupancy",
    "queries_of",
    "recall",
    "selected",
    "what_if",
]


def __dir__() -> list[str]:
    return __all__


RANKS = (1, 5)  # of the true best neurons that are looked for
MOST_PROBES, MOST_PROBES_OF_ONE = 16, 64  # in each table; where there is one table
_QUERIES_AT_ONCE = 64
Queries: TypeAlias = NDArray[np.float32] | csr_matrix


@dataclass(frozen=True)
class LayerTables:
    """A layer with hash tables over its neurons.

    Attributes
    ----------
    name : str
        "hidden0", "hidden1", ... or "output".
    sampler : Sampler or None
        How the layer chooses among what it finds; None for tables that it does not have.
    hash : TableFamily
    weight : float32 array of shape (neurons, width)
    bias : float32 array of shape (neurons,)
    index : `_core.NeuronIndex`
        With more probes than the layer makes.
    own_index : `_core.NeuronIndex` or None
        As the layer uses it; None for tables that it does not have.
    """

    name: str
    sampler: Sampler | None
    hash: TableFamily
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    index: "_core.NeuronIndex"
    own_index: "_core.NeuronIndex | None" = None


@dataclass(frozen=True)
class Occupancy:
    """How the neurons of a layer lie in its buckets.

    Attributes
    ----------
    neurons, tables, buckets : int
        Buckets of one table.
    built : bool
        False: the training ended before the first build; everything else is 0.
    used : float
        Share of the buckets that hold a neuron.
    mean, median, p99 : float
        Size of a bucket that does.
    largest : int
    full : float
        Share of the neurons that are in a bucket with more members than a look-up sees.
    collisions : float
        Chance that two neurons are in the same bucket of a table; 1 / buckets is the least.
    histogram : list of (int, int)
        Buckets of at least 0, 1, 2, 4, 8, ... members, and fewer than the next.
    memory_bytes : int
    """

    neurons: int
    tables: int
    buckets: int
    built: bool
    used: float
    mean: float
    median: float
    p99: float
    largest: int
    full: float
    collisions: float
    histogram: list[tuple[int, int]]
    memory_bytes: int


@dataclass(frozen=True)
class Recall:
    """What the look-ups in some of the tables find.

    Attributes
    ----------
    tables, probes : int
        The first tables, and buckets in each (in each norm range).
    recall : dict of int to float
        Share of the true best k neurons (by inner product and bias) that are found.
    scored : float
        Share of the neurons that are found, and so have to be scored.
    """

    tables: int
    probes: int
    recall: dict[int, float]
    scored: float


def hashed_layers(network: Network) -> Iterator[LayerTables]:
    """Yield the layers of a network that have hash tables, from the input to the output.

    Raises
    ------
    InputError
        A layer has a hash family written in Python, or that of a file from which it was not restored.
    """
    for i in range(len(network.config.hidden) + 1):
        layer = _tables_of(network, i)
        if layer is not None:
            yield layer


def _tables_of(network: Network, i: int) -> LayerTables | None:
    """Return the tables of layer i, the output being the last, if it has any."""
    config = network.config
    is_output = i == len(config.hidden)
    layer = config if is_output else config.hidden[i]
    if not isinstance(layer.hash, TableFamily):
        return None
    name = "output" if is_output else f"hidden{i}"
    seed = config.seed if is_output else int(mix(np.uint64(config.seed) ^ np.uint64(i + 1)))
    return _restored(name, layer.sampler, layer.hash, network.state("weight", "tables"), seed)


def what_if(
    network: Network, family: TableFamily | str, queries: Queries | None = None, n_threads: int = 1
) -> LayerTables:
    """Return the tables that a family would have over the output layer.

    Parameters
    ----------
    network : Network
    family : TableFamily, or the name of one for its default settings
    queries : float32 array of shape (n, width), optional
        Activations by whose mean queries are centred, where the family does that; without them, they are not.
    n_threads : int
    """
    settings: TableFamily = Hash(HASH_FAMILIES).check("hash", family)
    state = network.state("weight")
    weight, bias = to_float32(state["output.weight"]), state["output.bias"]
    wide = replace(settings, probes=_most_probes(settings))
    index = build_index(wide, weight, bias, queries, seed=network.config.seed, n_threads=n_threads)
    return LayerTables("output", None, settings, weight, bias, index)


def build_index(
    settings: TableFamily,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    queries: Queries | None = None,
    *,
    seed: int = 0,
    n_threads: int = 1,
) -> "_core.NeuronIndex":
    """Return hash tables of some neurons.

    Parameters
    ----------
    settings : TableFamily
    weight : float32 array of shape (neurons, width)
    bias : float32 array of shape (neurons,)
    queries : float32 array of shape (n, width), optional
        As in `what_if`.
    seed : int
    n_threads : int
    """
    index = _new_index(settings, weight.shape, seed, settings.probes)
    if queries is not None:
        index.observe(queries)
    index.build(weight, bias, n_threads)
    return index


def _most_probes(settings: TableFamily) -> int:
    return MOST_PROBES_OF_ONE if getattr(settings, "tables", 0) == 1 else MOST_PROBES


def _restored(
    name: str, sampler: Sampler | None, settings: TableFamily, state: dict[str, NDArray[Any]], seed: int
) -> LayerTables:
    weight, bias = to_float32(state[f"{name}.weight"]), state[f"{name}.bias"]
    prefix = f"{name}.index."
    saved = {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}
    most = max(settings.probes, _most_probes(settings))
    indexes = [_new_index(settings, weight.shape, seed, probes) for probes in (most, settings.probes)]
    for index in indexes:
        if saved:
            index.restore(saved, 1)
    return LayerTables(name, sampler, settings, weight, bias, *indexes)


def _new_index(settings: TableFamily, shape: tuple[int, int], seed: int, probes: int) -> "_core.NeuronIndex":
    if isinstance(settings, CustomHash):
        name = to_plain(settings.family)
        raise InputError(f"the hash family {name} is written in Python; only built-in ones can be inspected.")
    values = own_values(settings) | {"centre_queries": settings.centres_queries(shape[1]), "probes": probes}
    return _core.NeuronIndex(*shape, seed, family=settings.name, **values)


def occupancy(layer: LayerTables) -> Occupancy:
    """Return how the neurons lie in the buckets."""
    index, n = layer.index, len(layer.bias)
    limit = layer.hash.bucket_size or n
    sizes = [index.table(t).sizes for t in range(index.n_tables)]
    size = np.concatenate(sizes).astype(np.int64)
    held = size[size > 0] if size.any() else np.zeros(1, np.int64)
    pairs = max(1, n * (n - 1)) * len(sizes)
    edges = [0, *(2**i for i in range(int(held.max()).bit_length() + 1))]
    counts = np.histogram(size, [*edges])[0]
    return Occupancy(
        neurons=n,
        tables=len(sizes),
        buckets=len(sizes[0]),
        built=index.ready,
        used=float((size > 0).mean()),
        mean=float(held.mean()),
        median=float(np.median(held)),
        p99=float(np.percentile(held, 99)),
        largest=int(held.max()),
        full=float(held[held > limit].sum() / max(1, held.sum())),
        collisions=float((size * (size - 1)).sum() / pairs),
        histogram=[(edge, int(count)) for edge, count in zip(edges, counts, strict=False)],
        memory_bytes=index.memory_bytes,
    )


def queries_of(network: Network, X: Any) -> dict[str, Queries]:
    """Return what each layer with a sampler gets from some examples: what it hashes to look them up.

    Parameters
    ----------
    network : Network
    X : array-like or sparse matrix of shape (n, n_features)

    Returns
    -------
    dict of layer name to float32 array of shape (n, width of the layer before)
        The scaled features, a CSR matrix, for a first layer with a sampler.
    """
    x, layers = as_csr(X), network.config.hidden
    result: dict[str, Queries] = {"output": network.hidden(x)}
    result |= {f"hidden{i}": network.hidden(x, layers=i) for i in range(1, len(layers))}
    if not layers[0].is_dense:
        values = x.values * np.float32(network.config.input_scale)
        result["hidden0"] = csr_matrix((values, x.indices, x.indptr), (len(x.indptr) - 1, x.n_columns))
    return result


def selected(
    sampler: Sampler,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    queries: Queries,
    index: "_core.NeuronIndex | None" = None,
    n_threads: int = 1,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (begin, ids): a sampler chooses the neurons ids[begin[q] : begin[q + 1]] for query q."""
    values = own_values(sampler) | {"index": index, "n_threads": n_threads}
    return _core.sample(sampler.name, weight, bias, _for_core(queries), **values)


def _for_core(queries: Queries) -> Any:
    """Return a matrix as the core takes it: an array, or the parts of CSR."""
    if isinstance(queries, np.ndarray):
        return queries
    return queries.indptr.astype(np.int64), queries.indices.astype(np.int32), queries.data


def recall(layer: LayerTables, queries: Queries) -> list[Recall]:
    """Return what look-ups find: in 1, 2, 4, ... tables, then in all of them with 2, 4, 8, ... probes.

    Against the true best neurons of the layer, by the inner product with the query and the bias. Each sees of
    a bucket what the layer's bucket size allows. O(queries x neurons).

    Parameters
    ----------
    layer : LayerTables
    queries : float32 array or CSR matrix of shape (n, width)
        See `queries_of`.
    """
    index, n = layer.index, len(layer.bias)
    ranges = layer.hash.norm_ranges
    grid = [(t, 1) for t in _powers(index.n_tables)]
    grid += [(index.n_tables, p) for p in _powers(index.probes // ranges)[1:]]
    tables = [index.table(t) for t in range(index.n_tables)]
    found, scored = np.zeros((len(grid), len(RANKS))), np.zeros(len(grid))
    seen = np.zeros(n, bool)
    n_queries = queries.shape[0]
    for first in range(0, n_queries, _QUERIES_AT_ONCE):
        part = queries[first : first + _QUERIES_AT_ONCE]
        best = _best(layer, part)
        found_buckets = cast("NDArray[np.int32]", index.look_up(_for_core(part), 1))
        for buckets, truth in zip(found_buckets, best, strict=True):
            seen[:] = False
            met: set[tuple[int, int]] = set()
            for g, (n_tables, n_probes) in enumerate(grid):
                for t in range(n_tables):
                    for b in buckets[t, : n_probes * ranges].tolist():
                        if b >= 0 and (t, b) not in met:
                            met.add((t, b))
                            seen[tables[t].bucket(b)] = True
                scored[g] += seen.sum()
                found[g] += [seen[truth[:k]].mean() for k in RANKS]
    found, scored = found / max(1, n_queries), scored / max(1, n_queries * n)
    return [
        Recall(t, p, dict(zip(RANKS, map(float, found[g]), strict=True)), float(scored[g]))
        for g, (t, p) in enumerate(grid)
    ]


def _best(layer: LayerTables, queries: Queries) -> NDArray[np.int64]:
    """Return the true best neurons of each query, best first."""
    z = queries @ layer.weight.T + layer.bias
    k = min(max(RANKS), z.shape[1])
    best = np.argpartition(-z, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(z, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def _powers(most: int) -> list[int]:
    """Return 1, 2, 4, ... and `most`."""
    return sorted({min(2**i, most) for i in range(most.bit_length() + 1)})


def active_share(layer: LayerTables, queries: Queries) -> float:
    """Return the mean share of the neurons that the layer's sampler chooses for an example."""
    assert layer.sampler is not None
    _, ids = selected(layer.sampler, layer.weight, layer.bias, queries, layer.own_index)
    return len(ids) / max(1, queries.shape[0] * len(layer.bias))
