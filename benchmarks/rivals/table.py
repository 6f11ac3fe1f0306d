"""The table of the comparison: medians of the runs, method by method."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.harness import table
from .methods import METHODS

BASELINE = "hashslide"
FIGURES = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@3", "PSP@5")
HEAD = ["data", "method", *FIGURES, "train s", "ratio", "predict s", "ratio", "train MB", "peak MB"]

Result = dict[str, Any]
Results = dict[str, dict[str, list[Result]]]  # data set -> method -> one result a run


def medians(runs: list[Result]) -> Result | None:
    """Return the median of every number over the runs that succeeded, None if none did."""
    done = [run for run in runs if "error" not in run]
    if not done:
        return None
    return {key: float(np.median([run[key] for run in done])) for key in done[0]}


def markdown(results: Results) -> str:
    """Return the medians as a Markdown table; a ratio is to hashslide's time."""
    rows = []
    for data, by_method in results.items():
        summary = {method: medians(runs) for method, runs in by_method.items() if runs}
        rows += [
            table_row(data, METHODS[method].title, row, summary.get(BASELINE))
            for method, row in summary.items()
        ]
    return table(HEAD, rows, texts=2)


def table_row(data: str, title: str, row: Result | None, baseline: Result | None) -> list[str]:
    """Return one line of the table."""
    if row is None:
        return [data, title, "failed", *[""] * (len(HEAD) - 3)]
    cells = [data, title] + [f"{row[figure]:.3f}"[1:] if row[figure] < 1 else "1" for figure in FIGURES]
    for key, digits in (("train_s", 1), ("predict_s", 2)):
        ratio = f"{row[key] / baseline[key]:.2f}" if baseline else ""
        cells += [f"{row[key]:.{digits}f}", ratio]
    return [*cells, f"{row['train_mb']:.0f}", f"{row['peak_mb']:.0f}"]
