"""Negatives: which labels a training step sees besides those of its examples."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

from hashslide._checks import as_int, is_auto
from hashslide._interface import wording
from hashslide.errors import InputError
from hashslide.settings.base import Settings
from hashslide.settings.constraints import Constraint, Integer, Real, UnacceptableError
from hashslide.settings.limits import MAX_IDS, Switch

__all__ = ["NEGATIVES", "Negatives", "NegativesKind"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True, repr=False)
class Negatives(Settings):
    """Labels in the active set that are neither those of an example nor found by hashing.

    "auto" fields are decided by `SlideClassifier` from the data.

    Parameters
    ----------
    uniform : int >= 0 or "auto"
        Labels drawn at random from all, for each batch.
    popular : int >= 0 or "auto"
        Most frequent labels, which are in every active set.
    in_batch : bool
        With ``active="per_example"``: the labels of a batch are active for all its examples. Without, an
        example has its true labels, those that it finds, and random ones, as published.
    prior_correction : float in [0, 1] or "auto"
        Share of the log inclusion probability that is taken off the logits of sampled labels in training: how
        much of the sampling's bias is corrected.
    """

    uniform: Annotated[Any, Integer(0, MAX_IDS, auto=True)] = "auto"
    popular: Annotated[Any, Integer(0, MAX_IDS, auto=True)] = "auto"
    in_batch: Switch = True
    prior_correction: Annotated[Any, Real(0, 1, auto=True)] = "auto"

    name: ClassVar[str] = "negatives"

    def decided(self, **values: float) -> Self:
        """Return the same with these values where a field is "auto"."""
        changes: dict[str, Any] = {name: v for name, v in values.items() if is_auto(getattr(self, name))}
        return replace(self, **changes)


@dataclass(frozen=True)
class NegativesKind(Constraint):
    """`Negatives`, or how many to draw at random."""

    def check(self, name: str, value: Any) -> Any:
        return Negatives() if self.auto and is_auto(value) else super().check(name, value)

    def convert(self, name: str, value: Any) -> Negatives:
        if isinstance(value, Negatives):
            return value
        if as_int(value) is None:
            raise UnacceptableError
        try:
            return Negatives(uniform=value)
        except InputError:
            raise UnacceptableError from None

    def alternatives(self) -> list[str]:
        return [
            f"an integer from 0 to {MAX_IDS}",
            wording("an object such as Negatives(uniform=250)", "a call such as negatives(uniform=250)"),
        ]


NEGATIVES = NegativesKind()
