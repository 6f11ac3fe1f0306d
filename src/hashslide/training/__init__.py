"""The loop over epochs and batches around `train_batch` of a network, or of what takes its place."""

from hashslide.training.context import TrainingContext
from hashslide.training.data import Batch, BatchSource, Examples, Occurrences, TrainingData
from hashslide.training.evaluation import METRIC_RANKS, Evaluation
from hashslide.training.loop import train
from hashslide.training.memory import resident_bytes
from hashslide.training.plan import Plan, Position, learning_rate_at
from hashslide.training.trainable import Trainable

__all__ = [
    "METRIC_RANKS",
    "Batch",
    "BatchSource",
    "Evaluation",
    "Examples",
    "Occurrences",
    "Plan",
    "Position",
    "Trainable",
    "TrainingContext",
    "TrainingData",
    "learning_rate_at",
    "resident_bytes",
    "train",
]


def __dir__() -> list[str]:
    return __all__
