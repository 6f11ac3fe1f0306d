"""What is asked of examples that neither a network nor its ranker was trained on."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.network import Network

__all__ = ["CANDIDATES", "FEWEST_HELD_OUT", "FOLDS", "Judged", "JudgedPairs", "judge_in_turn", "n_held_out"]


def __dir__() -> list[str]:
    return __all__


HELD_OUT_SHARE = 0.04
MOST_HELD_OUT = 1000
FEWEST_HELD_OUT = 100  # of fewer examples, chance would decide
FEWEST_APART = 150  # fewer say too little for what the training loses by them: then all judge in turn
FOLDS = 3  # of examples that judge in turn
CANDIDATES = 50  # of the network, among which the ranker chooses
CONSIDERED = 200  # of the network, of which what is added may make some candidates
RANDOM_LABELS = 20  # for each example, behind the slope and the intercept
MOST_PAIRS = 1 << 18  # of an example and a label: of examples with very many labels, fewer judge

_Floats = NDArray[np.float32]


def n_held_out(n_examples: int) -> int:
    """Return how many of the training examples decide how much a ranker counts; 0 of few."""
    n = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * n_examples))
    return n if n >= FEWEST_APART else 0


class Judged(NamedTuple):
    """A ranker and its network, and examples that neither was trained on.

    Attributes
    ----------
    network : Network
        Knows the label counts. Its candidate lists, if there are some, name the candidates.
    ranker : _core.Ranker
        From `Network.make_ranker`.
    x, y : Csr
        The examples.
    """

    network: Network
    ranker: _core.Ranker
    x: Csr
    y: Csr


def judge_in_turn(n_examples: int) -> bool:
    """Tell whether there are enough examples to judge, but too few to hold some out."""
    return n_examples >= FEWEST_HELD_OUT and n_held_out(n_examples) == 0


@dataclass(frozen=True)
class JudgedPairs:
    """Pairs of an example and a label: the network's best, true ones, and some others drawn at random.

    Attributes
    ----------
    n_labels : int64 array of shape (examples,)
        The true labels of each example.
    row : int32 array, one value for each pair, as the following
        Its example.
    is_best, is_true : boolean arrays
        Whether the label is among the network's best, of which each example has as many.
    weight : array
        How many pairs one stands for: a draw, for its part of those that are neither its best nor true.
    z, log_f, margin, association : arrays
        The network's logit, the logarithm of the label's frequency, and what the ranker says.
    """

    n_labels: NDArray[np.int64]
    row: NDArray[np.int32]
    is_best: NDArray[np.bool_]
    is_true: NDArray[np.bool_]
    weight: _Floats
    z: _Floats
    log_f: _Floats
    margin: _Floats
    association: _Floats

    @classmethod
    def of_all(cls, judged: Iterable[Judged], seed: int, n_threads: int) -> "JudgedPairs | None":
        """Return the pairs of all examples that have labels; None if none has."""
        # By map, which holds no network while a generator learns the next one.
        drawn = map(lambda one: cls.draw(one, seed, n_threads), judged)
        parts = [pairs for pairs in drawn if pairs is not None]
        return cls.joined(parts) if parts else None

    @classmethod
    def draw(cls, judged: Judged, seed: int, n_threads: int) -> "JudgedPairs | None":
        """Return the pairs of the examples that have labels; None if none has."""
        network, ranker = judged.network, judged.ranker
        x, y = _with_taught_labels(judged)
        n, n_labels = y.shape
        if n == 0:
            return None
        best, _ = network.predict_topk(
            x, min(CONSIDERED, n_labels), n_threads, approximate=network.has_candidates
        )
        first_key = np.arange(n)[:, None] * n_labels  # a pair is the number row * n_labels + label
        considered = (first_key + best).ravel()
        first = (first_key + best[:, :CANDIDATES]).ravel()
        true = np.repeat(first_key, np.diff(y.indptr)) + y.indices
        counts = network.label_counts
        taught = np.flatnonzero(counts)
        rng = np.random.default_rng([seed, 1])
        drawn = first_key + taught[rng.integers(0, len(taught), (n, RANDOM_LABELS))]
        known = np.union1d(considered, true)
        keys = np.union1d(known, drawn)
        row, is_known = keys // n_labels, np.isin(keys, known)
        n_known, n_all = np.bincount(row[is_known], minlength=n), np.bincount(row, minlength=n)
        weight = np.where(is_known, 1.0, ((len(taught) - n_known) / np.maximum(n_all - n_known, 1))[row])
        begin = np.concatenate([[0], np.cumsum(n_all)])
        labels = Csr(begin, (keys % n_labels).astype(np.int32), None, n_labels)
        margin, association = network.ranker_parts(ranker, x, labels)
        return cls(
            n_labels=np.diff(y.indptr),
            row=row.astype(np.int32),
            is_best=np.isin(keys, first),
            is_true=np.isin(keys, true),
            weight=weight.astype(np.float32),
            z=network.pair_logits(x, labels, n_threads, with_ranker=False),
            log_f=np.log((counts[labels.indices] + 0.5) / (network.n_examples_seen + 1)).astype(np.float32),
            margin=margin,
            association=association,
        )

    @classmethod
    def joined(cls, parts: "list[JudgedPairs]") -> "JudgedPairs":
        """Return the pairs of the examples of all parts."""
        first = np.cumsum([0, *(len(part.n_labels) for part in parts)])
        row = np.concatenate([part.row + np.int32(n) for part, n in zip(parts, first, strict=False)])
        others = (field.name for field in fields(cls) if field.name != "row")
        return cls(
            row=row, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in others}
        )

    def ranks(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the pairs' places within their examples, from 1 on: a draw takes as many as it weighs."""
        order = np.lexsort((-scores, self.row))
        taken = np.cumsum(self.weight[order], dtype=np.float64)
        begin = np.searchsorted(self.row, np.arange(len(self.n_labels)))
        before = np.append(0.0, taken)[begin]
        ranks = np.empty(len(taken))
        ranks[order] = taken - before[self.row]
        return ranks


def _with_taught_labels(judged: Judged) -> tuple[Csr, Csr]:
    """Return as many examples as may judge, with the labels that the network has met.

    The finished model will have met the others, too.
    """
    y = judged.y
    is_taught = judged.network.label_counts[y.indices] > 0
    y = Csr(np.append(0, np.cumsum(is_taught))[y.indptr], y.indices[is_taught], None, y.n_columns)
    rows = np.flatnonzero(np.diff(y.indptr))
    n_pairs = len(rows) * (min(CONSIDERED, y.n_columns) + RANDOM_LABELS) + y.nnz
    rows = rows[:: max(1, math.ceil(n_pairs / MOST_PAIRS))]
    return judged.x.take(rows), y.take(rows)
