"""History: the records of all epochs, in memory and perhaps in a file."""

import json
from typing import Any

from hashslide._os_errors import StrPath, as_path, explain
from hashslide.errors import OutputError
from hashslide.training import TrainingContext

from .base import Callback

__all__ = ["History"]


def __dir__() -> list[str]:
    return __all__


class History(Callback):
    """Keep the record of every epoch, over as many trainings as it sees.

    The estimator's ``history_`` holds the records of one model; this callback is for more than one, or to
    follow a training from outside by its file.

    Parameters
    ----------
    path : path-like, optional
        Each record is appended to this file at once, as a line of JSON.

    Attributes
    ----------
    records : list of dict
        See `hashslide.training.TrainingContext`.
    """

    def __init__(self, path: StrPath | None = None) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Find out now whether the file can be written."""
        if self.path is not None:
            self._append("")

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Add the record."""
        self.records.append(context.logs)
        self._append(json.dumps(context.logs) + "\n")

    def _append(self, text: str) -> None:
        if self.path is None:
            return
        try:
            with open(as_path(self.path), "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {explain(error)}") from error
