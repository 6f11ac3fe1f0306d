"""A network without some of its labels, in one pass over what each label owns."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.network import Network

__all__ = ["without_labels"]


def __dir__() -> list[str]:
    return __all__


State = dict[str, NDArray[Any]]
_TABLES = "output.index."
_OF_LABELS = ("bias", "offset", "usual", "margin_factor", "association_factor")
_OF_ENTRIES = ("features", "margin", "association")


def without_labels(network: Network, kept: NDArray[np.int64], n_threads: int) -> Network:
    """Return the network that has only these labels left, numbered anew in their order.

    Their rows and what the optimiser remembers of them, their share of the ranker, of the candidate lists and
    of the counts are copied; the layers below are shared with the old network until the next training step.
    Hash tables over the output are built anew. O(what the kept labels own).

    Parameters
    ----------
    network : Network
    kept : int64 array
        Labels, ascending.
    n_threads : int
    """
    state = network.state()
    has_tables = any(name.startswith(_TABLES) for name in state)
    found = {name: array for name, array in state.items() if not name.startswith(_TABLES)}
    for name, array in found.items():
        if name.startswith("output.") or name == "label_counts":
            found[name] = array[kept]
    found |= _ranker(found, kept)
    for lists in ("candidates.cells", "candidates.features"):
        found |= _lists(found, lists, kept, network.config.n_labels)
    smaller = Network.from_state(replace(network.config, n_labels=len(kept)), found, copy=False)
    if network.label_weight is not None:
        smaller.set_label_weight(network.label_weight[kept])
    if has_tables:
        smaller.rebuild_tables(n_threads)
    return smaller


def _ranker(state: Mapping[str, NDArray[Any]], kept: NDArray[np.int64]) -> State:
    """Return the ranker's arrays of the kept labels."""
    if "ranker.begin" not in state:
        return {}
    begin = state["ranker.begin"]
    first = np.concatenate([[0], np.cumsum(np.diff(begin)[kept])])
    last = np.append(np.flatnonzero(np.diff(kept) > 1), len(kept) - 1)  # of labels that follow each other
    starts = begin[kept[np.append(0, last[:-1] + 1)]].tolist()
    ends = begin[kept[last] + 1].tolist()
    found = {f"ranker.{name}": state[f"ranker.{name}"][kept] for name in _OF_LABELS}
    for name in _OF_ENTRIES:
        entries = state[f"ranker.{name}"]
        runs = [entries[start:end] for start, end in zip(starts, ends, strict=True)]
        found[f"ranker.{name}"] = np.concatenate(runs)
    return found | {"ranker.begin": first}


def _lists(state: Mapping[str, NDArray[Any]], name: str, kept: NDArray[np.int64], n_labels: int) -> State:
    """Return candidate lists that name the kept labels alone."""
    if f"{name}.ranges" not in state:
        return {}
    place = np.full(n_labels, -1, np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    labels = place[state[f"{name}.labels"]]
    gone = np.flatnonzero(labels < 0)  # few
    ranges = state[f"{name}.ranges"]
    return {
        f"{name}.ranges": ranges - np.searchsorted(gone, ranges),
        f"{name}.labels": np.delete(labels, gone),
        f"{name}.counts": np.delete(state[f"{name}.counts"], gone),
    }
