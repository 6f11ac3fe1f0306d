"""The whole algorithm in plain NumPy: the executable specification of the C++ core.

`Network` has the interface of ``_core.Network`` and computes the same numbers, up to the rounding of float32:
the same random numbers, active sets, hash tables and updates. It is written to be read, and to be compared
with; nothing is fast here. One step is `Network.train_batch`:

    features -> hidden layers -> active sets -> logits -> loss -> gradients -> updates -> re-hash

Each part has a file of its own in this package. Not specified is ``update="hogwild"`` on several threads,
whose result depends on their race; on one thread it is the same as "owner".
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide import _core
from hashslide.reference.active_sets import ActiveSets, LabelPrior
from hashslide.reference.layers import Activations, Neurons, Parameters, make_layers
from hashslide.reference.loss import LOSSES
from hashslide.reference.ranker import CANDIDATES, Ranker, candidates_of
from hashslide.reference.rng import CounterRng
from hashslide.reference.rounding import nearest
from hashslide.reference.selector import Selector
from hashslide.settings import SGD, NetworkConfig

__all__ = ["Network", "StepStats"]


def __dir__() -> list[str]:
    return __all__


@dataclass
class StepStats:
    """What one batch reports: the summed loss and the size of the active set."""

    loss: float
    active: int


class Network:
    """Sparse input -> hidden layers -> output on the active set; interface of ``_core.Network``.

    Parameters
    ----------
    config : NetworkConfig
    initialise : bool
        Whether hash tables of the first weights are built; otherwise the arrays are about to be restored.
    """

    def __init__(self, config: NetworkConfig, initialise: bool = True):
        self.config = config
        self.layers = make_layers(config)
        weight = np.zeros((config.n_labels, config.width), np.float32)
        selector = Selector(config.sampler, config.hash, *weight.shape, config.seed)
        self.output = Neurons(config, weight, selector, config.seed)
        self.ranker = Ranker(config.n_features, config.n_labels)
        self.prior = LabelPrior(config.n_labels)
        self.label_weight = np.ones(config.n_labels, np.float32)
        self.step = 0
        if initialise:
            self._build_tables()

    def _build_tables(self) -> None:
        """Hidden weights are worth hashing from the start; output weights start at 0 and wait."""
        for layer in self.layers:
            layer.build_tables()

    def train_batch(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        y_indptr: NDArray[np.int64],
        y_indices: NDArray[np.int32],
        rows: NDArray[np.int64],
        sample_weight: NDArray[np.float32] | None,
        learning_rate: float,
        n_threads: int,
    ) -> StepStats:
        """One step on the given rows."""
        c = self.config
        self.step += 1
        rate = learning_rate / len(rows) if isinstance(c.optimizer, SGD) else learning_rate
        x = self._features(x_indptr, x_indices, x_data)[rows]
        targets = [y_indices[y_indptr[row] : y_indptr[row + 1]] for row in rows]

        a = self._inputs(self._drop_features(x))
        flow, masks = [a], []  # without dropout, and what it multiplies
        for layer in self.layers:
            flow.append(layer.forward(a, self.step))
            masks.append(layer.dropout.mask(flow[-1].values.shape, self.step))
            a = replace(flow[-1], values=flow[-1].values * masks[-1])

        self.sets = sets = self._active_sets(a, targets)
        rounded = self._rounded_factors
        z = self.output.products(rounded(a.values))
        losses, dz = self._losses(z, sets)
        weights = self._example_weights(targets, 1 if sample_weight is None else sample_weight[rows])
        dz *= weights[:, None]

        gradient = rounded(dz) @ self.output.weight
        self.output.update(a, dz, sets.touched, False, rate, self.step, rounded)
        for layer, mask in zip(reversed(self.layers), reversed(masks), strict=True):
            gradient = layer.backward_and_update(gradient * mask, rate, self.step)
        parts = [*self.layers, self.output]
        for part, inputs in zip(parts, flow, strict=True):
            part.rehash(inputs.values, self.step)
        return StepStats(float(losses @ weights), sets.size)

    def _features(
        self, indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32]
    ) -> sparse.csr_matrix:
        """All rows, scaled."""
        shape = (len(indptr) - 1, self.config.n_features)
        return sparse.csr_matrix((data * np.float32(self.config.input_scale), indices, indptr), shape=shape)

    def _rounded_factors(self, values: NDArray[Any]) -> NDArray[Any]:
        """The factors of the products with the active set's bfloat16 weights, which the CPU may round too."""
        has_unit = _core.build_info()["bf16_unit"] is not None
        return nearest(values) if has_unit and self.config.precision == "bfloat16" else values

    def _inputs(self, x: sparse.csr_matrix) -> Activations:
        values = x.toarray()
        return Activations(values, values != 0, True, values.any(axis=1))

    def _drop_features(self, x: sparse.csr_matrix) -> sparse.csr_matrix:
        """Each stored value is dropped with probability p, or else divided by 1 - p."""
        p = np.float32(self.config.input_dropout)
        example = np.repeat(np.arange(x.shape[0], dtype=np.uint64), np.diff(x.indptr))
        place = (np.arange(x.nnz) - np.repeat(x.indptr[:-1], np.diff(x.indptr))).astype(np.uint64)
        rng = CounterRng(self.config.seed, "input_dropout", self.step)
        kept = x.copy()
        kept.data *= (rng.uniform((example << np.uint64(32)) | place) >= p) / (1 - p)
        return kept

    def _active_sets(self, a: Activations, targets: list[NDArray[Any]]) -> ActiveSets:
        sampled: list[list[int]] = [[] for _ in targets]
        if self.config.sampler is not None:
            sampled = self.output.select(a.values, self.step, targets)
        return ActiveSets(self.config, self.prior, targets, sampled, self.step)

    def _losses(self, z: NDArray[Any], sets: ActiveSets) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Loss of each example, and dLoss/dz, 0 where not active."""
        losses, dz = np.zeros(len(z)), np.zeros_like(z)
        for b, (labels, true, shift) in enumerate(zip(sets.labels, sets.targets, sets.shift, strict=True)):
            args = z[b, labels], np.isin(labels, true), shift, self.label_weight[labels]
            losses[b], dz[b, labels] = LOSSES[self.config.loss](*args)
        return losses, dz

    def _example_weights(
        self, targets: list[NDArray[Any]], sample_weight: NDArray[np.float32] | int
    ) -> NDArray[np.float32]:
        n_targets = np.array([max(1, len(labels)) for labels in targets])
        by_labels = (self.prior.mean_labels / n_targets) ** self.config.example_power
        return (by_labels * sample_weight).astype(np.float32)

    def hidden(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        n_threads: int = 1,
        layers: int | None = None,
    ) -> NDArray[np.float32]:
        """Activations after the first `layers` hidden layers, by default all, (n, width)."""
        a = self._inputs(self._features(x_indptr, x_indices, x_data))
        for layer in self.layers[:layers]:
            a = layer.predict(a)
        return a.values

    def logits(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        n_threads: int = 1,
    ) -> NDArray[np.float32]:
        """Logits of all labels, (n, n_labels)."""
        x = self._features(x_indptr, x_indices, x_data)
        z = self.output.products(self.hidden(x_indptr, x_indices, x_data))
        return self.ranker.scores(z, x)

    def predict_topk(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        k: int,
        n_threads: int = 1,
        exclude: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and logits of the k best labels, best first, ties by the smaller id.

        exclude: offsets and ids of labels that each example must not get. -1 and -infinity: none is left.
        """
        z = self.logits(x_indptr, x_indices, x_data)
        allowed = np.ones(z.shape, bool)
        if exclude is not None:
            allowed[np.repeat(np.arange(len(z)), np.diff(exclude[0])), exclude[1]] = False
        every = np.broadcast_to(np.arange(z.shape[1]), z.shape)
        ids = np.lexsort((every, -z, ~allowed), axis=1)[:, :k]
        is_left = np.take_along_axis(allowed, ids, axis=1)
        return np.where(is_left, ids, -1), np.where(is_left, np.take_along_axis(z, ids, axis=1), -np.inf)

    def set_label_prior(self, counts: NDArray[np.int64], n_examples: int, reset_bias: bool = True) -> None:
        """Label frequencies; the output bias starts at the log odds (bce) or the log frequency (softmax)."""
        self.prior.set(counts, n_examples, self.config.negatives.popular)
        if reset_bias:
            f = self.prior.frequency(slice(None))
            self.output.bias[:, 0] = np.log(f / (1 - f)) if self.config.loss == "bce" else np.log(f)

    def set_label_weight(self, weight: NDArray[np.float32]) -> None:
        """Weight of each label's positive term in the loss."""
        self.label_weight = np.array(weight, np.float32)

    def learn_ranker(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        y_indptr: NDArray[np.int64],
        y_indices: NDArray[np.int32],
        sample_weight: NDArray[np.float32] | None,
        n_threads: int = 1,
    ) -> Ranker:
        """A ranker from training data and the best labels of each example."""
        x, y = self._examples(x_indptr, x_indices, x_data, y_indptr, y_indices)
        best = self.predict_topk(
            x_indptr, x_indices, x_data, min(candidates_of(len(x_indptr) - 1), self.config.n_labels)
        )[0]
        return Ranker.learn(x, y, best, self.config.seed, max(64, self.config.width), sample_weight)

    def set_ranker(self, ranker: Ranker, blend: tuple[float, ...]) -> None:
        """Add what it says to the logits from now on."""
        ranker.weigh(blend, np.log(self.prior.frequency(slice(None))))
        self.ranker = ranker

    def update_ranker(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        y_indptr: NDArray[np.int64],
        y_indices: NDArray[np.int32],
        n_threads: int = 1,
    ) -> None:
        """Let its weights learn from further examples."""
        x, y = self._examples(x_indptr, x_indices, x_data, y_indptr, y_indices)
        best = self.predict_topk(x_indptr, x_indices, x_data, min(CANDIDATES, self.config.n_labels))[0]
        self.ranker.update(x, y, best, self.config.seed, self.step)

    def _examples(
        self,
        x_indptr: NDArray[np.int64],
        x_indices: NDArray[np.int32],
        x_data: NDArray[np.float32],
        y_indptr: NDArray[np.int64],
        y_indices: NDArray[np.int32],
    ) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        n, c = len(x_indptr) - 1, self.config
        y = sparse.csr_matrix((np.ones(len(y_indices)), y_indices, y_indptr), shape=(n, c.n_labels))
        return sparse.csr_matrix((x_data, x_indices, x_indptr), shape=(n, c.n_features)), y

    def grow(self, n_features: int, n_labels: int) -> None:
        """Add features, below a dense first layer, and labels as likely as the least likely old one."""
        c = self.config
        n_features, n_labels = max(n_features, c.n_features), max(n_labels, c.n_labels)
        self.config = c.grown(n_features, n_labels)
        if n_features > c.n_features:
            self.layers[0].grow(n_features)
        if n_labels > c.n_labels:
            self.output.grow(n_labels)
            self.prior.grow(n_labels)
            self.label_weight = np.pad(self.label_weight, (0, n_labels - c.n_labels), constant_values=1)
        self.ranker.grow(n_features, n_labels, np.log(self.prior.frequency(slice(None))))

    def _parts(self) -> dict[str, Parameters]:
        """All layers by the names of their arrays."""
        names = [
            "input" if i == 0 and layer.is_dense else f"hidden{i}"
            for i, layer in enumerate(self.config.hidden)
        ]
        return {**dict(zip(names, self.layers, strict=True)), "output": self.output}

    def state(self) -> dict[str, NDArray[Any]]:
        """Every array of the model, of its optimiser and of its hash tables, by name."""
        arrays = {
            f"{name}.{key}": array
            for name, part in self._parts().items()
            for key, array in (part.arrays() | part.optimizer_arrays() | part.index_arrays()).items()
        }
        return (
            arrays
            | self.ranker.arrays()
            | {"label_counts": self.prior.counts, "progress": np.array([self.step, self.prior.n_examples])}
        )

    @staticmethod
    def from_state(config: NetworkConfig, state: dict[str, NDArray[Any]], copy: bool = True) -> "Network":
        """A network with copies of the arrays; those of the optimiser and the tables may be missing."""
        network = Network(config, initialise=False)
        for name, part in network._parts().items():
            part.restore(name, state)
        network.ranker.restore(state)
        network.step, n_examples = state["progress"].tolist()
        network.set_label_prior(state["label_counts"], n_examples, reset_bias=False)
        network._build_tables()
        return network
