"""Settings of a network."""

import math
from dataclasses import dataclass, field, fields

from hashslide import _core
from hashslide._checks import check_bool, check_choice, check_float, check_int
from hashslide.errors import InputError
from hashslide.selection import ACTIVATIONS, MAX_CENTRED, MAX_IDS, Layer, Selection, check_hidden

LOSSES = ("bce", "softmax")
OPTIMIZERS = ("adagrad", "adam", "sgd")
UPDATES = ("owner", "hogwild")
ACTIVE = ("per_batch", "per_example")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Everything that fixes a network's shape and its training step.

    Copied attribute by attribute into ``_core.NetworkConfig``.

    Parameters
    ----------
    n_features, n_labels : int
        Size of the input and of the output, 1 to 2^31 - 1.
    hidden : int, Layer, or sequence of them, default 256
        Hidden layers, from the input to the output; a number is the width of a dense one. Kept as a tuple of
        `Layer`.
    activation : {"identity", "relu", "tanh"}
        Of the layers that are given by their width.
    loss : {"bce", "softmax"}
        One-vs-all binary cross-entropy, or cross-entropy over all labels (targets ``1 / |labels|``).
    optimizer : {"adagrad", "adam", "sgd"}
        Row-wise Adagrad, lazy Adam, or stochastic gradient descent.
    momentum : float in [0, 1)
        Of "sgd".
    beta1, beta2 : float in [0, 1)
        Decay of the moments of "adam".
    epsilon : float > 0
        Added to the denominators of "adam".
    initial_accumulator : float > 0
        First value of the accumulators of "adagrad": the larger, the smaller the first steps.
    weight_decay : float >= 0
        A touched row shrinks by ``learning_rate * weight_decay`` a step.
    input_scale : float > 0
        All feature values are multiplied by it.
    input_init : float >= 0
        Standard deviation of the first input weights; output weights start at 0.
    hidden_length : float >= 0
        Euclidean length to which every hidden activation is scaled; 0: none.
    example_power : float >= 0
        The loss of an example is weighted by ``(mean number of labels / its number of labels) **
        example_power``.
    input_dropout, hidden_dropout : float in [0, 1)
        Share of the input features, or hidden units, that a training step leaves out.
    prior_correction : float in [0, 1]
        Share of the log inclusion probability that is taken off the logits of sampled labels in training.
    update : {"owner", "hogwild"}
        Each touched row is updated by one thread, or each thread takes steps of its own on a part of the
        batch, without locks.
    active : {"per_batch", "per_example"}
        One active set of labels for the batch, or what each example finds by hashing for itself alone.
    in_batch : bool
        With "per_example": the labels of a batch are active for all its examples.
    uniform : int >= 0
        Negatives drawn from all labels for each batch.
    popular : int >= 0
        The most frequent labels, active in every set.
    selection : Selection
        The labels that each example adds to the set besides its own; sampler "all": none.
    direct : int >= 0
        Sparse linear term beside the network: at most so many labels for each feature; 0: none.
    direct_min_count : int >= 1
        A pair of a feature and a label counts only if it occurs in so many examples.
    direct_rate : float > 0
        Learning rate of the term as a multiple of the network's.
    direct_accumulator : float > 0
        First value of its Adagrad accumulators.
    seed : int in [0, 2^64)
        Of all random numbers of the network.

    Raises
    ------
    InputError
        A value is of the wrong type or out of its range.
    """

    n_features: int
    n_labels: int
    hidden: object = 256
    activation: str = "identity"
    loss: str = "bce"
    optimizer: str = "adagrad"
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    initial_accumulator: float = 0.1
    weight_decay: float = 0.0
    input_scale: float = 1.0
    input_init: float = 0.05
    hidden_length: float = 0.0
    example_power: float = 0.0
    input_dropout: float = 0.0
    hidden_dropout: float = 0.0
    prior_correction: float = 1.0
    update: str = "owner"
    active: str = "per_batch"
    in_batch: bool = True
    uniform: int = 250
    popular: int = 0
    selection: Selection = field(default_factory=Selection)
    direct: int = 0
    direct_min_count: int = 3
    direct_rate: float = 10.0
    direct_accumulator: float = 0.5
    seed: int = 0

    def __post_init__(self):
        for name in ("n_features", "n_labels", "direct_min_count"):
            check_int(name, getattr(self, name), 1, MAX_IDS)
        for name in ("uniform", "popular", "direct"):
            check_int(name, getattr(self, name), 0, MAX_IDS)
        check_int("seed", self.seed, 0, 2**64 - 1)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("update", self.update, UPDATES)
        check_choice("active", self.active, ACTIVE)
        check_bool("in_batch", self.in_batch)
        object.__setattr__(self, "hidden", check_hidden(self.hidden, self.activation))
        self._check_combination()
        for name in ("momentum", "beta1", "beta2", "input_dropout", "hidden_dropout"):
            check_float(name, getattr(self, name), 0, 1, "[)")
        check_float("prior_correction", self.prior_correction, 0, 1)
        for name in ("epsilon", "initial_accumulator", "direct_rate", "direct_accumulator", "input_scale"):
            check_float(name, getattr(self, name), 0, math.inf, "()")
        for name in ("weight_decay", "input_init", "hidden_length", "example_power"):
            check_float(name, getattr(self, name), 0, math.inf, "[)")

    def _check_combination(self) -> None:
        selects = [layer.selection.sampler != "all" for layer in self.hidden]
        widths = [self.n_features, *(layer.width for layer in self.hidden)]
        for width, selection in zip(
            widths, [*(c.selection for c in self.hidden), self.selection], strict=True
        ):
            if selection.looks_up and selection.centre_queries and width > MAX_CENTRED:
                raise InputError(
                    f"a layer of {width} inputs centres its queries; accepted are at most {MAX_CENTRED} "
                    "inputs, because what is centred is dense. Set centre_queries=False."
                )
        if (len(selects) > 1 or selects[0]) and self.hidden_length:
            raise InputError(
                f"hidden_length is {self.hidden_length}; with more than one dense hidden layer only 0 "
                "is accepted."
            )
        if any(selects) and self.hidden_dropout:
            raise InputError(
                f"hidden_dropout is {self.hidden_dropout}; where hidden layers select their neurons only 0 "
                'is accepted (sampler="uniform" is dropout).'
            )
        if self.active == "per_example" and self.direct:
            raise InputError(f'direct is {self.direct}; with active="per_example" only 0 is accepted.')

    @property
    def width(self) -> int:
        """Width of the last hidden layer."""
        return self.hidden[-1].width

    def to_core(self) -> "_core.NetworkConfig":
        """Return the same settings as the C++ core wants them."""
        core = _core.NetworkConfig()
        for name, value in self._plain().items():
            if name not in ("activation", "active"):
                setattr(core, name, value)
        widths = [self.n_features, *(layer.width for layer in self.hidden)]
        core.hidden = [layer.to_core(n) for layer, n in zip(self.hidden, widths, strict=False)]
        core.selection = self.selection.to_core(widths[-1])
        core.in_batch = bool(self.in_batch)
        core.per_example = self.active == "per_example"
        return core

    def to_dict(self) -> dict:
        """Return plain Python values, for metadata."""
        return self._plain() | {
            "hidden": [layer.to_dict() for layer in self.hidden],
            "selection": self.selection.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict, family=None) -> "NetworkConfig":
        """Return the settings that `to_dict` wrote.

        Parameters
        ----------
        values : dict
        family : object, optional
            The user's own hash family, wherever `values` name one.

        Raises
        ------
        InputError
            A key is unknown or missing, or a value is not acceptable.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"network settings hold the unknown {unknown}; accepted are {sorted(known)}.")
        if missing := sorted({"n_features", "n_labels", "hidden", "selection"} - set(values)):
            raise InputError(f"network settings lack {missing}.")
        layers = [Layer.from_dict(layer, family) for layer in values["hidden"]]
        selection = Selection.from_dict(values["selection"], family)
        return cls(**values | {"hidden": layers, "selection": selection})

    def _plain(self) -> dict:
        kinds = (int, float, str, bool)
        return {f.name: f.type(getattr(self, f.name)) for f in fields(self) if f.type in kinds}
