"""The whole algorithm in plain NumPy: the executable specification of the C++ core.

`Network` has the interface of ``_core.Network`` and computes the same numbers, up to the rounding of float32:
the same random numbers, the same active sets, the same updates. It is written to be read, and to be compared
with; nothing is fast here. One step is `Network.train_batch`:

    features -> hidden -> active set -> logits -> loss -> gradients -> updates of touched rows -> re-hash
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp

from hashslide._counter_rng import CounterRng
from hashslide._reference_hashing import HardNegatives


class Optimizer:
    """Updates the given rows of a matrix (or items of a vector); other rows cost nothing.

    adagrad  row-wise: s += mean(g^2), w -= rate g / sqrt(s0 + s)            (Duchi, Hazan & Singer 2011)
    adam     lazy: the moments of a row change only when it is touched       (Kingma & Ba 2015)
    sgd      heavy ball, equally lazy: u = momentum u + g, w -= rate u
    """

    def __init__(self, config, shape: tuple[int, int]):
        self.config = config
        names = {
            "adagrad": ["adagrad"],
            "adam": ["adam_m", "adam_v"],
            "sgd": ["velocity"] if config.momentum else [],
        }
        widths = {"adagrad": 1}
        self.arrays = {
            name: np.zeros((shape[0], widths.get(name, shape[1])), np.float32)
            for name in names[config.optimizer]
        }

    def update(self, weight: NDArray, rows: NDArray, gradient: NDArray, rate: float, step: int) -> None:
        """weight: (n, width), changed in place; gradient: (len(rows), width)."""
        c = self.config
        weight[rows] *= 1 - rate * c.weight_decay
        if c.optimizer == "adagrad":
            s = self.arrays["adagrad"]
            s[rows] += (gradient**2).mean(axis=1, keepdims=True)
            weight[rows] -= rate / np.sqrt(c.initial_accumulator + s[rows]) * gradient
        elif c.optimizer == "adam":
            m, v = self.arrays["adam_m"], self.arrays["adam_v"]
            m[rows] = c.beta1 * m[rows] + (1 - c.beta1) * gradient
            v[rows] = c.beta2 * v[rows] + (1 - c.beta2) * gradient**2
            m_hat, v_hat = m[rows] / (1 - c.beta1**step), v[rows] / (1 - c.beta2**step)
            weight[rows] -= rate * m_hat / (np.sqrt(v_hat) + c.epsilon)
        else:
            if c.momentum:
                u = self.arrays["velocity"]
                u[rows] = gradient = c.momentum * u[rows] + gradient
            weight[rows] -= rate * gradient


class DirectTerm:
    """A sparse linear term beside the network: a weight for each pair of feature and label that fit."""

    def __init__(self, config):
        self.config = config
        self.begin, self.labels = np.zeros(config.n_features + 1, np.int64), np.empty(0, np.int32)
        self.weight = self.accumulator = np.empty(0, np.float32)

    def choose_pairs(self, x: sparse.csr_matrix, y: sparse.csr_matrix, label_counts: NDArray) -> None:
        """For each feature the labels with the largest count * log(1 + lift)."""
        counts = ((x != 0).astype(np.float64).T @ y.astype(np.float64)).tocsr()
        examples = np.diff(x.tocsc().indptr)
        lists = [self._best(counts[[f]], n, label_counts, x.shape[0]) for f, n in enumerate(examples)]
        self.begin = np.cumsum([0, *map(len, lists)])
        self.labels = np.concatenate(lists).astype(np.int32)
        self.weight, self.accumulator = np.zeros((2, len(self.labels)), np.float32)

    def _best(self, count: sparse.csr_matrix, n_feature: int, label_counts: NDArray, n: int) -> NDArray:
        """count: how often each label occurs with the feature, (1, n_labels)."""
        often = count.data >= self.config.direct_min_count
        labels, count = count.indices[often], count.data[often]
        lift = count * n / (n_feature * label_counts[labels])
        order = np.lexsort((labels, -(count * np.log1p(lift)).astype(np.float32)))
        return np.sort(labels[order[: self.config.direct]])

    def _matrix(self, data: NDArray) -> sparse.csr_matrix:
        shape = (self.config.n_features, self.config.n_labels)
        return sparse.csr_matrix((data, self.labels, self.begin), shape=shape)

    def logits(self, x: sparse.csr_matrix) -> NDArray[np.float32]:
        """What the term adds to the logits, (n, n_labels)."""
        return (x @ self._matrix(self.weight)).toarray()

    def update(self, x: sparse.csr_matrix, active: NDArray, dz: NDArray, rate: float) -> None:
        """Adagrad, entry by entry, of the pairs of a feature of the batch and an active label."""
        c = self.config
        gradient = np.zeros((c.n_features, c.n_labels), np.float32)
        gradient[:, active] = x.T @ dz
        g = gradient[np.repeat(np.arange(c.n_features), np.diff(self.begin)), self.labels]
        self.accumulator += g**2
        self.weight -= rate * c.direct_rate * g / np.sqrt(c.direct_accumulator + self.accumulator)

    def arrays(self) -> dict[str, NDArray]:
        """Its part of the state; none if there are no pairs."""
        names = ("direct.begin", "direct.labels", "direct.weight", "direct.adagrad")
        arrays = (self.begin, self.labels, self.weight, self.accumulator)
        return dict(zip(names, arrays, strict=True)) if len(self.labels) else {}

    def restore(self, state: dict[str, NDArray]) -> None:
        """Take its part of a state."""
        if "direct.labels" in state:
            self.begin, self.labels = state["direct.begin"].copy(), state["direct.labels"].copy()
            self.weight = state["direct.weight"].copy()
            self.accumulator = state.get("direct.adagrad", np.zeros_like(self.weight)).copy()


@dataclass
class StepStats:
    """What one batch reports: the summed loss and the size of the active set."""

    loss: float
    active: int


def binary_cross_entropy(z, target, shift, label_weight):
    """One-vs-all: sum of log(1 + exp(z)) - t z, on logits corrected for the sampling of the negatives.

    A label is in the active set with probability r: training on z - log r makes z itself estimate the log
    odds (Prentice & Pyke 1979). Returns the loss of each row and dLoss/dz.
    """
    z = z - shift
    losses = np.where(target, label_weight * np.logaddexp(0, -z), np.logaddexp(0, z)).sum(axis=1)
    sigmoid = np.exp(-np.logaddexp(0, -z))
    return losses, np.where(target, label_weight * (sigmoid - 1), sigmoid)


def softmax_cross_entropy(z, target, shift, label_weight):
    """log sum exp(z) - mean of z over the targets; negatives are weighted by 1 / r (Bengio & Senecal 2008).

    A row without a target has no loss. Returns the loss of each row and dLoss/dz.
    """
    z = z - np.where(target, 0, shift)
    share = np.where(target, label_weight, 0) / np.maximum(target.sum(axis=1, keepdims=True), 1)
    log_sum = logsumexp(z, axis=1, keepdims=True)
    losses = (share * (log_sum - z)).sum(axis=1)
    return losses, share.sum(axis=1, keepdims=True) * np.exp(z - log_sum) - share


LOSSES = {"bce": binary_cross_entropy, "softmax": softmax_cross_entropy}
ACTIVATIONS = {"identity": lambda a: a, "relu": lambda a: np.maximum(a, 0), "tanh": np.tanh}
DERIVATIVES = {
    "identity": np.ones_like,
    "relu": lambda h: (h > 0).astype(h.dtype),
    "tanh": lambda h: 1 - h * h,
}


class Network:
    """Sparse input -> hidden layer -> output on the active set; interface of ``_core.Network``.

    Parameters
    ----------
    config : NetworkConfig
        Of `hashslide.config` or of the core.
    """

    def __init__(self, config):
        self.config = SimpleNamespace(
            **{name: getattr(config, name) for name in dir(config) if name[0] != "_"}
        )
        c, d, n_labels, h = self.config, config.n_features, config.n_labels, config.hidden
        self.weights = {
            "input.weight": self._first_weights(0, d),
            "input.bias": np.zeros((1, h), np.float32),
            "output.weight": np.zeros((n_labels, h), np.float32),
            "output.bias": np.zeros((n_labels, 1), np.float32),
        }
        self.optimizers = {name: Optimizer(c, weight.shape) for name, weight in self.weights.items()}
        self.label_counts, self.n_examples = np.zeros(n_labels, np.int64), 0
        self.label_weight = np.ones(n_labels, np.float32)
        self.popular = np.empty(0, np.int64)
        self.mean_labels = 1.0
        self.hard_negatives = HardNegatives(c)
        self.direct = DirectTerm(c)
        self.step = 0

    def _first_weights(self, first: int, last: int) -> NDArray[np.float32]:
        """Uniform with the standard deviation `input_init`; rows first .. last - 1."""
        c = self.config
        index = np.arange(first * c.hidden, last * c.hidden, dtype=np.uint64)
        uniform = CounterRng(c.seed, "input_weight", 0).uniform(index) - np.float32(0.5)
        return (np.float32(c.input_init * np.sqrt(12)) * uniform).reshape(-1, c.hidden)

    def train_batch(
        self, x_indptr, x_indices, x_data, y_indptr, y_indices, rows, sample_weight, learning_rate, n_threads
    ) -> StepStats:
        """One step on the given rows."""
        c, w = self.config, self.weights
        self.step += 1
        rate = learning_rate / len(rows) if c.optimizer == "sgd" else learning_rate

        whole = self._batch(x_indptr, x_indices, x_data, rows)
        x = self._drop_features(whole)
        h, scale = self._hidden(x)
        mask = self._hidden_mask(h.shape)

        targets = [y_indices[y_indptr[row] : y_indptr[row + 1]] for row in rows]
        active = self._active_set(h * mask, targets)
        z = (h * mask) @ w["output.weight"][active].T + w["output.bias"][active].T
        z += self.direct.logits(whole)[:, active]

        target = np.array([np.isin(active, labels) for labels in targets])
        losses, dz = LOSSES[c.loss](z, target, self._shift(active, len(rows)), self.label_weight[active])
        n_targets = np.maximum(target.sum(axis=1), 1)
        row_weight = (self.mean_labels / n_targets) ** c.example_power
        row_weight *= 1 if sample_weight is None else sample_weight[rows]
        dz = (dz * row_weight[:, None]).astype(np.float32)

        dh = (dz @ w["output.weight"][active]) * mask
        if c.hidden_length:
            dh = (dh - h * (h * dh).sum(axis=1, keepdims=True) / c.hidden_length**2) * scale
        da = dh * DERIVATIVES[c.activation](h / scale)
        touched = np.unique(x.indices)
        updates = {
            "output.weight": (active, dz.T @ (h * mask)),
            "output.bias": (active, dz.sum(axis=0)[:, None]),
            "input.bias": (np.array([0]), da.sum(axis=0)[None, :]),
            "input.weight": (touched, (x[:, touched].T @ da)),
        }
        for name, (which, gradient) in updates.items():
            gradient = np.asarray(gradient, np.float32)
            self.optimizers[name].update(w[name], which, gradient, np.float32(rate), self.step)
        self.direct.update(whole, active, dz, rate)
        if c.hard:
            self.hard_negatives.rehash(self._points(), active, self.step)
        return StepStats(float(losses @ row_weight), len(active))

    def _hidden(self, x: sparse.csr_matrix) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """h = s activation(x W + b) and the factors s, (n, 1), which give h the length `hidden_length`."""
        a = x @ self.weights["input.weight"] + self.weights["input.bias"]
        h = ACTIVATIONS[self.config.activation](a)
        norm = np.linalg.norm(h, axis=1, keepdims=True)
        free = (norm == 0) | (self.config.hidden_length == 0)
        scale = np.where(free, 1, self.config.hidden_length / np.where(free, 1, norm)).astype(np.float32)
        return h * scale, scale

    def _batch(self, indptr, indices, data, rows) -> sparse.csr_matrix:
        """The rows of the batch, scaled."""
        return self._features(indptr, indices, data)[rows]

    def _features(self, indptr, indices, data) -> sparse.csr_matrix:
        shape = (len(indptr) - 1, self.config.n_features)
        return sparse.csr_matrix((data * np.float32(self.config.input_scale), indices, indptr), shape=shape)

    def _drop_features(self, x: sparse.csr_matrix) -> sparse.csr_matrix:
        """Each stored value is dropped with probability p, or else divided by 1 - p."""
        p = np.float32(self.config.input_dropout)
        example = np.repeat(np.arange(x.shape[0], dtype=np.uint64), np.diff(x.indptr))
        place = (np.arange(x.nnz) - np.repeat(x.indptr[:-1], np.diff(x.indptr))).astype(np.uint64)
        rng = CounterRng(self.config.seed, "input_dropout", self.step)
        kept = x.copy()
        kept.data *= (rng.uniform((example << np.uint64(32)) | place) >= p) / (1 - p)
        kept.eliminate_zeros()
        return kept

    def _hidden_mask(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        p = np.float32(self.config.hidden_dropout)
        index = np.arange(shape[0] * shape[1], dtype=np.uint64)
        kept = CounterRng(self.config.seed, "hidden_dropout", self.step).uniform(index) >= p
        return (kept / (1 - p)).astype(np.float32).reshape(shape)

    def _active_set(self, h, targets) -> NDArray[np.int64]:
        """Popular labels, the batch's own, uniform draws, hard negatives; each once, in this order."""
        c = self.config
        rng = CounterRng(c.seed, "uniform_negatives", self.step)
        uniform = rng.below(np.arange(c.uniform, dtype=np.uint64), c.n_labels)
        hard = self.hard_negatives.find(self._points(), h, targets) if c.hard else []
        sources = [self.popular, *targets, uniform, np.array(hard, np.int64)]
        return np.array(list(dict.fromkeys(np.concatenate(sources).tolist())), np.int64)

    def _points(self) -> NDArray[np.float32]:
        return np.column_stack([self.weights["output.weight"], self.weights["output.bias"]])

    def _shift(self, active, batch: int) -> NDArray[np.float32]:
        """prior_correction log r, with r the chance to be among the labels of a batch or the uniform draws.

        r = 1 - (1 - f)^batch (1 - 1 / (n_labels + 1))^uniform; popular labels are there for certain: 0.
        """
        c = self.config
        absent = batch * np.log1p(-self._frequency(active))
        undrawn = c.uniform * np.log1p(-1 / (c.n_labels + 1))
        log_r = np.log(-np.expm1(absent + undrawn)).astype(np.float32)
        log_r[: len(self.popular)] = 0
        return np.float32(c.prior_correction) * log_r

    def _frequency(self, labels) -> NDArray[np.float64]:
        """Share of the examples that carry the label, add-half smoothed."""
        return (self.label_counts[labels] + 0.5) / (self.n_examples + 1)

    def logits(self, x_indptr, x_indices, x_data, n_threads=1) -> NDArray[np.float32]:
        """Logits of all labels, (n, n_labels)."""
        w = self.weights
        x = self._features(x_indptr, x_indices, x_data)
        return self._hidden(x)[0] @ w["output.weight"].T + w["output.bias"].T + self.direct.logits(x)

    def predict_topk(self, x_indptr, x_indices, x_data, k, n_threads=1):
        """Ids and logits of the k best labels, best first, ties by the smaller id."""
        z = self.logits(x_indptr, x_indices, x_data)
        ids = np.argsort(-z, axis=1, kind="stable")[:, :k]
        return ids, np.take_along_axis(z, ids, axis=1)

    def set_label_prior(self, counts, n_examples: int, reset_bias: bool = True) -> None:
        """Label frequencies; the output bias starts at the log odds (bce) or the log frequency (softmax)."""
        self.label_counts, self.n_examples = np.array(counts, np.int64), n_examples
        self.popular = np.argsort(-self.label_counts, kind="stable")[: self.config.popular]
        self.mean_labels = max(1, self.label_counts.sum()) / max(1, n_examples)
        if reset_bias:
            f = self._frequency(slice(None))
            bias = np.log(f / (1 - f)) if self.config.loss == "bce" else np.log(f)
            self.weights["output.bias"][:] = bias[:, None]

    def set_label_weight(self, weight) -> None:
        """Weight of each label's positive term in the loss."""
        self.label_weight = np.array(weight, np.float32)

    def choose_direct_pairs(self, x_indptr, x_indices, y_indptr, y_indices, n_threads=1) -> None:
        """Choose the pairs of the direct term from training data; after `set_label_prior`."""
        c, n = self.config, len(x_indptr) - 1
        if c.direct:
            x = sparse.csr_matrix((np.ones(len(x_indices)), x_indices, x_indptr), shape=(n, c.n_features))
            y = sparse.csr_matrix((np.ones(len(y_indices)), y_indices, y_indptr), shape=(n, c.n_labels))
            self.direct.choose_pairs(x, y, self.label_counts)

    def grow(self, n_features: int, n_labels: int) -> None:
        """Add features with random weights, and labels with zero weights that are as likely as the rarest."""
        c = self.config
        new_rows = self._first_weights(c.n_features, max(c.n_features, n_features))
        self.weights["input.weight"] = np.concatenate([self.weights["input.weight"], new_rows])
        new_labels = max(0, n_labels - c.n_labels)
        for name in ("output.weight", "output.bias"):
            self.weights[name] = _pad_rows(self.weights[name], new_labels)
            self.optimizers[name].arrays = {
                k: _pad_rows(a, new_labels) for k, a in self.optimizers[name].arrays.items()
            }
        self.weights["output.bias"][c.n_labels :] = self.weights["output.bias"][: c.n_labels].min()
        arrays = self.optimizers["input.weight"].arrays
        self.optimizers["input.weight"].arrays = {k: _pad_rows(a, len(new_rows)) for k, a in arrays.items()}
        self.label_counts = np.pad(self.label_counts, (0, new_labels))
        self.label_weight = np.pad(self.label_weight, (0, new_labels), constant_values=1)
        self.direct.begin = np.pad(self.direct.begin, (0, len(new_rows)), mode="edge")
        c.n_features, c.n_labels = c.n_features + len(new_rows), c.n_labels + new_labels
        self.hard_negatives.grow(c.n_labels)

    def state(self) -> dict[str, NDArray]:
        """Every array of the model and of its optimiser, by name."""
        arrays = {name: _as_core(name, weight) for name, weight in self.weights.items()}
        for name, optimizer in self.optimizers.items():
            arrays |= {f"{name}.{key}": _as_core(key, array) for key, array in optimizer.arrays.items()}
        arrays |= self.direct.arrays()
        return arrays | {
            "label_counts": self.label_counts,
            "progress": np.array([self.step, self.n_examples]),
        }

    @staticmethod
    def from_state(config, state: dict[str, NDArray], copy: bool) -> "Network":
        """A network with copies of the arrays of `state`; the optimiser's may be missing."""
        network = Network(config)
        for name, weight in network.weights.items():
            weight[:] = state[name].reshape(weight.shape)
            for key, array in network.optimizers[name].arrays.items():
                if f"{name}.{key}" in state:
                    array[:] = state[f"{name}.{key}"].reshape(array.shape)
        network.direct.restore(state)
        step, n_examples = state["progress"].tolist()
        network.set_label_prior(state["label_counts"], n_examples, reset_bias=False)
        network.step = step
        return network


def _as_core(name: str, array: NDArray) -> NDArray:
    """Columns are vectors outside, and so is the input bias."""
    return array.ravel() if name == "input.bias" or array.shape[1] == 1 else array


def _pad_rows(array: NDArray, n: int) -> NDArray:
    return np.pad(array, ((0, n), (0, 0)))
