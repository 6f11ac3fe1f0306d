"""Short trainings on a few of the examples, whose costs tell what all of them will cost."""

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import clone

from hashslide.callbacks import Callback
from hashslide.csr import Csr
from hashslide.planning.shape import occurring
from hashslide.training import TrainingContext

__all__ = ["Pilot", "Pilots", "folded", "prediction_seconds"]


def __dir__() -> list[str]:
    return __all__


EPOCHS = 2  # the first one also takes memory
FEWEST_EXAMPLES = 500
PREDICTED_EXAMPLES = 1000
PREDICTIONS = 3


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """What a short training cost.

    Attributes
    ----------
    n_examples : int
    prepare, first_epoch, epoch, finish : float
        Seconds: up to the first step, of the first and of another epoch, and after the last step.
    predict : float
        Seconds of an example, in a batch.
    ranker_entries, candidate_entries : int
        Of the ranker's and of the candidate lists, which grow with the data.
    features_seen, labels_seen : int
    """

    n_examples: int
    prepare: float
    first_epoch: float
    epoch: float
    finish: float
    predict: float
    ranker_entries: int
    candidate_entries: int
    features_seen: int
    labels_seen: int

    @property
    def seconds(self) -> float:
        """What it took altogether."""
        return self.prepare + self.first_epoch + self.epoch + self.finish


class _Clock(Callback):
    """When the steps began and ended."""

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Take the time."""
        self.began = time.perf_counter()

    def teardown(self, estimator: Any, context: TrainingContext) -> None:
        """Take the time."""
        self.ended = time.perf_counter()


class Pilots:
    """Trainings of growing size, on the first of some rows, within a model that is not larger than memory.

    Parameters
    ----------
    model : SlideClassifier
        Whose parameters they have.
    fixed : dict
        Parameters that follow from the size of all the data.
    x, y : Csr
        The rows, in random order.
    multilabel : bool
    n_features, n_labels : int
        Of the pilots' models: the ids of the rows are folded into them.
    """

    def __init__(
        self,
        model: Any,
        fixed: dict[str, Any],
        x: Csr,
        y: Csr,
        multilabel: bool,
        n_features: int,
        n_labels: int,
    ) -> None:
        self.model, self.fixed, self.multilabel = model, fixed, multilabel
        self.X, self.Y = folded(x, n_features), folded(y, n_labels)

    def run(self, seconds: float) -> list[Pilot]:
        """Train on twice as many rows each time, while that is expected to fit into the time."""
        n, started = self.X.shape[0], time.perf_counter()
        sizes = [min(n, FEWEST_EXAMPLES)]
        self.train(sizes[0])  # warms up
        found = [self.train(sizes[0])]
        while sizes[-1] < n:
            elapsed = time.perf_counter() - started
            if len(found) > 1 and elapsed + 2 * found[-1].seconds > seconds:
                break
            sizes.append(min(n, 2 * sizes[-1]))
            found.append(self.train(sizes[-1]))
        return found

    def train(self, n: int) -> Pilot:
        """Train on the first n rows and measure."""
        X, Y, clock = self.X[:n], self.Y[:n], _Clock()
        model = clone(self.model).set_params(**self.fixed, epochs=EPOCHS, callbacks=[clock], verbose=0)
        model._may_judge_in_turn = False  # all the data may be too many for that
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training itself gives those that matter
            if self.multilabel:
                model.fit(X, Y)
            else:
                model.fit(X, Y.indices, classes=np.arange(Y.shape[1]))
            done = time.perf_counter()
            predicted = prediction_seconds(model, self.X[:PREDICTED_EXAMPLES], min(5, Y.shape[1]))
        first, second = (record["seconds"] for record in model.history_)
        sizes = {name: len(array) for name, array in model.network_.state("weight", "candidates").items()}
        lists = (size for name, size in sizes.items() if name.startswith("candidates.") and "labels" in name)
        features_seen, labels_seen = occurring(X, Y, model.settings_["both_ways"].value)
        return Pilot(
            n_examples=n,
            prepare=clock.began - begun,
            first_epoch=first,
            epoch=second,
            finish=done - clock.ended,
            predict=predicted,
            ranker_entries=sizes.get("ranker.features", 0),
            candidate_entries=sum(lists),
            features_seen=features_seen,
            labels_seen=labels_seen,
        )


def prediction_seconds(model: Any, X: csr_matrix, k: int) -> float:
    """Return the median time of an example in a batch; the first batch makes what predictions need."""
    times = [time.perf_counter()]
    for _ in range(1 + PREDICTIONS):
        model.predict_topk(X, k)
        times.append(time.perf_counter())
    return float(np.median(np.diff(times)[1:])) / X.shape[0]


def folded(matrix: Csr, width: int) -> csr_matrix:
    """Return the rows with `width` columns: ids beyond it begin again at 0."""
    rows = matrix.to_scipy()
    if matrix.n_columns <= width:
        return csr_matrix((rows.data, rows.indices, rows.indptr), shape=(matrix.n_rows, width))
    found = csr_matrix((rows.data, rows.indices % np.int32(width), rows.indptr), shape=(matrix.n_rows, width))
    found.sum_duplicates()
    if matrix.data is None:
        found.data[:] = 1
    return found
