"""How a layer chooses the neurons that an example activates, and hidden layers made of that."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace

import numpy as np

from hashslide import _core
from hashslide._checks import check_bool, check_choice, check_float, check_int
from hashslide.errors import InputError

ACTIVATIONS = ("identity", "relu", "tanh")
SAMPLERS = ("all", "uniform", "vanilla", "top", "threshold", "scored", "exact", "standout")
LOOK_UPS = ("vanilla", "top", "threshold", "scored")  # the samplers that need hash tables
FAMILIES = ("simhash", "sparse_simhash", "fast_simhash", "wta", "dwta", "minhash", "kmeans")
PROTOCOL = ("n_tables", "n_buckets", "draw", "hash", "probe")  # of a hash family written in Python
CENTRED = ("simhash", "sparse_simhash", "fast_simhash", "kmeans")  # families that gain by centre_queries
MAX_CENTRED = 2**16  # inputs of a layer: centred queries are dense
LEARNING = ("learn", "learned", "restore")  # and of one that learns
POLICIES = ("fifo", "reservoir")
USER_FAMILY = "user:"  # what a saved model says of a hash family written in Python, before its class
MAX_IDS = 2**31 - 1  # ids are 32-bit in the core
MAX_PARTS = 10_000  # tables, hashes and norm ranges; so that a damaged file does not ask for all memory


def check_family(family) -> None:
    """Refuse what is neither the name of a hash family nor an object that can be one."""
    if not isinstance(family, str):
        check_own_family(family)
    elif not is_own_name(family):
        check_choice("hash", family, FAMILIES)


def check_own_family(family) -> None:
    """Refuse an object that lacks a part of the protocol."""
    learns = any(hasattr(family, name) for name in LEARNING)
    lacking = [name for name in (*PROTOCOL, *LEARNING * learns) if not hasattr(family, name)]
    if lacking:
        raise InputError(
            f"hash is a {type(family).__name__} without {', '.join(lacking)}; accepted are "
            f"{', '.join(map(repr, FAMILIES))}, or an object with the protocol in docs/how/hash_families.md."
        )


def is_own_name(family) -> bool:
    """Tell whether it is what a file says of a hash family of the user's own."""
    return isinstance(family, str) and family.startswith(USER_FAMILY)


def family_name(family) -> str:
    """Return what a file says of a hash family: its name, or "user:" and the class of a user's own."""
    return family if isinstance(family, str) else USER_FAMILY + type(family).__qualname__


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How a layer chooses the neurons that an example activates.

    Parameters
    ----------
    sampler : str
        "all": no choice. "vanilla": hash tables in random order until the budget is reached [1]_. "top":
        the neurons found in most tables. "threshold": those found in `min_count` tables. "scored": of those
        found, the ones of largest inner product. As references: "uniform" draws, "exact" (largest inner
        product of all), "standout" (each with probability ``sigmoid(alpha z + beta)`` [2]_). See
        docs/how/samplers.md.
    budget : int >= 0
        Neurons for each example, at most.
    min_count : int >= 1
        Tables in which "threshold" wants to find a neuron.
    alpha, beta : float
        Of "standout".
    hash : str or object
        Hash family: "simhash", "sparse_simhash", "fast_simhash", "wta", "dwta", "minhash", "kmeans", or an
        object of your own with the protocol in docs/how/hash_families.md.
    tables : int >= 1
        L.
    hashes : int >= 1
        K elementary hashes a table; "kmeans" has none.
    bin_size : int, a power of two
        Coordinates that one hash of "wta" and "dwta" compares.
    top : int >= 1
        Largest coordinates that are the set which "minhash" hashes.
    cells : int >= 0
        Buckets of a table of "kmeans"; 0: twice the square root of the number of neurons.
    bias, centre, augment : bool
        Neurons are hashed as (w, b); minus the mean of all; with a coordinate that makes all equally long.
    centre_queries : bool or None
        Queries are hashed minus their mean, which the neurons' last coordinate makes up for (needs
        `bias`). None: where the family gains by it, "simhash", "sparse_simhash", "fast_simhash" and
        "kmeans", unless the layer has more than 65,536 inputs.
    norm_ranges : int >= 1
        Parts of equal size into which neurons are split by length, each with buckets of its own.
    bucket_policy : {"reservoir", "fifo"}
        Which members of a full bucket a look-up sees: a uniform sample, or the last.
    bucket_size : int >= 0
        Members that a look-up sees; 0: all.
    probes : int >= 1
        Buckets looked up in each table.
    rehash_first : int >= 1
        Step of the first build of the tables.
    rehash_growth : float > 1
        Each full rebuild comes after so many times as many steps.
    rehash_changed : float > 0
        A full rebuild comes earlier when so large a share of all codes has changed.
    rehash_every : int >= 1
        Steps between two re-hashes of the neurons that have changed.

    References
    ----------
    .. [1] Chen et al., "SLIDE: in defense of smart algorithms over hardware acceleration for large-scale
       deep learning systems", MLSys 2020.
    .. [2] Ba & Frey, "Adaptive dropout for training deep neural networks", NeurIPS 2013.
    """

    sampler: str = "all"
    budget: int = 0
    min_count: int = 2
    alpha: float = 1.0
    beta: float = 0.0
    hash: object = "dwta"
    tables: int = 50
    hashes: int = 6
    bin_size: int = 8
    top: int = 32
    cells: int = 0
    bias: bool = True
    centre: bool = False
    centre_queries: bool | None = None
    augment: bool = False
    norm_ranges: int = 1
    bucket_policy: str = "reservoir"
    bucket_size: int = 128
    probes: int = 1
    rehash_first: int = 50
    rehash_growth: float = 1.5
    rehash_changed: float = 1.0
    rehash_every: int = 200

    def __post_init__(self):
        check_choice("sampler", self.sampler, SAMPLERS)
        check_choice("bucket_policy", self.bucket_policy, POLICIES)
        check_family(self.hash)
        for name in ("tables", "hashes", "norm_ranges"):
            check_int(name, getattr(self, name), 1, MAX_PARTS)
        for name in ("min_count", "top", "probes", "rehash_first", "rehash_every"):
            check_int(name, getattr(self, name), 1, MAX_IDS)
        for name in ("budget", "cells", "bucket_size"):
            check_int(name, getattr(self, name), 0, MAX_IDS)
        check_int("bin_size", self.bin_size, 2, 2**16)
        if self.bin_size & (self.bin_size - 1):
            raise InputError(f"bin_size is {self.bin_size}; accepted is a power of two, such as 8.")
        for name in ("bias", "centre", "augment"):
            check_bool(name, getattr(self, name))
        if self.centre_queries is not None and check_bool("centre_queries", self.centre_queries) > self.bias:
            raise InputError("centre_queries needs bias=True: what the queries lose is added to the biases.")
        check_float("alpha", self.alpha, -math.inf, math.inf, "()")
        check_float("beta", self.beta, -math.inf, math.inf, "()")
        check_float("rehash_growth", self.rehash_growth, 1, math.inf, "()")
        check_float("rehash_changed", self.rehash_changed, 0, math.inf, "()")
        if self.sampler in ("uniform", "vanilla", "top", "scored", "exact") and self.budget == 0:
            raise InputError(f'budget is 0, but sampler="{self.sampler}" needs one: neurons an example.')

    @property
    def looks_up(self) -> bool:
        """Whether the sampler needs hash tables."""
        return self.sampler in LOOK_UPS

    def centres_queries(self, width: int) -> bool:
        """Tell whether a layer of `width` inputs subtracts the mean of its queries."""
        if self.centre_queries is None:
            gains = isinstance(self.hash, str) and self.hash in CENTRED
            return gains and bool(self.bias) and width <= MAX_CENTRED
        return bool(self.centre_queries)

    @property
    def is_lost_family(self) -> bool:
        """Whether the hash family was the user's own and is not there: the model was loaded from a file."""
        return is_own_name(self.hash)

    def to_core(self, width: int) -> "_core.SelectionConfig":
        """Return the same settings for neurons of `width` inputs as the C++ core wants them.

        A hash family of the user's own is copied: each network draws and learns functions for itself.
        """
        core = _core.SelectionConfig()
        for name, value in self._plain().items():
            setattr(core, name, value)
        core.centre_queries = self.centres_queries(width)
        if self.is_lost_family:
            core.sampler = "all"
        elif isinstance(self.hash, str):
            core.family = self.hash
        else:
            core.set_family(deepcopy(self.hash), width + self.bias + self.augment)
        return core

    def with_family(self, family) -> "Selection":
        """Return the same settings with the user's own family in the place of its name."""
        return replace(self, hash=family) if self.is_lost_family else self

    def to_dict(self) -> dict:
        """Return plain Python values, for metadata; a family of the user's own is only named."""
        centred = self.centre_queries if self.centre_queries is None else bool(self.centre_queries)
        return self._plain() | {"hash": family_name(self.hash), "centre_queries": centred}

    @classmethod
    def from_dict(cls, values: dict, family=None) -> "Selection":
        """Return what `to_dict` wrote, with the user's own family where it names one."""
        selection = cls(**values)
        return selection if family is None else selection.with_family(family)

    def _plain(self) -> dict:
        special = ("hash", "centre_queries")
        return {f.name: f.type(getattr(self, f.name)) for f in fields(self) if f.name not in special}


@dataclass(frozen=True)
class Layer:
    """A hidden layer.

    Parameters
    ----------
    width : int
        Neurons.
    activation : {"relu", "tanh", "identity"}
    selection : Selection
        Which of them an example activates; all by default. See `hashslide.layers` for short forms.
    winners : int >= 0
        Of those neurons, so many of largest activation stay active; 0: all of them.
    """

    width: int
    activation: str = "relu"
    selection: Selection = field(default_factory=Selection)
    winners: int = 0

    def __post_init__(self):
        check_int("the width of a hidden layer", self.width, 1, MAX_IDS)
        check_choice("activation", self.activation, ACTIVATIONS)
        if not isinstance(self.selection, Selection):
            raise InputError(
                f"the selection of a hidden layer is a {type(self.selection).__name__}; "
                "accepted is a Selection."
            )
        check_int("winners", self.winners, 0, MAX_IDS)
        if self.winners and self.selection.sampler not in (*LOOK_UPS, "exact"):
            raise InputError(
                f'winners is {self.winners}, but sampler="{self.selection.sampler}" does not look for the '
                'largest activations; accepted is 0, or a selection such as Selection(sampler="exact", '
                "budget=...)."
            )
        if self.selection.is_lost_family:
            raise InputError(
                f"a hidden layer needs its hash family {self.selection.hash!r}, which is not there; "
                "pass it: load(path, hash=...)"
            )

    def to_core(self, width_in: int) -> "_core.LayerConfig":
        """Return the same settings as the C++ core wants them."""
        core = _core.LayerConfig()
        core.width, core.activation, core.winners = int(self.width), self.activation, int(self.winners)
        core.selection = self.selection.to_core(width_in)
        return core

    def to_dict(self) -> dict:
        """Return plain Python values, for metadata."""
        plain = {"width": int(self.width), "activation": self.activation, "winners": int(self.winners)}
        return plain | {"selection": self.selection.to_dict()}

    @classmethod
    def from_dict(cls, values: dict, family=None) -> "Layer":
        """Return the layer that `to_dict` wrote, with the user's own family where it names one."""
        return cls(**values | {"selection": Selection.from_dict(values["selection"], family)})


def check_hidden(hidden, activation: str) -> tuple[Layer, ...]:
    """Return the hidden layers that a width, a layer, or a sequence of them stands for."""
    many = isinstance(hidden, Sequence | np.ndarray) and not isinstance(hidden, str)
    if not many or getattr(hidden, "shape", None) == ():
        hidden = [hidden]
    if len(hidden) == 0:
        raise InputError("hidden is empty; accepted are a width, or widths and layers, at least one.")
    layers = []
    for layer in hidden:
        if not isinstance(layer, Layer):
            check_int("hidden", layer, 1, MAX_IDS)
            layer = Layer(int(layer), activation)
        layers.append(layer)
    return tuple(layers)
