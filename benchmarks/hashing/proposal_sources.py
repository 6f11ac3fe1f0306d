"""Where the negatives of a sampled softmax come from, each with the chance of its proposals.

Every source is asked once a batch. "Shared" labels are negatives for all examples of the batch; a label that
an example looked up is its own. What was found by tables that stay as they are is certain (q = 1), and draws
stand for all others: unbiased whatever is found. `HashLaw` knows how likely its tables find a label instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.network import CandidateSettings, Network
from hashslide.settings import HashFamily, Negatives, NetworkConfig

from ..sets.next_words import CONTEXT, NextWords
from .proposal_network import ProposalNetwork, Proposals

THREADS = 1
CHUNK = 1 << 16  # labels hashed at once
LIST_EXAMPLES = 300_000  # that candidate lists are learned from
MEAN_STEP = 0.01  # of the moving mean of the queries
NO_OWN = (np.zeros(0, np.int64), np.zeros(0, np.float32))


class Draws:
    """Labels of other examples, draws by frequency and uniform draws, in any mixture, shared by a batch.

    Parameters
    ----------
    uniform, frequency : int
        Draws with replacement, by chance 1 / n_labels and by the labels' share of the training points.
    in_batch : bool
        Whether an example has the labels of the others as negatives.
    popular : int
        Most frequent labels, which are always there.
    """

    def __init__(self, uniform: int = 0, frequency: int = 0, in_batch: bool = False, popular: int = 0):
        self.uniform, self.frequency, self.in_batch, self.popular = uniform, frequency, in_batch, popular

    def prepare(self, data: NextWords, network: ProposalNetwork, seed: int) -> None:
        """Get to know the data and the network."""
        self.data, self.network = data, network
        self.share = (data.counts + 0.5) / (data.counts.sum() + 1)
        self.certain = np.argsort(-data.counts, kind="stable")[: self.popular]

    def observe(self, h: NDArray[np.float32]) -> None:
        """Get to know queries before `build`."""

    def refresh(self, step: int) -> None:
        """Follow the network where that is due."""

    def build(self) -> None:
        """Follow the network now."""

    def log_chance(self, labels: NDArray[np.int64], others: int) -> NDArray[np.float64]:
        """Return log r, r = 1 - (1 - f)^(others + frequency) (1 - 1 / n)^uniform."""
        by_frequency = self.frequency + (others if self.in_batch else 0)
        missed = by_frequency * np.log1p(-self.share[labels])
        with np.errstate(divide="ignore"):  # nothing is drawn
            return np.log(-np.expm1(missed + self.uniform * np.log1p(-1 / self.data.n_labels)))

    def shared(
        self, others: NDArray[np.int64], n_others: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return distinct labels and log r. others: the batch's labels, `n_others` of them not one's own."""
        drawn = self.data.train[rng.integers(0, len(self.data.train), self.frequency)]
        parts = [
            others if self.in_batch else others[:0],
            self.data.labels(drawn),
            rng.integers(0, self.data.n_labels, self.uniform),
            self.certain,
        ]
        labels = np.unique(np.concatenate(parts)).astype(np.int64)
        log_r = self.log_chance(labels, n_others)
        log_r[np.searchsorted(labels, self.certain)] = 0
        return labels, log_r

    def propose(
        self,
        h: NDArray[np.float32],
        features: NDArray[np.int32],
        others: NDArray[np.int64],
        n_others: int,
        rng: np.random.Generator,
    ) -> Proposals:
        """Return the proposals for a batch of activations h (B, width)."""
        labels, log_r = self.shared(others, n_others, rng)
        return Proposals(labels, log_r.astype(np.float32), np.zeros(len(h) + 1, np.int64), *NO_OWN)


class Found(Draws, ABC):
    """What an example finds counts once; `Draws` stand for the rest."""

    def propose(self, h, features, others, n_others, rng) -> Proposals:
        """Return the proposals for a batch."""
        labels, log_r = self.shared(others, n_others, rng)
        begin, ids = self.find(h, features)
        return Proposals(labels, log_r.astype(np.float32), begin, ids, np.zeros(len(ids), np.float32))

    @abstractmethod
    def find(self, h, features) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return begin (B + 1,) and the labels of each example."""


class Tables(Found):
    """What most hash tables of a family hold for an example, rebuilt on a schedule, as in `SlideLoss`.

    Parameters
    ----------
    budget : int
    family : HashFamily
    draws
        As in `Draws`.
    """

    def __init__(self, budget: int, family: HashFamily, **draws: Any):
        super().__init__(**draws)
        self.budget, self.family = budget, family

    def prepare(self, data, network, seed) -> None:
        """Make the tables, which are built when they are due."""
        import torch

        from hashslide.torch.finding import TableFinder

        super().prepare(data, network, seed)
        self._step = 1
        self._tensor = torch.from_numpy
        self._weight, self._bias = torch.from_numpy(network.weight), torch.from_numpy(network.bias)
        self._finder = TableFinder(self.family, self.budget, data.n_labels, network.weight.shape[1], seed)

    def refresh(self, step: int) -> None:
        """Note the time."""
        self._step = step + 1

    def build(self) -> None:
        """Build the tables at the next look-up."""
        self._finder.forget()
        self._step = self.family.rehash_first + 1

    def find(self, h, features):
        """Look up, in tables that are rebuilt first if that is due."""
        nobody = SimpleNamespace(
            begin=self._tensor(np.zeros(len(h) + 1, np.int64)), ids=self._tensor(NO_OWN[0])
        )
        found = self._finder.find(self._tensor(h), self._weight, self._bias, nobody, self._step, THREADS)
        if found is None:
            return np.zeros(len(h) + 1, np.int64), NO_OWN[0]
        return found[0], found[1].astype(np.int64)


class Oracle(Found):
    """The labels of largest logits of all: what no table can beat, at a price that no training can pay."""

    def __init__(self, budget: int, **draws: Any):
        super().__init__(**draws)
        self.budget = budget

    def find(self, h, features):
        """Score every label."""
        z = self.network.logits(h, 0, self.data.n_labels)
        best = np.argpartition(-z, self.budget, axis=1)[:, : self.budget]
        return np.arange(0, best.size + 1, self.budget), best.ravel()


class Lists(Found):
    """The candidates of approximate prediction: the best labels of the lists of an example's features."""

    def __init__(self, budget: int, **draws: Any):
        super().__init__(**draws)
        self.budget = budget

    def prepare(self, data, network, seed) -> None:
        """Learn the lists from some of the training points."""
        super().prepare(data, network, seed)
        rng = np.random.default_rng(seed)
        points = data.train[rng.permutation(len(data.train))[:LIST_EXAMPLES]]
        config = NetworkConfig(
            n_features=data.n_features, n_labels=data.n_labels, hidden=1, negatives=Negatives(uniform=1)
        )
        self._lists = Network(config)
        self._lists.set_label_prior(data.counts, int(data.counts.sum()))
        labels = data.labels(points)
        y = Csr(np.arange(len(labels) + 1), labels, np.ones(len(labels), np.float32), data.n_labels)
        self._lists.learn_candidates(self._x(data.features(points)), y, THREADS)

    def _x(self, features: NDArray[np.int32]) -> Csr:
        n = len(features)
        ids = np.sort(features, axis=1)
        return Csr(
            np.arange(0, n * CONTEXT + 1, CONTEXT),
            np.ascontiguousarray(ids.ravel()),
            np.full(n * CONTEXT, CONTEXT**-0.5, np.float32),
            self.data.n_features,
        )

    def find(self, h, features):
        """Read the lists."""
        read = CandidateSettings(self.budget, 0, 0)
        best, _ = self._lists.predict_topk(self._x(features), self.budget, THREADS, approximate=read)
        return np.arange(0, best.size + 1, self.budget), best.ravel()


class HashLaw(Draws):
    """What SimHash tables find, each with the chance 1 - (1 - p^K)^L that freshly drawn tables find it.

    Neurons are centred and made equally long, queries are centred (docs/how/hash_tables.md). With draws
    besides, a label counts by its chance to be found or drawn.

    Parameters
    ----------
    tables, hashes : int
        L and K.
    every : int
        Steps from one drawing of the tables to the next.
    draws
        As in `Draws`.
    """

    def __init__(self, tables: int, hashes: int, every: int = 0, **draws: Any):
        super().__init__(**draws)
        self.tables, self.hashes, self.every = tables, hashes, every

    def prepare(self, data, network, seed) -> None:
        """Get to know the data and the network; the tables are built when a refresh is due."""
        super().prepare(data, network, seed)
        width = network.weight.shape[1]
        self._rng = np.random.default_rng(seed)
        self.built: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self.mean_query = self.observed = np.zeros(width, np.float32)

    def observe(self, h: NDArray[np.float32]) -> None:
        """Follow the mean of the queries, for the next build."""
        step = MEAN_STEP if self.observed.any() else 1.0
        self.observed = (self.observed + step * (h.mean(0) - self.observed)).astype(np.float32)

    def refresh(self, step: int) -> None:
        """Draw and build the tables where that is due."""
        if self.every and step % self.every == 0:
            self.build()

    def build(self) -> None:
        """Draw new hash functions and hash all labels."""
        network, n = self.network, self.data.n_labels
        self.mean_query = self.observed
        shape = (network.weight.shape[1] + 2, self.tables * self.hashes)
        self.planes = self._rng.normal(size=shape).astype(np.float32)
        self.centre = np.r_[network.weight.mean(0), network.bias.mean()].astype(np.float32)
        self.scale = 1.0
        vectors = self.neurons(slice(0, n, max(1, n // CHUNK)))
        lengths = np.square(vectors[:, :-1]).sum(1).mean(), np.square(vectors[:, -1]).mean()
        queries = max(np.square(self.mean_query).sum(), 1e-6)
        self.scale = float((lengths[1] * queries / max(lengths[0], 1e-12)) ** 0.25)
        blocks = range(0, n, CHUNK)
        self.longest = max(np.square(self.neurons(slice(b, b + CHUNK))).sum(1).max() for b in blocks)
        buckets = np.concatenate([self.codes(self.mapped(slice(b, min(b + CHUNK, n)))) for b in blocks])
        self.hashed = network.weight.any(1)  # others have no direction to be found by
        ids, buckets = np.flatnonzero(self.hashed), buckets[self.hashed]
        self.built = []
        for of_table in buckets.T:
            starts = np.r_[0, np.cumsum(np.bincount(of_table, minlength=1 << self.hashes))]
            self.built.append((starts, ids[np.argsort(of_table, kind="stable")]))

    def codes(self, vectors: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Return the bucket of each vector in each table, shape (n, tables)."""
        bits = (vectors @ self.planes > 0).reshape(len(vectors), self.tables, self.hashes)
        return bits @ (1 << np.arange(self.hashes)).astype(np.uint16)

    def neurons(self, labels: Any) -> NDArray[np.float32]:
        """Return the labels' centred vectors (w, (b + w . m) / c)."""
        w = self.network.weight[labels] - self.centre[:-1]
        last = self.network.bias[labels] - self.centre[-1] + w @ self.mean_query
        return np.c_[w, last / self.scale]

    def mapped(self, labels: Any) -> NDArray[np.float32]:
        """Return the vectors that are hashed, all of one length."""
        v = self.neurons(labels)
        return np.c_[v, np.sqrt(np.maximum(self.longest - np.square(v).sum(1), 0))].astype(np.float32)

    def queries(self, h: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors that look up."""
        ends = np.tile(np.float32([self.scale, 0]), (len(h), 1))
        return np.c_[h - self.mean_query, ends].astype(np.float32)

    def log_found(self, cosine: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log(1 - pi), pi the chance to be found by a query with this cosine."""
        p = 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi
        return self.tables * np.log1p(-np.minimum(p.astype(np.float64) ** self.hashes, 1 - 1e-12))

    def find(self, h: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Look up: begin and labels."""
        lists = [
            np.unique(
                np.concatenate(
                    [ids[starts[b] : starts[b + 1]] for (starts, ids), b in zip(self.built, row, strict=True)]
                )
            )
            for row in self.codes(self.queries(h)).tolist()
        ]
        return np.cumsum([0, *map(len, lists)]), np.concatenate(lists)

    def propose(self, h, features, others, n_others, rng) -> Proposals:
        """Return the proposals for a batch."""
        self.observe(h)
        if not self.built:
            return Draws.propose(self, h, features, others, n_others, rng)
        q = self.queries(h)
        q /= np.linalg.norm(q, axis=1, keepdims=True)
        begin, own = self.find(h)
        rows = np.repeat(np.arange(len(h)), np.diff(begin))
        shared, log_r = self.shared(others, n_others, rng)
        length = np.sqrt(self.longest)
        of_own = np.einsum("ij,ij->i", self.mapped(own), q[rows]) / length
        of_shared = q @ self.mapped(shared).T / length
        chance = [
            np.log(-np.expm1(np.where(self.hashed[ids], self.log_found(cosine), 0) + _log_missed(log)))
            for ids, cosine, log in (
                (own, of_own, self.log_chance(own, n_others)),
                (shared, of_shared, log_r),
            )
        ]
        own_log_q, shared_log_q = (c.astype(np.float32) for c in chance)
        return Proposals(shared, shared_log_q, begin, own, own_log_q)


def _log_missed(log_r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(1 - r); r = 0 where nothing is drawn."""
    return np.log1p(-np.minimum(np.exp(log_r), 1 - 1e-12))
