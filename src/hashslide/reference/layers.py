"""The layers in NumPy: forward, backward, updates, predictions. Part of the specification in reference.py.

Examples come in rows. Of the units of a layer only some may be active for an example; the others are 0 and
neither read nor updated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.precision import to_float32
from hashslide.reference.active_sets import distinct
from hashslide.reference.optimizer import Optimizer, pad_rows
from hashslide.reference.rng import CounterRng, mix
from hashslide.reference.rounding import RandomRounding, bfloat16_bits, nearest
from hashslide.reference.selector import Selector
from hashslide.settings import Layer, NetworkConfig, Standout, Uniform

__all__ = [
    "ACTIVATIONS",
    "DERIVATIVES",
    "Activations",
    "Dropout",
    "HiddenLayer",
    "InputLayer",
    "Neurons",
    "Parameters",
    "UnitFunction",
    "first_weights",
    "make_layers",
]


def __dir__() -> list[str]:
    return __all__


Function = Callable[[NDArray[Any]], NDArray[Any]]

ACTIVATIONS: dict[str, Function] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
}
# In terms of a = activation(z).
DERIVATIVES: dict[str, Function] = {
    "identity": np.ones_like,
    "relu": lambda a: (a > 0).astype(a.dtype),
    "tanh": lambda a: 1 - a * a,
}


@dataclass
class Activations:
    """What flows from one layer to the next.

    Attributes
    ----------
    values : float32 array of shape (examples, units)
        0 where not active.
    active : bool array of the same shape
    sparse : bool
        Whether the layer chooses its units; then those with a value of 0 are not active, while all those of a
        dense layer are.
    has_features : bool array of shape (examples,)
        Whether the example has any, below all layers.
    """

    values: NDArray[np.float32]
    active: NDArray[np.bool_]
    sparse: bool
    has_features: NDArray[np.bool_]

    @classmethod
    def dense(cls, values: NDArray[Any], has_features: NDArray[np.bool_]) -> "Activations":
        """All units are active."""
        return cls(values, np.ones_like(values, bool), False, has_features)


def first_weights(deviation: float, seed: int, first: int, last: int, width: int) -> NDArray[np.float32]:
    """Rows first .. last - 1 of a matrix of uniform numbers with the given standard deviation."""
    uniform = CounterRng(seed, "input_weight", 0).uniform(
        np.arange(first * width, last * width, dtype=np.uint64)
    )
    return (np.float32(deviation * np.sqrt(12)) * (uniform - np.float32(0.5))).reshape(-1, width)


class Parameters:
    """A matrix with one row of weights for each input or neuron, a bias, and their optimisers.

    The weights may be rounded to bfloat16, whose numbers a float32 array holds here.
    """

    def __init__(
        self,
        config: NetworkConfig,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        rounding: RandomRounding,
    ):
        self.is_half = config.precision == "bfloat16"
        self.weight, self.bias = nearest(weight) if self.is_half else weight, bias
        self.weight_optimizer = Optimizer(config, weight.shape, rounding if self.is_half else None)
        self.bias_optimizer = Optimizer(config, bias.shape)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The parameters; the bias is a vector outside."""
        weight = bfloat16_bits(self.weight) if self.is_half else self.weight
        return {"weight": weight, "bias": self.bias.ravel()}

    def optimizer_arrays(self) -> dict[str, NDArray[Any]]:
        """The state of the optimisers; columns are vectors outside."""
        return {
            f"{part}.{name}": array.ravel() if array.shape[1] == 1 else array
            for part, optimizer in (("weight", self.weight_optimizer), ("bias", self.bias_optimizer))
            for name, array in optimizer.arrays.items()
        }

    def index_arrays(self) -> dict[str, NDArray[Any]]:
        """The hash tables, where there are some."""
        return {}

    def restore(self, name: str, state: dict[str, NDArray[Any]]) -> None:
        """Copy the arrays of this name; those of the optimisers and tables may be missing."""
        self.weight[:] = to_float32(state[f"{name}.weight"])
        self.bias.ravel()[:] = state[f"{name}.bias"]
        for key, array in self.optimizer_arrays().items():
            if f"{name}.{key}" in state:
                array[:] = state[f"{name}.{key}"]


class UnitFunction:
    """What a dense layer makes of an example: h = s a, a = activation(z).

    ``s = length / sqrt(|a|^2 + (softness length)^2)``. Where the length is 0, s = 1; otherwise s = 0 where
    there are no features.
    """

    def __init__(self, layer: Layer) -> None:
        self.activation, self.length = layer.activation, np.float32(layer.length)
        self.softness = np.float32(layer.softness)

    def forward(self, z: NDArray[np.float32], has_features: NDArray[np.bool_]) -> NDArray[np.float32]:
        """h, (examples, units)."""
        a = ACTIVATIONS[self.activation](z)
        norm = np.linalg.norm(a, axis=1, keepdims=True)
        free = (norm == 0) | (self.length == 0)
        norm = np.sqrt(norm**2 + (self.softness * self.length) ** 2)
        scale = np.where(free, 1, self.length / np.where(free, 1, norm))
        known = has_features[:, None] | (self.length == 0)
        self.scale = np.where(known, scale, 0).astype(np.float32)
        self.h = a * self.scale
        return self.h

    def backward(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """From g = dLoss/dh to dLoss/dz.

        Whatever the softness, ``dLoss/da = s (g - h (h . g) / length^2)``.
        """
        if self.length:
            along = (self.h * gradient).sum(axis=1, keepdims=True) / self.length**2
            gradient = (gradient - self.h * along) * self.scale
        a = self.h / np.where(self.scale == 0, 1, self.scale)
        return gradient * DERIVATIVES[self.activation](a)


class Dropout:
    """What the activations of a dense layer, and their gradients, are multiplied by in training."""

    def __init__(self, config: NetworkConfig, layer: Layer, number: int) -> None:
        self.seed, self.share, self.first = config.seed, np.float32(layer.dropout), np.uint64(number << 40)

    def mask(self, shape: tuple[int, int], step: int) -> NDArray[np.float32]:
        """0 for the share of the units that is left out, 1 / (1 - share) for the others."""
        index = self.first + np.arange(shape[0] * shape[1], dtype=np.uint64)
        kept = CounterRng(self.seed, "hidden_dropout", step).uniform(index) >= self.share
        return (kept / (1 - self.share)).astype(np.float32).reshape(shape)


class InputLayer(Parameters):
    """A dense layer over sparse input, one row of W an input: only the rows of active inputs are touched.

    The first layer over features, or one over a layer that selects its neurons.
    """

    def __init__(
        self, config: NetworkConfig, layer: Layer, width: int, number: int, deviation: float, seed: int
    ):
        self.function, self.dropout = UnitFunction(layer), Dropout(config, layer, number)
        self.deviation, self.seed = deviation, seed
        weight = first_weights(deviation, seed, 0, width, layer.width)
        bias, rounding = np.zeros((1, layer.width), np.float32), RandomRounding(seed, "input_rounding")
        super().__init__(config, weight, bias, rounding)

    def forward(self, x: Activations, step: int) -> Activations:
        """In training and in predictions."""
        self.x = x
        h = self.function.forward(x.values @ self.weight + self.bias, x.has_features)
        return Activations.dense(h, x.has_features)

    def predict(self, x: Activations) -> Activations:
        """The same function."""
        return self.forward(x, 0)

    def backward_and_update(self, gradient: NDArray[Any], rate: float, step: int) -> NDArray[np.float32]:
        """gradient: dLoss/dh. Returns dLoss/dx."""
        dz = self.function.backward(gradient)
        gradient_in = dz @ self.weight.T
        touched = np.flatnonzero(self.x.active.any(axis=0))
        self.bias_optimizer.update(self.bias, np.array([0]), dz.sum(axis=0)[None, :], rate, step)
        self.weight_optimizer.update(self.weight, touched, self.x.values[:, touched].T @ dz, rate, step)
        return gradient_in

    def build_tables(self) -> None:
        """There are none."""

    def rehash(self, inputs: NDArray[Any], step: int) -> None:
        """There are no tables."""

    def grow(self, n_features: int) -> None:
        """New features have random weights."""
        old, width = self.weight.shape
        new = first_weights(self.deviation, self.seed, old, n_features, width)
        self.weight = np.concatenate([self.weight, nearest(new) if self.is_half else new])
        self.weight_optimizer.grow(n_features)


class Neurons(Parameters):
    """Neurons over the units of a layer: z = a W^T + b, one row of W a neuron."""

    def __init__(self, config: NetworkConfig, weight: NDArray[np.float32], selector: Selector, seed: int):
        bias, rounding = np.zeros((len(weight), 1), np.float32), RandomRounding(seed, "rounding")
        super().__init__(config, weight, bias, rounding)
        self.selector, self.touched = selector, np.empty(0, np.int64)

    def products(self, a: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of all neurons, (examples, neurons)."""
        return a @ self.weight.T + self.bias.T

    def select(
        self, a: NDArray[Any], step: int, uncounted: list[NDArray[Any]] | None = None
    ) -> list[list[int]]:
        """The neurons that the selector chooses for each example."""
        return self.selector.select(self.weight, self.bias[:, 0], a, step, uncounted)

    def update(
        self,
        a: Activations,
        dz: NDArray[Any],
        touched: NDArray[Any],
        by_pair: bool,
        rate: float,
        step: int,
        rounded: Function = lambda values: values,
    ) -> None:
        """Update the touched neurons; dz: (examples, neurons), 0 where not active.

        by_pair: only what the pairs of an example and a neuron with a gradient touch: the weights of units
        that are active in such an example. Otherwise, and above a dense layer, whole rows. rounded: what
        becomes of the factors of the product.
        """
        self.touched = touched
        dz = dz[:, touched]
        entries = (dz != 0).T.astype(np.int64) @ a.active > 0 if by_pair and a.sparse else True
        self.weight_optimizer.update(
            self.weight, touched, rounded(dz).T @ rounded(a.values), rate, step, entries
        )
        self.bias_optimizer.update(self.bias, touched, dz.sum(axis=0)[:, None], rate, step)

    def index_arrays(self) -> dict[str, NDArray[Any]]:
        """The hash tables, where there are some."""
        index = self.selector.index
        return {f"index.{key}": array for key, array in index.state().items()} if index else {}

    def restore(self, name: str, state: dict[str, NDArray[Any]]) -> None:
        """Copy the arrays of this name; those of the optimisers and tables may be missing."""
        super().restore(name, state)
        prefix = f"{name}.index."
        if saved := {
            key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)
        }:
            assert self.selector.index is not None
            self.selector.index.restore(saved)

    def rehash(self, inputs: NDArray[Any], step: int) -> None:
        """Step 8, where there are tables; inputs: of this step."""
        if index := self.selector.index:
            index.map.observe(inputs)
            index.touch(self.touched)
            index.maintain(self.weight, self.bias[:, 0], step)

    def grow(self, n: int) -> None:
        """New neurons have weights of 0 and the least bias: they displace none before their first update."""
        old = len(self.weight)
        self.weight, self.bias = pad_rows(self.weight, n), pad_rows(self.bias, n)
        self.bias[old:] = self.bias[:old].min()
        self.weight_optimizer.grow(n)
        self.bias_optimizer.grow(n)
        if self.selector.index:
            self.selector.index.grow(n)


class HiddenLayer(Neurons):
    """A layer that chooses its neurons, or a dense one over dense input or over dropout."""

    def __init__(
        self, config: NetworkConfig, layer: Layer, width: int, number: int, deviation: float, seed: int
    ):
        weight = first_weights(deviation, seed, 0, layer.width, width)
        super().__init__(config, weight, Selector(layer.sampler, layer.hash, layer.width, width, seed), seed)
        self.activation, self.sampler, self.winners = layer.activation, layer.sampler, layer.winners
        self.function, self.dropout = UnitFunction(layer), Dropout(config, layer, number)

    def build_tables(self) -> None:
        """Build the tables, if there are some and they have not been built."""
        index = self.selector.index
        if index and not index.builds:
            index.build(self.weight, self.bias[:, 0])

    @property
    def is_dense(self) -> bool:
        """Whether all neurons are active."""
        return self.sampler is None

    @property
    def training_factor(self) -> float:
        """Dropout: a neuron that is drawn counts 1 / its chance to be drawn (Srivastava et al. 2014)."""
        s, n = self.sampler, len(self.weight)
        if not isinstance(s, Uniform):
            return 1
        assert s.budget is not None
        return 1 / (1 - (1 - 1 / n) ** s.budget)

    def forward(self, a: Activations, step: int) -> Activations:
        """In training."""
        chosen = self._choose(a, step)
        self.inputs, self.outputs = a, self._activate(a, chosen, np.float32(self.training_factor))
        rows: Sequence[ArrayLike] = chosen or [np.arange(len(self.weight))]
        ids = [np.asarray(row, np.int64) for row in rows]
        self.active_neurons = distinct(*(i[row[i]] for i, row in zip(ids, self.outputs.active, strict=False)))
        return self.outputs

    def predict(self, a: Activations) -> Activations:
        """Dropout weighs all neurons by their chance; the other samplers choose as in training, at step 0."""
        s = self.sampler
        if not (s is None or isinstance(s, Uniform | Standout)):
            return self._activate(a, self._choose(a, 0), np.float32(1))
        z = self.products(a.values)
        values = self.function.forward(z, a.has_features)
        if isinstance(s, Standout):
            values = values / (1 + np.exp(-(np.float32(s.alpha) * z + np.float32(s.beta))))
        return Activations.dense(values, a.has_features)

    def _choose(self, a: Activations, step: int) -> list[list[int]] | None:
        """The active neurons of each example; None: all of them."""
        return None if self.is_dense else self.select(a.values, step)

    def _activate(self, a: Activations, chosen: list[list[int]] | None, factor: np.float32) -> Activations:
        z = self.products(a.values)
        if chosen is None:
            return Activations.dense(self.function.forward(z, a.has_features), a.has_features)
        values = ACTIVATIONS[self.activation](z) * factor
        active = np.zeros(values.shape, bool)
        for row, ids in zip(active, chosen, strict=True):
            row[ids] = True
        if self.winners:
            order = np.lexsort((np.broadcast_to(np.arange(values.shape[1]), values.shape), -values, ~active))
            np.put_along_axis(active, order[:, self.winners :], False, axis=1)
        return Activations(np.where(active, values, 0), active & (values != 0), True, a.has_features)

    def backward_and_update(self, gradient: NDArray[Any], rate: float, step: int) -> NDArray[np.float32]:
        """gradient: dLoss/dout. Returns dLoss/din."""
        if self.is_dense:
            dz = self.function.backward(gradient)
        else:
            out, factor = self.outputs, np.float32(self.training_factor)
            dz = gradient * factor * DERIVATIVES[self.activation](out.values / factor) * out.active
        gradient_in = dz @ self.weight
        self.update(self.inputs, dz, self.active_neurons, not self.is_dense, rate, step)
        return gradient_in


def make_layers(config: NetworkConfig) -> list[InputLayer | HiddenLayer]:
    """All hidden layers, from the input on."""
    layers: list[InputLayer | HiddenLayer] = []
    width, is_sparse = config.n_features, True  # of what is below, also in predictions
    for number, layer in enumerate(config.hidden):
        seed = int(mix(np.uint64(config.seed ^ (number + 1))))
        deviation = np.sqrt(2 / width)  # He et al. 2015
        if number == 0 and layer.is_dense:
            seed, deviation = config.seed, config.input_init
        kind = InputLayer if layer.is_dense and is_sparse else HiddenLayer
        layers.append(kind(config, layer, width, number, deviation, seed))
        width, is_sparse = layer.width, not isinstance(layer.sampler, None | Uniform | Standout)
    return layers
