"""Samplers: which neurons of a layer an example activates; see docs/how/samplers.md."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

from hashslide import _core
from hashslide.errors import InputError
from hashslide.settings.base import Settings, own_values
from hashslide.settings.constraints import Composed, Integer
from hashslide.settings.limits import MAX_IDS, Count, Finite

__all__ = [
    "SAMPLER",
    "SAMPLERS",
    "Budget",
    "Exact",
    "LookUp",
    "Sampler",
    "Scored",
    "Standout",
    "Threshold",
    "Top",
    "Uniform",
    "Vanilla",
]


def __dir__() -> list[str]:
    return __all__


Budget = Annotated[int | None, Integer(1, MAX_IDS, none=True)]


@dataclass(frozen=True, kw_only=True, repr=False)
class Sampler(Settings):
    """Base of the samplers. Those that look up hash tables need a hash family beside them."""

    looks_up: ClassVar[bool] = False
    finds_largest: ClassVar[bool] = False  # activations, of which some may be kept as winners

    def with_budget(self, budget: int) -> Self:
        """Return the same sampler with a budget, if it has one and it is None."""
        if getattr(self, "budget", 0) is not None:
            return self
        return replace(self, budget=budget)  # type: ignore[call-arg]  # subclasses have it

    def check_budget(self) -> None:
        """Refuse a budget that nobody has decided."""
        if getattr(self, "budget", 0) is None:
            raise InputError(
                f"{self!r}: budget is None, but only a SlideClassifier chooses it, for its output layer; "
                f"accepted is a number of neurons, as in {type(self).__name__}(budget=50)."
            )

    def copy_to(self, core: "_core.SelectorConfig") -> None:
        """Set the attributes of the core's settings."""
        core.sampler = self.name
        for name, value in own_values(self).items():
            setattr(core, name, value)


@dataclass(frozen=True, kw_only=True, repr=False)
class LookUp(Sampler):
    """Base of the samplers that look up hash tables.

    Parameters
    ----------
    budget : int >= 1 or None
        Neurons of each example, at most. None: the classifier chooses it from the data.
    """

    budget: Budget = None

    looks_up: ClassVar[bool] = True
    finds_largest: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, repr=False)
class Vanilla(LookUp):
    """The neurons of one table after another, in random order, until the `budget` is reached [1]_.

    References
    ----------
    .. [1] Chen et al., "SLIDE: in defense of smart algorithms over hardware acceleration for large-scale
       deep learning systems", MLSys 2020.
    """

    name: ClassVar[str] = "vanilla"


@dataclass(frozen=True, kw_only=True, repr=False)
class Top(LookUp):
    """The neurons that are found in most tables; at most `budget`, as in `LookUp`."""

    name: ClassVar[str] = "top"


@dataclass(frozen=True, kw_only=True, repr=False)
class Threshold(LookUp):
    """The neurons that are found in some tables at least, those of most tables first.

    Parameters
    ----------
    min_count : int >= 1
        The tables.
    budget : int >= 0 or None
        Neurons of each example, at most; 0: no limit. None: the classifier chooses it from the data.
    """

    min_count: Count = 2
    budget: Annotated[int | None, Integer(0, MAX_IDS, none=True)] = None

    name: ClassVar[str] = "threshold"


@dataclass(frozen=True, kw_only=True, repr=False)
class Scored(LookUp):
    """Of the neurons found, those of largest inner product; at most `budget`, as in `LookUp`."""

    name: ClassVar[str] = "scored"


@dataclass(frozen=True, kw_only=True, repr=False)
class Uniform(Sampler):
    """Random draws with replacement, as a reference.

    Parameters
    ----------
    budget : int >= 1 or None
        Draws of each example. None: the classifier chooses it from the data.
    """

    budget: Budget = None

    name: ClassVar[str] = "uniform"


@dataclass(frozen=True, kw_only=True, repr=False)
class Exact(Sampler):
    """The neurons of largest inner product, found by looking at all: a reference that no table can beat.

    Parameters
    ----------
    budget : int >= 1 or None
        Neurons of each example. None: the classifier chooses it from the data.
    """

    budget: Budget = None

    name: ClassVar[str] = "exact"
    finds_largest: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, repr=False)
class Standout(Sampler):
    """Each neuron with probability ``sigmoid(alpha z + beta)``, z its input [1]_, as a reference.

    Parameters
    ----------
    alpha, beta : float

    References
    ----------
    .. [1] Ba & Frey, "Adaptive dropout for training deep neural networks", NeurIPS 2013.
    """

    alpha: Finite = 1.0
    beta: Finite = 0.0

    name: ClassVar[str] = "standout"


SAMPLERS: dict[str, type[Any]] = {
    cls.name: cls for cls in (Vanilla, Top, Threshold, Scored, Uniform, Exact, Standout)
}
SAMPLER = Composed(SAMPLERS, none=True)
