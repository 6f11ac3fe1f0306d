"""Which settings are tried: the neighbours of a setting, one parameter apart."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hashslide.settings import Layer, Negatives

__all__ = ["Candidate", "Space"]


def __dir__() -> list[str]:
    return __all__


LENGTHS = (0.0, 2.0, 5.0, 10.0)
RATES = tuple(float(f"{digit}e{power}") for power in range(-6, 3) for digit in (1, 3))
DROPOUTS = (0.0, 0.2, 0.5)
POWERS = (0.0, 0.5, 1.0)
CORRECTIONS = (0.0, 0.3, 0.6, 1.0)
BATCHES = (8, 16, 32, 64, 128, 256, 512)
MOST_EPOCHS, WIDTHS, MOST_UNIFORM = 400, (64, 1024), 4000
FEW_FEATURES = 20  # of so few, each is too large a part of its row to be dropped
WIDTH_SHARE = 0.5  # of the time of a step, in proportion to the width
HASH_COST, UNIFORM_COST = 2.0, 1.5  # times the time, measured


@dataclass(frozen=True)
class Candidate:
    """A change of one parameter, or of two that go together.

    Attributes
    ----------
    changes : mapping of str to object
        Parameters of the classifier.
    cost : float
        How many times as long it takes, about.
    """

    changes: Mapping[str, Any]
    cost: float = 1.0


@dataclass(frozen=True)
class Space:
    """Where the search goes.

    Attributes
    ----------
    values : mapping of str to object
        The parameters of the classifier with nothing left to "auto".
    free : frozenset of str
        Those that may be changed.
    n_features : int
    multilabel : bool
    """

    values: Mapping[str, Any]
    free: frozenset[str]
    n_features: int
    multilabel: bool
    monitor: str

    def neighbours(self, changes: Mapping[str, Any]) -> list[Candidate]:
        """Return the neighbours of the setting with some changes, the most promising first."""
        values = {**self.values, **changes}
        hidden = values["hidden"]
        values["hidden"] = (hidden,) if isinstance(hidden, Layer) else hidden
        return [
            candidate
            for candidate in self._all(values)
            if candidate.changes.keys() <= self.free
            and any(
                (value,) != values[name] if name == "hidden" else value != values[name]
                for name, value in candidate.changes.items()
            )
        ]

    def _all(self, values: Mapping[str, Any]) -> Iterator[Candidate]:
        layers = values["hidden"]
        layer = layers[0] if len(layers) == 1 and layers[0].is_dense else None
        negatives: Negatives = values["negatives"]
        if self.monitor.startswith("PS") and values["label_weight"] is None:
            yield Candidate({"label_weight": "propensity"})
        for rate in _beside(RATES, values["learning_rate"]):
            yield Candidate({"learning_rate": rate})
        if layer is not None:
            for length in _beside(LENGTHS, layer.length):
                yield _hidden(layer, length=length)
            other = {"identity": "relu"}.get(layer.activation, "identity")
            yield _hidden(layer, activation=other, length=0.0)
        epochs = values["epochs"]
        for other_epochs in (max(1, epochs // 2), min(MOST_EPOCHS, 2 * epochs)):
            yield Candidate({"epochs": other_epochs}, other_epochs / epochs)
        if self.n_features >= FEW_FEATURES:
            for share in _beside(DROPOUTS, values["input_dropout"]):
                yield Candidate({"input_dropout": share})
        if self.multilabel:
            for power in _beside(POWERS, values["example_power"]):
                yield Candidate({"example_power": power})
        for size in _beside(BATCHES, values["batch_size"]):
            yield Candidate({"batch_size": size})
        if values["loss"] == "bce":
            for share in _beside(CORRECTIONS, negatives.prior_correction):
                yield Candidate({"negatives": replace(negatives, prior_correction=share)})
        if negatives.uniform and 4 * negatives.uniform <= MOST_UNIFORM:
            more = replace(negatives, uniform=4 * negatives.uniform)
            yield Candidate({"negatives": more}, UNIFORM_COST)
        yield self._other_loss(values)
        if layer is not None:
            for width in (layer.width // 2, layer.width * 2):
                if WIDTHS[0] <= width <= WIDTHS[1]:
                    cost = 1 - WIDTH_SHARE + WIDTH_SHARE * width / layer.width
                    yield _hidden(layer, cost, width=width)
        if values["hash"] is None:
            yield Candidate({"hash": "kmeans"}, HASH_COST)

    def _other_loss(self, values: Mapping[str, Any]) -> Candidate:
        """Return the other loss, with the correction that it is best with, where that is free."""
        loss = "softmax" if values["loss"] == "bce" else "bce"
        changes: dict[str, Any] = {"loss": loss}
        if "negatives" in self.free:
            share = 1.0 if loss == "softmax" else 0.6
            changes["negatives"] = replace(values["negatives"], prior_correction=share)
        return Candidate(changes)


def _hidden(layer: Layer, cost: float = 1.0, **changes: Any) -> Candidate:
    return Candidate({"hidden": replace(layer, **changes)}, cost)


def _beside(ladder: Iterable[float], value: float) -> list[Any]:
    """Return the next lower and the next higher step of a ladder, where there are such."""
    lower = [step for step in ladder if step < value and not _is_near(step, value)]
    higher = [step for step in ladder if step > value and not _is_near(step, value)]
    return lower[-1:] + higher[:1]


def _is_near(step: float, value: float) -> bool:
    return abs(step - value) <= 0.2 * max(abs(step), abs(value))
