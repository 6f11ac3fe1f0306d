"""The network for Python callers: checked arguments around the C++ core."""

import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide import _core
from hashslide._checks import as_int, check_choice, check_int
from hashslide._interface import wording
from hashslide._locks import reading, training, writing
from hashslide._validation import as_numeric, to_float32
from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.precision import BFLOAT16, is_bfloat16
from hashslide.settings import NetworkConfig
from hashslide.settings.limits import MAX_IDS

__all__ = [
    "ROLES",
    "ArrayInfo",
    "CandidateSettings",
    "FrozenNetwork",
    "Network",
    "check_label_weight",
    "effective_threads",
]


def __dir__() -> list[str]:
    return __all__


ROLES = ("weight", "optimizer", "count", "candidates", "tables")  # what the arrays of a state are for


class ArrayInfo(NamedTuple):
    """One array of a network's state.

    Attributes
    ----------
    role : {"weight", "optimizer", "count", "candidates", "tables"}
        A parameter; what the optimiser remembers; how much has been seen; a candidate list; a hash table.
    dtype : dtype
    shape : tuple of int
    values : {"numbers", "squares", "counts", "ids", "sorted_ids", "offsets"}
        What it may hold: any numbers (tables check theirs by themselves); sums of squares and counts, which
        are not negative; ids of labels, in any order or rising in each list; what rises from 0.
    """

    role: str
    dtype: np.dtype
    shape: tuple[int, ...]
    values: str


@dataclass(frozen=True)
class CandidateSettings:
    """How much of the candidate lists approximate prediction reads for an example.

    Parameters
    ----------
    feature_labels : int >= 0
        Labels with the largest sums over the lists of the example's features.
    cell_labels : int >= 0
        First labels of the list of each cell.
    probes : int >= 0
        Cells.
    """

    feature_labels: int
    cell_labels: int
    probes: int

    def __post_init__(self) -> None:
        for field in fields(self):
            check_int(field.name, getattr(self, field.name), 0, MAX_IDS)


class Network:
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
        x = self._check_features(X)
        left_out = self._check_excluded(exclude, x.n_rows)
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

    @property
    def has_ranker(self) -> bool:
        """Whether `set_ranker` has added one."""
        return self._core.has_ranker

    @training
    def make_ranker(
        self,
        x: Csr,
        y: Csr,
        n_threads: int = 1,
        rows: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float32] | None = None,
    ) -> _core.Ranker:
        """Return a ranker for `set_ranker`, learned from training data after the layers.

        For each label a sparse linear classifier over the input features: the examples that carry it against
        those for which it is one of the best 20 labels without their carrying it.

        Parameters
        ----------
        x, y : Csr
            Features and labels of the examples.
        n_threads : int
            Changes the speed, never the result.
        rows : int64 array of shape (n,), optional
            The examples to use; by default all.
        sample_weight : float32 array of shape (n,), optional
            Of each example that is used.
        """
        return self._core.learn_ranker(
            *(x.indptr, x.indices, x.values, y.indptr, y.indices), *(sample_weight, n_threads, rows)
        )

    def ranker_parts(
        self, ranker: _core.Ranker, x: Csr, pairs: Csr
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what a ranker says of the labels that `pairs` holds for each example of x.

        Returns
        -------
        margins, associations : float32 arrays of shape (pairs.nnz,)
            The latter on the log scale of docs/how/ranker.md.
        """
        return self._core.ranker_parts(ranker, x.indptr, x.indices, x.values, pairs.indptr, pairs.indices)

    @training
    def learn_candidates(self, x: Csr, y: Csr, n_threads: int = 1, fresh: bool = True) -> None:
        """Make the lists of approximate prediction from training data; training does not update them.

        Parameters
        ----------
        x, y : Csr
            Features and labels of the examples.
        n_threads : int
            Changes the speed, never the result.
        fresh : bool
            False: add the examples to the counts of the lists that there are. The cells keep their centres.

        Raises
        ------
        KeyboardInterrupt
            From Ctrl-C; the lists are those that there were before.
        """
        self.set_candidates(self.make_candidates(x, y, n_threads, fresh))

    @training
    def make_candidates(
        self,
        x: Csr,
        y: Csr,
        n_threads: int = 1,
        fresh: bool = True,
        rows: NDArray[np.int64] | None = None,
    ) -> _core.Candidates | None:
        """Return the lists that `learn_candidates` would make; other threads may read meanwhile.

        Parameters
        ----------
        x, y, n_threads, fresh
            As there.
        rows : int64 array, optional
            The examples to use; by default all.
        """
        if not (x.n_rows if rows is None else len(rows)):
            return _core.Candidates() if fresh else None
        return self._core.learn_candidates(
            *(x.indptr, x.indices, x.values, y.indptr, y.indices), *(fresh, n_threads, rows)
        )

    @writing
    def set_candidates(self, candidates: _core.Candidates | None) -> None:
        """Use the lists of `make_candidates`, or those that there are. A second time changes nothing."""
        if candidates is not None:
            self._core.set_candidates(candidates)

    @property
    def has_candidates(self) -> bool:
        """Whether `learn_candidates` has made lists."""
        return self._core.has_candidates

    @property
    def candidate_settings(self) -> CandidateSettings:
        """How much of the lists approximate prediction reads."""
        return CandidateSettings(*self._core.candidate_settings)

    @candidate_settings.setter
    def candidate_settings(self, settings: CandidateSettings) -> None:
        self._core.candidate_settings = astuple(settings)

    @reading
    def logits(self, X: Any, n_threads: int = 1) -> NDArray[np.float32]:
        """Return the logits of all labels, shape (n, n_labels): the caller minds the memory."""
        x = self._check_features(X)
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
        x = self._check_features(x)
        return self._core.pair_logits(
            x.indptr, x.indices, x.values, y.indptr, y.indices, with_ranker, n_threads
        )

    @reading
    def hidden(self, X: Any, n_threads: int = 1, layers: int | None = None) -> NDArray[np.float32]:
        """Return the activations after the first `layers` hidden layers, by default all, shape (n, width)."""
        x = self._check_features(X)
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
        counts = _per_label("counts", np.asarray(counts, np.int64), self.config.n_labels)
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
    def set_ranker(self, ranker: _core.Ranker, blend: Sequence[float]) -> None:
        """Add what a ranker says to the logits from now on. A second time changes nothing.

        Parameters
        ----------
        ranker : _core.Ranker
            From `make_ranker`.
        blend : nine floats
            How much it counts: `hashslide.ranking.Blend`. Parts that count nothing are not kept.
        """
        self._core.set_ranker(ranker, list(blend))

    @writing
    def drop_ranker(self) -> None:
        """Predict by the layers alone."""
        self._core.drop_ranker()

    @writing
    def update_ranker(
        self, x: Csr, y: Csr, n_threads: int = 1, rows: NDArray[np.int64] | None = None
    ) -> None:
        """Let the ranker's weights learn from further examples; their number stays. Without one: nothing.

        Parameters
        ----------
        x, y : Csr
            Features and labels of the examples.
        n_threads : int
            Changes the speed, never the result.
        rows : int64 array, optional
            The examples to use; by default all.
        """
        self._core.update_ranker(x.indptr, x.indices, x.values, y.indptr, y.indices, n_threads, rows)

    @writing
    def describe_labels(self, x: Csr, gain: float) -> None:
        """Let the ranker add `gain` times the cosine of an example and a row of x to each of the last labels.

        Without a ranker: nothing. O(entries of x) on average.

        Parameters
        ----------
        x : Csr
            A description of each of these labels, of which the ranker knows nothing yet.
        gain : float
        """
        self._core.describe_labels(x.indptr, x.indices, x.values, gain)

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
        return self._core.label_rows(self._label_ids(labels))

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
        labels = self._label_ids(labels)
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

    @property
    def step(self) -> int:
        """Batches trained so far."""
        return self._core.step

    @property
    def n_examples_seen(self) -> int:
        """Examples behind `label_counts`."""
        return self._core.n_examples_seen

    @property
    @reading
    def label_counts(self) -> NDArray[np.int64]:
        """Examples of each label so far, a copy of shape (n_labels,)."""
        return self._core.label_counts

    @reading
    def label_counts_of(self, labels: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the counts of some labels."""
        return self._core.label_counts_of(labels)

    @reading
    def frequent_labels(self, least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the labels that have occurred at least so often, ascending, and their counts."""
        return self._core.frequent_labels(least)

    @property
    def n_label_occurrences(self) -> int:
        """Sum of `label_counts`."""
        return self._core.n_label_occurrences

    @property
    @reading
    def multiplications(self) -> float:
        """Multiplications of all steps of this process, forward and backward.

        Those of the layers' products, of hashing neurons and queries, and of samplers that score neurons;
        without those of the optimiser and of the ranker.
        """
        return self._core.multiplications

    @property
    @reading
    def table_bytes(self) -> dict[str, int]:
        """Memory of the hash tables of each layer that has some, by the layer's name."""
        return self._core.table_bytes

    @writing
    def rebuild_tables(self, n_threads: int = 1) -> None:
        """Build the hash tables of all layers anew, with fresh functions, as the schedule does.

        Parameters
        ----------
        n_threads : int
            Changes the speed, never the result.
        """
        self._core.rebuild_tables(n_threads)

    @property
    @reading
    def stage_seconds(self) -> dict[str, float]:
        """Wall time of each stage of `train_batch`, summed over all batches of this process."""
        return self._core.stage_seconds

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
        state = {name: _safe_to_borrow(array) for name, array in _with_bits(state).items()}
        core = _core.Network.from_state(self.config.to_core(), state, False)
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
        state = _with_bits(state)
        if not copy:
            state = {name: _safe_to_borrow(array) for name, array in state.items()}
        try:
            network._core = _core.Network.from_state(config.to_core(), state, copy)
        except (ValueError, TypeError) as error:
            raise InputError(f"{error}.") from None
        return network

    def frozen(self) -> "FrozenNetwork":
        """Return a copy that cannot be used but becomes a network when it is unpickled or copied."""
        return FrozenNetwork(self.__reduce__())

    @reading
    def __reduce__(self) -> tuple[Any, ...]:
        return Network.from_state, (self.config, self.snapshot(), False)

    def _label_ids(self, labels: ArrayLike) -> NDArray[np.int32]:
        ids = np.asarray(labels)
        n_labels = self.config.n_labels
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or ((ids < 0) | (ids >= n_labels)).any():
            raise InputError(f"labels must be a vector of ids from 0 to {n_labels - 1}.")
        return np.ascontiguousarray(ids, np.int32)

    def _check_excluded(
        self, exclude: Any, n_rows: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]] | None:
        """Return offsets and ids of excluded labels."""
        if exclude is None:
            return None
        pattern = as_pattern(exclude, name="exclude")
        if pattern.shape != (n_rows, self.config.n_labels):
            raise InputError(
                f"exclude has the shape {pattern.shape}; accepted is {(n_rows, self.config.n_labels)}, one "
                "row for each row of X and one column for each label."
            )
        return pattern.indptr, pattern.indices

    def _check_features(self, X: Any) -> Csr:
        x = as_csr(X)
        if x.n_columns != self.config.n_features:
            raise InputError(
                f"X has {x.n_columns} features, but the network has {self.config.n_features} as input."
            )
        return x


class FrozenNetwork:
    """What pickling a network at some moment gives, for whoever is pickled together with it."""

    def __init__(self, reduced: tuple[Any, ...]):
        self._reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


def check_label_weight(weight: ArrayLike, n_labels: int) -> NDArray[np.float32]:
    """Return the weights of the labels, float32 and contiguous, if they are finite and not negative."""
    weight = to_float32(as_numeric(weight, "label_weight"), "label_weight")
    array = _per_label("label_weight", weight, n_labels)
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise InputError(
            "label_weight holds negative, NaN or infinite values; accepted are finite numbers >= 0."
        )
    return array


def _with_bits(state: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the state with the bits of bfloat16 numbers, which the core takes."""
    return {
        name: array.view(np.uint16) if isinstance(array, np.ndarray) and is_bfloat16(array) else array
        for name, array in state.items()
    }


def _safe_to_borrow(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of integers that somebody could write to: the core uses them as indices."""
    is_safe = not isinstance(array, np.ndarray) or array.dtype.kind != "i" or not array.flags.writeable
    return array if is_safe else array.copy()


def _per_label(name: str, values: NDArray[Any], n_labels: int) -> NDArray[Any]:
    if values.shape != (n_labels,):
        raise InputError(f"{name} has shape {values.shape}; accepted is ({n_labels},), one per label.")
    return np.ascontiguousarray(values)


def effective_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` stands for.

    Parameters
    ----------
    n_jobs : int or None
        A positive number as it is; -1 for all CPUs that this process may use, -2 for all but one, ...; None
        for all of them, but no more than ``OMP_NUM_THREADS``, which joblib sets in its workers.

    Raises
    ------
    InputError
        Zero, or no integer.
    """
    if n_jobs is None:
        cpus, limit = _core.available_cpus(), os.environ.get("OMP_NUM_THREADS", "")
        return min(cpus, int(limit)) if limit.isdecimal() and int(limit) > 0 else cpus
    number = as_int(n_jobs)
    if not number:
        raise InputError(
            f"n_jobs is {n_jobs!r}; accepted are None, a positive number of threads, or -1 for all CPUs."
        )
    return number if number > 0 else max(1, _core.available_cpus() + 1 + number)
