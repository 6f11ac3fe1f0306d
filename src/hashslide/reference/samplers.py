"""The samplers and the estimators of the partition function in NumPy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.reference.rng import CounterRng

__all__ = ["LOOK_UPS", "inclusion_probability", "log_partition", "sample", "table_order"]


def __dir__() -> list[str]:
    return __all__


LOOK_UPS = ("vanilla", "top", "threshold", "scored")

# The ids that one query finds: by table, by probe.
_Found = list[list[NDArray[Any]]]


def sample(
    kind: str,
    weight: NDArray[Any],
    bias: NDArray[Any],
    queries: NDArray[Any],
    found: list[_Found] | None = None,
    *,
    budget: int = 0,
    min_count: int = 2,
    alpha: float = 1.0,
    beta: float = 0.0,
    uncounted: list[NDArray[Any]] | None = None,
    seed: int = 0,
    step: int = 0,
    same_draws: bool = False,
) -> list[list[int]]:
    """Neurons of each query in the order of choice. found: None: there are no tables yet.

    uncounted: neurons of each query that do not count towards the budget. same_draws: all queries draw the
    same random numbers, so that what one finds does not depend on its place.
    """
    rng, chosen = CounterRng(seed, "sampler", step), []
    for q, query in enumerate(queries):
        number = 0 if same_draws else q
        if kind in LOOK_UPS:
            z = weight @ query + bias
            ids = [] if found is None else _look_up(kind, found[q], z, min_count, rng, number)
        else:
            ids = _reference(kind, weight @ query + bias, budget, alpha, beta, rng, number)
        ids = list(dict.fromkeys(ids))
        if budget and kind not in ("all", "uniform", "standout"):
            ids = _within(budget, ids, set() if uncounted is None else set(uncounted[q].tolist()))
        chosen.append(ids)
    return chosen


def _within(budget: int, ids: list[int], uncounted: set[int]) -> list[int]:
    """The first ids, as many as the budget allows."""
    counted = [i for i in ids if i not in uncounted]
    return ids if len(counted) < budget else ids[: ids.index(counted[budget - 1]) + 1]


def _draws(query: int, draws: ArrayLike) -> NDArray[Any]:
    return np.uint64(query << 32) | np.asarray(draws, np.uint64)


def _look_up(
    kind: str, found: _Found, z: NDArray[Any], min_count: int, rng: CounterRng, query: int
) -> list[int]:
    if kind == "vanilla":
        return [i for t in table_order(len(found), rng, query) for ids in found[t] for i in ids.tolist()]
    ids, counts = np.unique(np.concatenate([ids for table in found for ids in table]), return_counts=True)
    if kind == "scored":
        return _best_first(ids, z[ids])
    enough = counts >= (min_count if kind == "threshold" else 1)
    return _best_first(ids[enough], counts[enough])


def _reference(
    kind: str, z: NDArray[Any], budget: int, alpha: float, beta: float, rng: CounterRng, query: int
) -> list[int]:
    neurons = np.arange(len(z))
    if kind == "uniform":
        return rng.below(_draws(query, np.arange(budget)), len(z)).tolist()
    if kind == "exact":
        return _best_first(neurons, z)
    if kind == "standout":
        p = 1 / (1 + np.exp(-(np.float32(alpha) * z + np.float32(beta))))
        return neurons[rng.uniform(_draws(query, neurons)) < p].tolist()
    return neurons.tolist()


def _best_first(ids: NDArray[Any], score: NDArray[Any]) -> list[int]:
    return ids[np.lexsort((ids, -score))].tolist()


def table_order(n_tables: int, rng: CounterRng, query: int) -> list[int]:
    """A random order of the tables (Fisher & Yates)."""
    order = list(range(n_tables))
    for i in range(n_tables):
        j = i + int(rng.below(_draws(query, i), n_tables - i))
        order[i], order[j] = order[j], order[i]
    return order


def inclusion_probability(p: NDArray[Any], hashes: int, tables: int) -> NDArray[Any]:
    """Chance to meet in one of L tables of K hashes that agree with chance p each."""
    return 1 - (1 - np.asarray(p, np.float64) ** hashes) ** tables


def log_partition(z: NDArray[Any], probability: NDArray[Any]) -> float:
    """log of sum exp(z) / probability over the chosen neurons (Horvitz & Thompson 1952)."""
    return float(np.logaddexp.reduce(z - np.log(probability))) if len(z) else -np.inf
