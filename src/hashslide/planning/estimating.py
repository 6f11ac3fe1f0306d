"""From the costs of short trainings to those of a long one."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hashslide._checks import check_float
from hashslide.csr import Csr
from hashslide.planning.pilot import Pilot, Pilots
from hashslide.planning.shape import Shape
from hashslide.planning.sizes import Sizes
from hashslide.ranking import FOLDS, judge_in_turn

__all__ = ["SECONDS", "Estimate", "Planned", "estimate"]


def __dir__() -> list[str]:
    return __all__


SECONDS = 2.0
MOST_ROWS = 1 << 17  # from which the pilots are drawn
PILOT_BYTES = 1 << 30  # of a pilot's model, at most
PROGRAM_BYTES = 215_000_000  # Python, NumPy, SciPy, scikit-learn and this package, with their working memory
ENTRY_BYTES = 8  # of a list of the ranker, or of candidates
PAIR_BYTES = 4  # of an example and a label, while a ranker learns; of a candidate of an example
CANDIDATES = 20  # labels of an example that a ranker learns from, besides its own
LONGEST = 64  # list of a feature; of a label too, if the last hidden layer is not wider
# Powers of the number of examples: with which the lists of a label or a feature grow, and with which a
# prediction takes longer, whose lists are longer and further from the caches. Pilots tell them, within these
# bounds.
LIST_GROWTH = (0.0, 0.35)
PREDICTION_GROWTH = (0.1, 0.25)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a training and predictions will cost on this machine.

    Attributes
    ----------
    shape : Shape
        Of the data.
    pilot_examples : int
        On how many of them short trainings were measured.
    epochs : int
    seconds : dict of str to float
        Of the parts of a training: "prepare", "steps", "finish" (candidate lists and ranker).
    memory : dict of str to int
        Bytes of the parts of a training's peak: "program", "data", "model" (with the optimiser's state),
        "lists" (of the ranker and of candidates) and "work" (what the ranker's learning needs besides).
    file_bytes : int
        Of the model's file, with the optimiser's state and without names.
    prediction_bytes : int
        Memory that predicting needs, the program included.
    prediction_seconds : float
        Of 1,000 examples in a batch.
    """

    shape: Shape
    pilot_examples: int
    epochs: int
    seconds: dict[str, float]
    memory: dict[str, int]
    file_bytes: int
    prediction_bytes: int
    prediction_seconds: float

    @property
    def training_seconds(self) -> float:
        """Seconds of the whole training."""
        return sum(self.seconds.values())

    @property
    def training_bytes(self) -> int:
        """Peak of the process's memory."""
        return sum(self.memory.values())

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers."""
        totals = {"training_seconds": self.training_seconds, "training_bytes": self.training_bytes}
        return asdict(self) | totals


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What follows from the parameters of a classifier and the shape of all the data.

    Attributes
    ----------
    shape : Shape
    epochs : int
    width : int
        Of the last hidden layer.
    sizes : Sizes
        Of the network.
    fixed : dict
        Parameters of the short trainings, which would otherwise follow from their own size.
    """

    shape: Shape
    epochs: int
    width: int
    sizes: Sizes
    fixed: dict[str, Any]


def estimate(
    model: Any, planned: Planned, x: Csr, y: Csr, multilabel: bool, seconds: float = SECONDS
) -> Estimate:
    """Return what training a model will cost.

    Parameters
    ----------
    model : SlideClassifier
    planned : Planned
    x, y : Csr
        All the data, or a sample of them.
    multilabel : bool
    seconds : float
        For the short trainings, about.
    """
    seconds = check_float("seconds", seconds, 0, math.inf, "()")
    shape, sizes = planned.shape, planned.sizes
    n, model_bytes = shape.n_examples, sizes.model(shape.n_features, shape.n_labels)
    shrink = min(1.0, PILOT_BYTES / model_bytes)
    dims = [max(1, round(shrink * size)) for size in (shape.n_features, shape.n_labels)]
    rows = np.random.default_rng(0).permutation(x.n_rows)[:MOST_ROWS]
    pilots = Pilots(model, planned.fixed, x.take(rows), y.take(rows), multilabel, *dims).run(seconds)
    wider = (shape.n_features + shape.n_labels) / sum(dims)

    longest = max(LONGEST, planned.width)
    in_ranker = _entries(pilots, "ranker_entries", "labels_seen", shape.labels_seen, n, longest)
    in_candidates = _entries(pilots, "candidate_entries", "features_seen", shape.features_seen, n, LONGEST)
    lists = ENTRY_BYTES * (in_ranker + in_candidates)
    pairs = shape.n_learned * (2 * CANDIDATES + shape.labels_per_example) * PAIR_BYTES
    screen = 0 if in_candidates else shape.n_labels * (planned.width + 16)
    more_labels = 1.0 if in_candidates else shape.n_labels / dims[1]
    prediction = _grown(pilots, [pilot.predict for pilot in pilots], n, PREDICTION_GROWTH)
    return Estimate(
        shape=shape,
        pilot_examples=pilots[-1].n_examples,
        epochs=planned.epochs,
        seconds=_seconds(pilots, planned.epochs, n, wider),
        memory={
            "program": PROGRAM_BYTES,
            "data": shape.data_bytes,
            "model": model_bytes,
            "lists": lists,
            "work": round(pairs + ENTRY_BYTES * in_ranker) if in_ranker else 0,
        },
        file_bytes=model_bytes + lists,
        prediction_bytes=PROGRAM_BYTES + sizes.weights(shape.n_features, shape.n_labels) + lists + screen,
        prediction_seconds=1000 * prediction * more_labels,
    )


def _seconds(pilots: list[Pilot], epochs: int, n_examples: int, wider: float) -> dict[str, float]:
    """Return the seconds of the parts: an epoch's are in proportion to the examples, the others' on a line.

    What does not grow with the examples is in proportion to features and labels: making the network, and the
    memory of the weights, which the first epoch takes. Where examples judge a ranker in turn, each fold is a
    training with the others, and what follows it.
    """
    largest = pilots[-1]
    taken = max(0.0, largest.first_epoch - largest.epoch)
    of_epoch = min(largest.first_epoch, largest.epoch) / largest.n_examples * n_examples
    steps = epochs * of_epoch + wider * taken
    finish = _on_line(pilots, "finish", n_examples, wider)
    if judge_in_turn(n_examples) and largest.ranker_entries > 0:
        finish += FOLDS * (FOLDS - 1) / FOLDS * (steps + finish)
    return {"prepare": _on_line(pilots, "prepare", n_examples, wider), "steps": steps, "finish": finish}


def _on_line(pilots: list[Pilot], part: str, n_examples: int, wider: float) -> float:
    """Return the seconds of a part by the line of Theil (1950) and Sen (1968), which outliers hardly move."""
    sizes = np.array([pilot.n_examples for pilot in pilots], float)
    times = np.array([getattr(pilot, part) for pilot in pilots])
    first, second = np.triu_indices(len(pilots), 1)
    slopes = (times[second] - times[first]) / (sizes[second] - sizes[first])
    slope = max(0.0, float(np.median(slopes))) if len(slopes) else 0.0
    constant = max(0.0, float(np.median(times - slope * sizes)))
    return slope * n_examples + wider * constant


def _entries(pilots: list[Pilot], of: str, by: str, n_lists: int, n_examples: int, longest: int) -> int:
    """Return the entries of the lists that are not empty, which grow by a power law up to the longest."""
    means = [getattr(pilot, of) / max(1, getattr(pilot, by)) for pilot in pilots]
    return round(min(_grown(pilots, means, n_examples, LIST_GROWTH), max(longest, means[-1])) * n_lists)


def _grown(pilots: list[Pilot], figures: list[float], n_examples: int, powers: tuple[float, float]) -> float:
    """Return what a figure of the pilots becomes with more examples, by a power law within bounds."""
    power, (least, most), before = 0.0, powers, max(0, len(pilots) - 3)
    if min(figures[before], figures[-1]) > 0 and len(pilots) > 1:
        more = pilots[-1].n_examples / pilots[before].n_examples
        power = math.log(figures[-1] / figures[before]) / math.log(more)
    return figures[-1] * (n_examples / pilots[-1].n_examples) ** min(max(power, least), most)
