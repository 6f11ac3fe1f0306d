"""The protocol `rows`, synchronous: each rank learns a batch of its own on copies of rows."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide import _core
from hashslide._checks import check_choice, check_int
from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.rows.cache import RowCache
from hashslide.distributed.rows.client import Report, RowClient, summed
from hashslide.distributed.rows.own_step import Gradients, LabelFacts, OwnStep, Rows, Touched, rank_seed
from hashslide.distributed.rows.owner import RowOwner
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharded.wire import WIRES
from hashslide.distributed.sharding import Sharding
from hashslide.network import Network
from hashslide.settings import NetworkConfig
from hashslide.training import Batch

__all__ = ["RowsNetwork"]


def __dir__() -> list[str]:
    return __all__


_MOST_STEPS = 1 << 20


class RowsNetwork(ShardedNetwork):
    """A network whose ranks fetch rows from their owners and push gradients back.

    A rank takes its part of the global batch as a batch of its own, with an active set and a correction for
    the labels' chances of its own, so that the work of a rank shrinks with its part. It asks the owners for
    the t rows that the part touches, computes their gradients, and pushes these. Each owner adds up what the
    ranks have pushed, in the order of the ranks, and updates each row once. A rank sends 2 s H t bytes a
    step, with s bytes a number and H hidden units, and 4 bytes for each row's number.

    **Batch size and learning rate.** The global batch stays that of the single process, each of W ranks has
    1 / W of it, and the learning rate stays the same: gradients are sums over the global batch (means for
    `SGD`), and so an update has the size that it has in the single process. A label that an example does not
    carry is in the active set of a rank's part with a chance r, and in one set for the global batch it would
    be with a larger chance R; where it is, it counts R / r times, so that an update has the mean of the
    single process as well. Only its noise is larger, as each example meets fewer negatives: with less than
    64 examples a rank, raise the batch size, as one would in a single process.

    The same bits for the same number of ranks; with one rank, those of `Network`.

    Parameters
    ----------
    config : NetworkConfig
    features, labels : Sharding
    exchange : Exchange
    n_fetch : int, default 1
        A row that has been fetched serves for so many batches of a rank at most. More: less traffic, older
        weights.
    n_push : int, default 1
        The gradients of so many batches are pushed together, as if the batch were so many times larger.
    wire : {"float32", "bfloat16"}, default "float32"
        How rows and gradients travel. bfloat16 halves the bytes: weights are rounded to the nearest for the
        step that is made of them, and gradients at random, right in the mean.

    Raises
    ------
    InputError
        As `ShardedNetwork`; or `n_fetch` or `n_push` is no positive integer.
    """

    def __init__(
        self,
        config: NetworkConfig,
        features: Sharding,
        labels: Sharding,
        exchange: Exchange,
        *,
        n_fetch: int = 1,
        n_push: int = 1,
        wire: str = "float32",
    ) -> None:
        for name, value in (("n_fetch", n_fetch), ("n_push", n_push)):
            check_int(name, value, 1, _MOST_STEPS)
        check_choice("wire", wire, WIRES)
        super().__init__(config, features, labels, exchange)
        seed = rank_seed(config.seed, exchange.rank)
        self._client = RowClient(config, features, labels, exchange.size, wire=wire, seed=seed)
        self._owner = RowOwner(self.shards, len(self.owned), config.width, wire)
        self._n_fetch, self._n_push = n_fetch, n_push
        self._cache = RowCache(n_fetch)
        self._accrued: list[tuple[Touched, Gradients]] = []
        self._accrued_examples = 0
        self._rate, self._n_threads = 0.0, 1
        self._has_label_weight = False
        self._own_step = OwnStep(config, LabelFacts.of(np.zeros(1, np.int64), 0, 0), config.seed)

    def set_label_prior(self, counts: NDArray[np.int64], n_examples: int, reset_bias: bool = True) -> None:
        """Tell how often each label of the whole network occurs among all examples; see `Network`."""
        super().set_label_prior(counts, n_examples, reset_bias)
        facts = LabelFacts.of(np.asarray(counts), n_examples, self.config.negatives.popular)
        seed = rank_seed(self.config.seed, self.exchange.rank)
        self._own_step = OwnStep(self.config, facts, seed)

    def set_label_weight(self, weight: ArrayLike) -> None:
        """Set the weight of each label's positive term in the loss, shape (n_labels,)."""
        super().set_label_weight(weight)
        self._has_label_weight = True

    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None = None,
        n_threads: int = 1,
    ) -> tuple[float, int]:
        """Make one step; `rows` are this rank's part of the global batch. Collective.

        Returns
        -------
        loss : float
            Summed over the examples of all ranks.
        active : int
            The mean size of the ranks' active sets.
        """
        touched = self._own_step.start(Batch(x, y, rows, sample_weight), self.step + 1)
        fetched, n_together = self._fetch(touched, len(rows))
        loss, gradients = self._own_step.gradients(fetched, self._hidden_bias(), n_together, n_threads)
        self._accrued.append((touched, gradients))
        self._rate, self._n_threads = learning_rate, n_threads
        reports = self._push(Report(loss, len(rows), len(touched.labels)), counts=True)
        return sum(r.loss for r in reports), round(sum(r.active for r in reports) / len(reports))

    def flush(self) -> None:
        """Push the gradients that wait for the next push, if there are any. Collective."""
        if self._accrued:
            self._push(Report(0.0, 0, 0), counts=False)

    def predict_topk(
        self, X: Csr, k: int = 5, n_threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best labels of each example; see `ShardedNetwork`. Collective."""
        self.flush()
        return super().predict_topk(X, k, n_threads)

    def shard_state(self, shard: int, *roles: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of one shard; see `ShardedNetwork`. Collective where `n_push` is not 1."""
        self.flush()
        return super().shard_state(shard, *roles)

    def restore_shard(self, shard: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of `shard_state`."""
        self._forget()
        super().restore_shard(shard, arrays)

    def assemble(self) -> Network | None:
        """Return the whole network on rank 0, None elsewhere. Collective."""
        self.flush()
        return super().assemble()

    def _hidden_bias(self) -> NDArray[np.float32]:
        return self.shards.shared_state(["weight"])["input.bias"]

    def _fetch(self, touched: Touched, n_examples: int) -> tuple[Rows, int]:
        """Return copies of the touched rows, and how many examples all ranks have."""
        missing = self._cache.missing(touched)
        where = self._client.where(missing)
        requests = [np.append(request, np.int32(n_examples)) for request in self._client.requests(where)]
        asked = self.exchange.all_to_all(requests, "rows")
        sizes = self._client.reply_sizes(where, self._has_label_weight)
        answers = [self._owner.reply(request[:-1]) for request in asked]
        replies = self.exchange.all_to_all(answers, "rows", sizes)
        rows = self._client.rows(where, replies, self._has_label_weight)
        return self._cache.completed(touched, missing, rows), sum(int(request[-1]) for request in asked)

    def _push(self, report: Report, counts: bool) -> list[Report]:
        """Tell the ranks of a batch and, where it is time to, push what has accrued; return all ranks'
        reports.

        Not `counts`: of no batch, to push before its time.
        """
        step = self.step + counts
        is_due = step % self._n_push == 0 or not counts
        touched, gradients = summed(self._accrued) if is_due else _nothing(self.config.width)
        messages = self._client.pushes(self._client.where(touched), gradients, report)
        pushed = [self._owner.read(message) for message in self.exchange.all_to_all(messages, "gradients")]
        reports = [push.report for push in pushed]
        self._accrued_examples += sum(report.examples for report in reports)
        if counts:
            _core.count_step(self.shards)
        if not is_due:
            return reports
        # Gradients are sums over the batch; the adaptive optimisers do not see the factor, plain SGD takes
        # the mean.
        is_sgd = self.config.optimizer.name == "sgd"
        rate = self._rate / max(1, self._accrued_examples) if is_sgd else self._rate
        number = -(-step // self._n_push)  # of the update
        self._owner.apply(pushed, rate, number, self._n_threads)
        hidden_bias = pushed[0].hidden_bias.copy()
        for push in pushed[1:]:
            hidden_bias += push.hidden_bias
        _core.update_hidden_bias(self.shards, hidden_bias, rate, number)
        self._accrued, self._accrued_examples = [], 0
        return reports

    def _forget(self) -> None:
        """Drop what waits and what was fetched."""
        self._accrued, self._accrued_examples = [], 0
        self._cache = RowCache(self._n_fetch)


def _nothing(width: int) -> tuple[Touched, Gradients]:
    none, rows = np.empty(0, np.int32), np.empty((0, width), np.float32)
    empty = np.empty(0, np.float32)
    return Touched(none, none), Gradients(rows, np.zeros(width, np.float32), rows, empty)
