"""Optimisers: how the weights that a batch touches are changed."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

from hashslide._checks import is_auto
from hashslide.settings.base import Settings
from hashslide.settings.constraints import Composed, Real
from hashslide.settings.limits import BelowOne, NotNegative, Positive

__all__ = ["OPTIMIZER", "OPTIMIZERS", "SGD", "Adagrad", "Adam", "Optimizer"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True, repr=False)
class Optimizer(Settings):
    """Base of the optimisers.

    Parameters
    ----------
    weight_decay : float >= 0
        A touched row shrinks by ``learning_rate * weight_decay`` in each step.
    """

    weight_decay: NotNegative = 0.0

    def decided(self, initial_accumulator: float) -> Self:
        """Return the same with this value where a field is "auto"."""
        return self


@dataclass(frozen=True, kw_only=True, repr=False)
class Adagrad(Optimizer):
    """Adagrad with one rate for each row of weights (Duchi, Hazan & Singer 2011).

    Parameters
    ----------
    initial_accumulator : float > 0 or "auto"
        First value of the accumulators: the larger, the smaller the first steps. "auto": `SlideClassifier`
        decides by how many labels an example has; else 0.1.
    weight_decay : float >= 0
        A touched row shrinks by ``learning_rate * weight_decay`` in each step.
    """

    initial_accumulator: Annotated[Any, Real(0, float("inf"), "()", auto=True)] = "auto"

    name: ClassVar[str] = "adagrad"

    def decided(self, initial_accumulator: float) -> Self:
        """Return the same with this value where a field is "auto"."""
        is_open = is_auto(self.initial_accumulator)
        return replace(self, initial_accumulator=initial_accumulator) if is_open else self


@dataclass(frozen=True, kw_only=True, repr=False)
class Adam(Optimizer):
    """Lazy Adam: the moments of a weight change only when it is touched (Kingma & Ba 2015).

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
        Decay of the moments.
    epsilon : float > 0
        Added to the denominators.
    weight_decay : float >= 0
        A touched row shrinks by ``learning_rate * weight_decay`` in each step.
    """

    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    epsilon: Positive = 1e-8

    name: ClassVar[str] = "adam"


@dataclass(frozen=True, kw_only=True, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent on the mean of a batch, with a heavy ball.

    Parameters
    ----------
    momentum : float in [0, 1)
        Share of the last step that is added to each; it changes only where a weight is touched.
    weight_decay : float >= 0
        A touched row shrinks by ``learning_rate * weight_decay`` in each step.
    """

    momentum: BelowOne = 0.0

    name: ClassVar[str] = "sgd"


OPTIMIZERS = {cls.name: cls for cls in (Adagrad, Adam, SGD)}
OPTIMIZER = Composed(OPTIMIZERS)
