"""Hidden layers, and short forms of them for ``SlideClassifier(hidden=...)`` and `NetworkConfig`.

Each short form returns a `Layer`, or a list of them, for use in a sequence:
``hidden=[Hashed(1000, 50), *LowRank(1000, 64)]``.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from hashslide import _core
from hashslide._checks import is_auto
from hashslide._interface import setting, wording
from hashslide.errors import InputError
from hashslide.settings.base import Settings, fields_of
from hashslide.settings.constraints import Choice, Constraint, Real, UnacceptableError, shown
from hashslide.settings.hash_families import (
    HASH,
    HASH_KINDS,
    MAX_CENTRED,
    CustomHash,
    HashFamily,
    SignCodes,
)
from hashslide.settings.limits import BelowOne, Count, Size
from hashslide.settings.samplers import SAMPLER, Exact, Sampler, Standout, Threshold, Top, Uniform

__all__ = [
    "ACTIVATIONS",
    "HIDDEN",
    "HIDDEN_TABLES",
    "AdaptiveDropout",
    "Dense",
    "Dropout",
    "Hashed",
    "HiddenLayers",
    "Layer",
    "LowRank",
    "WinnerTakeAll",
    "check_centring",
    "check_lookup",
    "selector_to_core",
]


def __dir__() -> list[str]:
    return __all__


ACTIVATIONS = ("identity", "relu", "tanh")


@dataclass(frozen=True, repr=False)
class Layer(Settings):
    """A hidden layer.

    Parameters
    ----------
    width : int >= 1
        Neurons.
    activation : {"auto", "identity", "relu", "tanh"}
        "auto": `SlideClassifier` takes identity for a single dense layer with active sets per batch, else
        relu; a `NetworkConfig` identity.
    length : float >= 0 or "auto"
        Euclidean length to which the activations of an example that has features are scaled; 0: none. Only
        for a dense layer. "auto": `SlideClassifier` chooses it for a single hidden layer; else 0.
    softness : float >= 0 or "auto"
        Times the length: activations a get the length ``length / sqrt(1 + (softness * length / |a|)**2)``, so
        that an example of which little is known stays short. 0: all get the whole length. "auto":
        `SlideClassifier` chooses it by the number of examples; else 0.
    dropout : float in [0, 1)
        Share of the units that a training step leaves out. Only for a dense layer.
    sampler : Sampler, name of one, or None
        Which neurons an example activates; None: all of them.
    hash : HashFamily, name of one, object of your own, or None
        Hash tables that the sampler looks up.
    winners : int >= 0
        Of the chosen neurons, so many of largest activation stay active; 0: all of them.
    """

    width: Count
    activation: Annotated[str, Choice(ACTIVATIONS, auto=True)] = "auto"
    _: KW_ONLY
    length: Annotated[Any, Real(0, float("inf"), "[)", auto=True)] = "auto"
    softness: Annotated[Any, Real(0, float("inf"), "[)", auto=True)] = "auto"
    dropout: BelowOne = 0.0
    sampler: Annotated[Sampler | None, SAMPLER] = None
    hash: Annotated[HashFamily | None, HASH] = None
    winners: Size = 0

    name: ClassVar[str] = "layer"

    def _complete(self) -> None:
        if self.winners and not (self.sampler and self.sampler.finds_largest):
            raise InputError(
                f"{self!r}: winners is {self.winners}, but the sampler does not look for the largest "
                "activations; accepted is 0, or a sampler such as Exact(budget=...)."
            )
        if self.sampler is not None:
            self.sampler.check_budget()
            for name in ("length", "softness"):
                value = getattr(self, name)
                if not is_auto(value) and value:
                    raise InputError(
                        f"{self!r}: {name} is {value}; where a layer selects its neurons only 0 is accepted."
                    )
            if self.dropout:
                raise InputError(
                    f"{self!r}: dropout is {self.dropout}; where a layer selects its neurons only 0 is "
                    "accepted (sampler=Uniform(...) is dropout)."
                )
        check_lookup(self, self.sampler, self.hash)
        if isinstance(self.hash, CustomHash) and self.hash.is_missing:
            raise InputError(
                f"a hidden layer needs {self.hash.family}, which is not there. Load the model in Python: "
                "load(path, hash=...)."
            )

    @property
    def is_dense(self) -> bool:
        """Whether every example activates all neurons."""
        return self.sampler is None

    def decided(self, **auto: Any) -> Self:
        """Return the same layer with these values of its fields where a field is "auto"."""
        return replace(self, **{name: v for name, v in auto.items() if is_auto(getattr(self, name))})

    def to_core(self, inputs: int) -> "_core.LayerConfig":
        """Return the same settings for a layer of so many inputs as the C++ core wants them."""
        core = _core.LayerConfig()
        for name in ("width", "activation", "length", "softness", "dropout", "winners"):
            setattr(core, name, getattr(self, name))
        core.selector = selector_to_core(self.sampler, self.hash, inputs)
        return core


def check_lookup(owner: object, sampler: Sampler | None, family: HashFamily | None) -> None:
    """Refuse hash tables that nobody looks up, and look-ups without tables."""
    looks_up = sampler is not None and sampler.looks_up
    if looks_up and family is None:
        raise InputError(
            f"{owner!r}: {sampler!r} looks up hash tables, but {setting('hash')} is {shown(family)}. Give "
            f"it, as {setting('hash', 'dwta')}."
        )
    if isinstance(family, SignCodes) and looks_up and not isinstance(sampler, Top | Threshold):
        raise InputError(
            f"{owner!r}: {sampler!r} looks into buckets, and {family!r} has none. Choose "
            f"{setting('sampler', 'top')}, which counts."
        )
    most = None if family is None else family.most_counted
    if isinstance(sampler, Threshold) and most is not None and sampler.min_count > most:
        raise InputError(
            f"{owner!r}: {sampler!r} chooses no neuron, as {family!r} counts to {most} at most. Lower "
            "min_count."
        )
    if family is not None and not looks_up:
        raise InputError(
            f"{owner!r}: hash is {family!r}, but sampler is {sampler!r}, which looks up no hash tables. "
            f"Leave {setting('hash')} out, or choose {setting('sampler', 'scored')}."
        )


def selector_to_core(
    sampler: Sampler | None, family: HashFamily | None, inputs: int
) -> "_core.SelectorConfig":
    """Return how a layer of so many inputs chooses its neurons, as the C++ core wants it."""
    core = _core.SelectorConfig()
    if sampler is not None:
        sampler.copy_to(core)
    if family is not None:
        family.copy_to(core, inputs)
    return core


def check_centring(family: HashFamily | None, inputs: int) -> None:
    """Refuse to centre queries of too many inputs."""
    if family is not None and family.centres_queries(inputs) and inputs > MAX_CENTRED:
        raise InputError(
            f"a layer of {inputs} inputs centres its queries; accepted are at most {MAX_CENTRED} inputs, "
            "because what is centred is dense. Set centre_queries=False."
        )


def Dense(
    width: int,
    activation: str = "auto",
    *,
    length: float | str = "auto",
    softness: float | str = "auto",
    dropout: float = 0.0,
) -> Layer:
    """All neurons for every example; a number in `hidden` is short for it.

    Parameters
    ----------
    width : int
    activation : {"auto", "identity", "relu", "tanh"}
    length : float >= 0 or "auto"
        Euclidean length to which the activations of an example that has features are scaled; 0: none. "auto":
        `SlideClassifier` chooses it for a single hidden layer; else 0.
    softness : float >= 0 or "auto"
        As in `Layer`: how much shorter activations stay that are short before they are scaled.
    dropout : float in [0, 1)
        Share of the units that a training step leaves out.

    Returns
    -------
    Layer
    """
    return Layer(width, activation, length=length, softness=softness, dropout=dropout)


# Of hidden layers, which are small: before their tables are built they have no active neuron at all.
HIDDEN_TABLES: dict[str, Any] = {"hashes": 6, "rehash_first": 1, "rehash_every": 20}


def Hashed(
    width: int,
    budget: int | None = None,
    activation: str = "relu",
    *,
    hash: Any = "simhash",
    sampler: Any = "top",
    winners: int = 0,
) -> Layer:
    """At most `budget` neurons for each example, found in hash tables (Spring & Shrivastava, KDD 2017).

    Parameters
    ----------
    width : int
    budget : int, optional
        May stand in `sampler` instead.
    activation : {"relu", "tanh", "identity"}
    hash : HashFamily, name of one, or object of your own, default "simhash"
        A name gets what is good for a hidden layer: 6 hashes per table, the first rebuild at step 1 and
        re-hashing every 20 steps.
    sampler : {"top", "vanilla", "threshold", "scored"} or Sampler
    winners : int
        Of these, so many of largest activation stay active; 0: all. Computing some more than are kept,
        forward only, makes up for what the look-ups misjudge.

    Returns
    -------
    Layer
    """
    chosen = SAMPLER.check("sampler", sampler)
    if chosen is not None and budget is not None:
        if getattr(chosen, "budget", budget) not in (None, budget):
            raise InputError(f"budget is {budget}, but sampler is {chosen!r}. Give one of them only.")
        chosen = chosen.with_budget(budget)
    if isinstance(hash, str) and hash in HASH_KINDS:
        family = HASH_KINDS[hash]
        known = {field.name for field in fields_of(family)}
        hash = family(**{name: value for name, value in HIDDEN_TABLES.items() if name in known})
    return Layer(width, activation, sampler=chosen, hash=hash, winners=winners)


def Dropout(width: int, budget: int, activation: str = "relu") -> Layer:
    """`budget` random draws, with replacement, for each example in training; all neurons in predictions."""
    return Layer(width, activation, sampler=Uniform(budget=budget))


def AdaptiveDropout(width: int, alpha: float = 1.0, beta: float = 0.0, activation: str = "relu") -> Layer:
    """Each neuron with probability ``sigmoid(alpha z + beta)``, z its input (Ba & Frey, NeurIPS 2013)."""
    return Layer(width, activation, sampler=Standout(alpha=alpha, beta=beta))


def WinnerTakeAll(width: int, budget: int, activation: str = "relu") -> Layer:
    """The `budget` neurons of largest input, found by computing all of them."""
    return Layer(width, activation, sampler=Exact(budget=budget))


def LowRank(width: int, rank: int, activation: str = "relu") -> list[Layer]:
    """A dense layer with weights W = U V of the given rank: two layers, the first linear."""
    return [Layer(rank, "identity"), Layer(width, activation)]


@dataclass(frozen=True)
class HiddenLayers(Constraint):
    """A width, a layer, or a sequence of them; converted to a tuple of layers."""

    def check(self, name: str, value: Any) -> tuple[Layer, ...]:
        many = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
        if not many or getattr(value, "shape", None) == ():
            value = [value]
        if len(value) == 0:
            raise InputError(
                f"{name} is empty; accepted are a width, or widths and layers, at least one of them."
            )
        check_one = super().check
        return tuple(check_one(name, layer) for layer in value)

    def convert(self, name: str, value: Any) -> Layer:
        if isinstance(value, Layer):
            return value
        try:
            return Layer(value)
        except InputError:
            raise UnacceptableError from None

    def alternatives(self) -> list[str]:
        layer, several = wording(
            ("a layer such as Dense(256)", "a sequence of them"),
            ("a layer such as dense(256)", "several of them with commas between"),
        )
        return ["an integer from 1 to 2147483647", layer, several]


HIDDEN = HiddenLayers()
