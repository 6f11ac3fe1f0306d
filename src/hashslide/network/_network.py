"""Training, prediction and the state of a network."""

from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide import _core
from hashslide._checks import check_choice, check_int
from hashslide._interface import wording
from hashslide._locks import reading, writing
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.precision import BFLOAT16
from hashslide.settings import NetworkConfig

from ._candidates import CandidateSettings, CandidatesMixin
from ._checks import check_excluded, check_features, check_label_ids, check_label_weight, check_per_label
from ._counters import CountersMixin
from ._ranker import RankerMixin
from ._state import ROLES, ArrayInfo, FrozenNetwork, state_for_core


class Network(CandidatesMixin, RankerMixin, CountersMixin):
    """Sparse input, hidden layers, an output of any number of labels.

    `SlideClassifier` is the comfortable way to all this; a `Network` knows label ids only, no names.

    Parameters
    ----------
    config : NetworkConfig

    Attributes
    ----------
    config : NetworkConfig
        Follows the network when it grows.
    """

    def __init__(self, config: NetworkConfig):
        self.config = config
        self._core = _core.Network(config.to_core())
        self._label_weight: NDArray[np.float32] | None = None
        self._lock = _core.ModelLock()

    def share_lock(self, lock: _core.ModelLock) -> None:
        """Use the lock of the model that this network becomes a part of, before other threads know of it."""
        self._lock = lock

    @writing
    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None = None,
        n_threads: int = 1,
    ) -> tuple[float, int]:
        """Make one training step.

        Values are not checked here, as this is called thousands of times per second: `x`, `y` and
        `sample_weight` come from `hashslide.csr.as_csr`, `LabelNames.encode` and `check_sample_weight`. What
        has been written into their arrays since then makes no harm: ids are checked as they are read.

        Parameters
        ----------
        x, y : Csr
            Features and labels of all examples.
        rows : int64 array of shape (batch,)
            The examples of this step.
        learning_rate : float
        sample_weight : float32 array, one for each row of x, or None
        n_threads : int
            Changes the speed, never the result.

        Returns
        -------
        loss : float
            Summed over the examples of the batch.
        active : int
            Size of the active set.

        Raises
        ------
        InputError
            A hash family of the user's own gave buckets that do not exist, or a matrix has got ids that do
            not exist.
        KeyboardInterrupt
            From Ctrl-C in a step of more than a moment. The step is not counted, but some rows of the weights
            may have been updated.
        """
        try:
            stats = self._core.train_batch(
                *(x.indptr, x.indices, x.values, y.indptr, y.indices),
                *(rows, sample_weight, learning_rate, n_threads),
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        return stats.loss, stats.active

    @reading
    def predict_topk(
        self,
        X: Any,
        k: int = 5,
        n_threads: int = 1,
        approximate: bool | CandidateSettings = False,
        exclude: Any = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best labels of each example.

        Parameters
        ----------
        X : Csr, array-like or sparse matrix of shape (n, n_features)
        k : int
            1 to n_labels.
        n_threads : int
        approximate : bool or CandidateSettings
            Score only the candidates that the lists of `learn_candidates` name for each example; if they
            cannot name k, it is predicted exactly. True: as many as `candidate_settings` says.
        exclude : Csr, array-like or sparse matrix of shape (n, n_labels), optional
            Labels that each example must not get: those whose values are not 0.

        Returns
        -------
        labels : int64 array of shape (n, k)
            Best first, ties by the smaller id; -1 where no label is left.
        scores : float32 array of shape (n, k)
            Logits; -infinity where no label is left.

        Raises
        ------
        InputError
            Also if `approximate` and there are no lists.
        """
        check_int("k", k, 1, self.config.n_labels)
        x = check_features(X, self.config.n_features)
        left_out = check_excluded(exclude, x.n_rows, self.config.n_labels)
        if approximate is False:
            return self._core.predict_topk(x.indptr, x.indices, x.values, k, n_threads, left_out)
        if not self.has_candidates:
            raise InputError(
                "approximate prediction needs lists of candidates, and this network has none. "
                + wording(
                    "Make them from training data: learn_candidates(x, y), or build_approximate(X, y) of a "
                    "SlideClassifier.",
                    "Train it with --approximate yes.",
                )
            )
        read = self.candidate_settings if approximate is True else approximate
        return self._core.approximate_topk(
            x.indptr, x.indices, x.values, k, astuple(read), n_threads, left_out
        )

    @reading
    def logits(self, X: Any, n_threads: int = 1) -> NDArray[np.float32]:
        """Return the logits of all labels, shape (n, n_labels): the caller minds the memory."""
        x = check_features(X, self.config.n_features)
        return self._core.logits(x.indptr, x.indices, x.values, n_threads)

    @reading
    def pair_logits(
        self, x: Csr, y: Csr, n_threads: int = 1, with_ranker: bool = True
    ) -> NDArray[np.float32]:
        """Return the logits of the labels that y holds for each example of x, shape (y.nnz,).

        Parameters
        ----------
        x, y : Csr
            Features and labels of the same examples.
        n_threads : int
        with_ranker : bool
            False: of the layers alone.
        """
        if x.n_rows != y.n_rows or y.n_columns != self.config.n_labels:
            raise InputError(f"y has the shape {y.shape}; accepted is {(x.n_rows, self.config.n_labels)}.")
        x = check_features(x, self.config.n_features)
        return self._core.pair_logits(
            x.indptr, x.indices, x.values, y.indptr, y.indices, with_ranker, n_threads
        )

    @reading
    def hidden(self, X: Any, n_threads: int = 1, layers: int | None = None) -> NDArray[np.float32]:
        """Return the activations after the first `layers` hidden layers, by default all, shape (n, width)."""
        x = check_features(X, self.config.n_features)
        most, first = len(self.config.hidden), self.config.hidden[0]
        if layers is not None:
            check_int("layers", layers, int(first.is_dense), most)
        return self._core.hidden(x.indptr, x.indices, x.values, n_threads, most if layers is None else layers)

    @writing
    def set_label_prior(self, counts: NDArray[np.int64], n_examples: int, reset_bias: bool = True) -> None:
        """Tell how often each label occurs among `n_examples` examples.

        Sets the popular labels and the labels' chance to be in an active set; with `reset_bias`, for a new
        network, also the output bias: the log odds of each label.
        """
        counts = check_per_label("counts", np.asarray(counts, np.int64), self.config.n_labels)
        if ((counts < 0) | (counts > n_examples)).any():
            raise InputError(f"counts must lie between 0 and the number of examples, {n_examples}.")
        self._core.set_label_prior(counts, n_examples, reset_bias)

    @writing
    def update_label_prior(
        self, labels: NDArray[np.int32], counts: NDArray[np.int64], n_examples: int
    ) -> None:
        """Tell how often some labels, each once, have occurred among `n_examples` examples. O(labels)."""
        self._core.update_label_prior(labels, counts, n_examples)

    @property
    def label_weight(self) -> NDArray[np.float32] | None:
        """Weight of each label's positive term in the loss; None: all 1."""
        return self._label_weight

    @writing
    def set_label_weight(self, weight: ArrayLike) -> None:
        """Set the weight of each label's positive term in the loss, shape (n_labels,)."""
        weight = check_label_weight(weight, self.config.n_labels)
        self._label_weight = weight
        self._core.set_label_weight(weight)

    @writing
    def grow(self, n_features: int, n_labels: int) -> None:
        """Add features and labels, up to these numbers; less than there are changes nothing.

        A new label starts as likely as the least likely old one, so that it displaces none before its first
        update.
        """
        config = self.config
        n_features, n_labels = max(n_features, config.n_features), max(n_labels, config.n_labels)
        if n_features > config.n_features and not config.hidden[0].is_dense:
            raise InputError(
                f"the first hidden layer hashes {config.n_features} features; it cannot grow to {n_features}."
            )
        grown = config.grown(n_features, n_labels)
        self._core.grow(n_features, n_labels)
        self.config = grown
        if self._label_weight is not None:
            n_new = n_labels - config.n_labels
            self._label_weight = np.pad(self._label_weight, (0, n_new), constant_values=1)

    @reading
    def label_rows(self, labels: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return copies of the output rows of some labels: weight (n, width) and bias (n,)."""
        return self._core.label_rows(check_label_ids(labels, self.config.n_labels))

    @writing
    def set_label_rows(self, labels: ArrayLike, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        """Set the output rows of some labels, such as new ones.

        The optimiser treats them as if they had been trained for long, so that a first step on few examples
        does not undo them.

        Parameters
        ----------
        labels : array of int, shape (n,)
            Distinct ids.
        weight : array of shape (n, width)
        bias : array of shape (n,)
        """
        labels = check_label_ids(labels, self.config.n_labels)
        shapes = (labels.shape, np.shape(weight), np.shape(bias))
        n = len(labels)
        if shapes != ((n,), (n, self.config.width), (n,)):
            raise InputError(
                f"labels, weight and bias have the shapes {shapes}; accepted are (n,), "
                f"(n, {self.config.width}) and (n,)."
            )
        weight, bias = np.ascontiguousarray(weight, np.float32), np.ascontiguousarray(bias, np.float32)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise InputError(
                "weight or bias holds NaN, infinity or a number beyond float32; accepted are finite ones."
            )
        self._core.set_label_rows(labels, weight, bias)

    @writing
    def rebuild_tables(self, n_threads: int = 1) -> None:
        """Build the hash tables of all layers anew, with fresh functions, as the schedule does.

        Parameters
        ----------
        n_threads : int
            Changes the speed, never the result.
        """
        self._core.rebuild_tables(n_threads)

    @reading
    def state(self, *roles: str) -> dict[str, NDArray[Any]]:
        """Return the arrays that make up the network, by name.

        Weights of bfloat16 have the dtype `hashslide.precision.BFLOAT16`.
        Large arrays are read-only views: they show what training does to them, and keep their memory when the
        network moves on to another, as when it grows. Counts and hash tables are copies.

        Parameters
        ----------
        *roles : {"weight", "optimizer", "count", "candidates", "tables"}
            Which arrays; by default all.
        """
        arrays = self._core.state([check_choice("role", role, ROLES) for role in roles or ROLES])
        return {
            name: array.view(BFLOAT16) if array.dtype == np.uint16 else array
            for name, array in arrays.items()
        }

    @reading
    def schema(self) -> dict[str, ArrayInfo]:
        """Return what each array of `state` is, by name."""
        return {
            name: ArrayInfo(role, BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype), shape, values)
            for name, (role, dtype, shape, values) in self._core.schema().items()
        }

    @reading
    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the state, for `restore`."""
        return {name: array.copy() for name, array in self.state().items()}

    @writing
    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Return to a state of this network; the arrays are copied.

        The memory of the arrays that there are is let go first, so that the model is never held a third time.
        """
        borrowed = state_for_core(state, copy=False)
        core = _core.Network.from_state(self.config.to_core(), borrowed, False)
        if self._label_weight is not None:
            core.set_label_weight(self._label_weight)
        self._core = core
        core.own_state()

    @classmethod
    def from_state(
        cls, config: NetworkConfig, state: dict[str, NDArray[Any]], copy: bool = True
    ) -> "Network":
        """Return a network with the given arrays.

        Parameters
        ----------
        config : NetworkConfig
        state : dict of str to array
            As `state` returns them. Arrays of the optimiser may be missing: it then starts afresh. Without
            those of hash tables these are built again.
        copy : bool
            False: the arrays, perhaps read-only and memory-mapped, are used in place until the first training
            step copies them.

        Raises
        ------
        InputError
            An array is missing, unknown, of the wrong shape or dtype, or holds ids or counts out of range.
        """
        network = cls.__new__(cls)
        network.config = config
        network._label_weight = None
        network._lock = _core.ModelLock()
        taken = state_for_core(state, copy)
        try:
            network._core = _core.Network.from_state(config.to_core(), taken, copy)
        except (ValueError, TypeError) as error:
            raise InputError(f"{error}.") from None
        return network

    def frozen(self) -> FrozenNetwork:
        """Return a copy that cannot be used but becomes a network when it is unpickled or copied."""
        return FrozenNetwork(self.__reduce__())

    @reading
    def __reduce__(self) -> tuple[Any, ...]:
        return Network.from_state, (self.config, self.snapshot(), False)
