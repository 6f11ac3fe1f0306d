"""History: the records of all epochs, in memory and perhaps in a file."""

import json
import os

from hashslide._os_errors import as_path, explain
from hashslide.errors import OutputError

from .base import Callback


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

    def __init__(self, path: str | os.PathLike | None = None):
        self.path = path
        self.records: list[dict] = []

    def setup(self, estimator, context) -> None:
        """Find out now whether the file can be written."""
        if self.path is not None:
            self._append("")

    def on_epoch_end(self, estimator, context) -> None:
        """Add the record."""
        self.records.append(context.logs)
        if self.path is not None:
            self._append(json.dumps(context.logs) + "\n")

    def _append(self, text: str) -> None:
        try:
            with open(as_path(self.path), "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {explain(error)}") from error
