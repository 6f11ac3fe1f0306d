"""All settings of a network."""

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from hashslide import _core
from hashslide.settings.base import Settings, own_values
from hashslide.settings.constraints import Choice, Integer
from hashslide.settings.hash_families import HASH, HashFamily
from hashslide.settings.layers import HIDDEN, Layer, check_centring, check_lookup, selector_to_core
from hashslide.settings.limits import BelowOne, Count, NotNegative, Positive
from hashslide.settings.negatives import NEGATIVES, Negatives
from hashslide.settings.optimizers import OPTIMIZER, Adagrad, Optimizer
from hashslide.settings.samplers import SAMPLER, Sampler

__all__ = ["ACTIVE", "LOSSES", "PRECISIONS", "UPDATES", "NetworkConfig"]


def __dir__() -> list[str]:
    return __all__


LOSSES = ("bce", "softmax")
UPDATES = ("owner", "hogwild")
PRECISIONS = ("float32", "bfloat16")
ACTIVE = ("per_batch", "per_example")


@dataclass(frozen=True, kw_only=True, repr=False)
class NetworkConfig(Settings):
    """Everything that fixes a network's shape and its training step.

    It knows no data: "auto" in a layer stands for the activation "identity" and the length 0, in the
    negatives for 250 uniform and no popular ones with the whole correction, and in Adagrad for an initial
    accumulator of 0.1.

    Parameters
    ----------
    n_features, n_labels : int
        Size of the input and of the output, 1 to 2^31 - 1.
    hidden : int, Layer, or sequence of them, default 256
        Hidden layers, from the input to the output; a number is short for a dense one. Kept as a tuple of
        `Layer`.
    loss : {"bce", "softmax"}
        One-vs-all binary cross-entropy, or cross-entropy over all labels (targets ``1 / |labels|``).
    optimizer : Optimizer or name of one, default Adagrad()
    input_scale : float > 0
        All feature values are multiplied by it.
    input_init : float >= 0
        Standard deviation of the first input weights; output weights start at 0.
    input_dropout : float in [0, 1)
        Share of the input features that a training step leaves out.
    example_power : float >= 0
        The loss of an example is weighted by ``(mean number of labels / its number of labels) **
        example_power``.
    update : {"owner", "hogwild"}
        Each touched row is updated by one thread, or each thread takes steps of its own on a part of the
        batch, without locks.
    precision : {"float32", "bfloat16"}
        How the weights of the layers are stored. bfloat16 halves their memory; updates are rounded to one of
        the two neighbours at random, right in the mean, and all sums are float32.
    active : {"per_batch", "per_example"}
        One active set of labels for the batch, or what each example finds by hashing for itself alone.
    negatives : Negatives, or the number of uniform ones
    sampler : Sampler, name of one, or None
        The labels that each example adds to the set besides its own; None: none.
    hash : HashFamily, name of one, object of your own, or None
        Hash tables over the labels, which the sampler looks up.
    seed : int in [0, 2^64)
        Of all random numbers of the network.

    Raises
    ------
    InputError
        A value is of the wrong type or out of its range, or values do not go together.
    """

    n_features: Count
    n_labels: Count
    hidden: Annotated[tuple[Layer, ...], HIDDEN] = (Layer(256),)
    loss: Annotated[str, Choice(LOSSES)] = "bce"
    optimizer: Annotated[Optimizer, OPTIMIZER] = field(default_factory=Adagrad)
    input_scale: Positive = 1.0
    input_init: NotNegative = 0.05
    input_dropout: BelowOne = 0.0
    example_power: NotNegative = 0.0
    update: Annotated[str, Choice(UPDATES)] = "owner"
    precision: Annotated[str, Choice(PRECISIONS)] = "float32"
    active: Annotated[str, Choice(ACTIVE)] = "per_batch"
    negatives: Annotated[Negatives, NEGATIVES] = field(default_factory=Negatives)
    sampler: Annotated[Sampler | None, SAMPLER] = None
    hash: Annotated[HashFamily | None, HASH] = None
    seed: Annotated[int, Integer(0, 2**64 - 1)] = 0

    name: ClassVar[str] = "network"

    def _complete(self) -> None:
        hidden = tuple(
            layer.decided(activation="identity", length=0.0, softness=0.0) for layer in self.hidden
        )
        negatives = self.negatives.decided(uniform=250, popular=0, prior_correction=1.0)
        object.__setattr__(self, "hidden", hidden)
        object.__setattr__(self, "negatives", negatives)
        object.__setattr__(self, "optimizer", self.optimizer.decided(initial_accumulator=0.1))
        if self.sampler is not None:
            self.sampler.check_budget()
        check_lookup(self, self.sampler, self.hash)
        layers: list[Layer | NetworkConfig] = [*hidden, self]
        for layer, inputs in zip(layers, self._widths(), strict=True):
            check_centring(layer.hash, inputs)

    def _widths(self) -> list[int]:
        """Return the number of inputs of each hidden layer and of the output."""
        return [self.n_features, *(layer.width for layer in self.hidden)]

    @property
    def width(self) -> int:
        """Width of the last hidden layer."""
        return self.hidden[-1].width

    def grown(self, n_features: int, n_labels: int) -> "NetworkConfig":
        """Return the settings of the same network with more features and labels."""
        return replace(self, n_features=n_features, n_labels=n_labels)

    def to_core(self) -> "_core.NetworkConfig":
        """Return the same settings as the C++ core wants them."""
        core, widths = _core.NetworkConfig(), self._widths()
        for name, value in _plain(self).items():
            if name != "active":
                setattr(core, name, value)
        core.per_example = self.active == "per_example"
        core.optimizer = self.optimizer.name
        for part in (self.optimizer, self.negatives):
            for name, value in own_values(part).items():
                setattr(core, name, value)
        core.hidden = [layer.to_core(n) for layer, n in zip(self.hidden, widths, strict=False)]
        core.selector = selector_to_core(self.sampler, self.hash, widths[-1])
        return core


def _plain(config: NetworkConfig) -> dict[str, float | str]:
    return {name: v for name, v in own_values(config).items() if isinstance(v, int | float | str)}
