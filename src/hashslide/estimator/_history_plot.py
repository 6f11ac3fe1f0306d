"""The figure of a training: what its records say, epoch by epoch or against the time."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from hashslide.errors import InputError

METRIC_PREFIX = "val_"
ABSCISSAE = {"epoch": "epoch", "seconds": "seconds of training"}


def draw_history(history: list[dict[str, Any]], x: str, y: str | Sequence[str] | None, ax: Any) -> Any:
    """Draw records of epochs; see `SlideClassifier.plot_history`."""
    names = _names_of(history, y)
    if x not in ABSCISSAE:
        raise InputError(f"x is {x!r}; accepted are {' and '.join(map(repr, ABSCISSAE))}.")
    if ax is not None and not hasattr(ax, "plot"):
        raise InputError(f"ax is {ax!r}; accepted are axes of matplotlib, or None for a new figure.")
    axes = _new_axes() if ax is None else ax
    if x == "seconds" and any("seconds" not in record for record in history):
        raise InputError(
            "a model file holds no times: they would differ between equal trainings. Use x='epoch'."
        )
    places = list(accumulate(record["seconds"] for record in history)) if x == "seconds" else None
    for name in names:
        drawn = [
            (record["epoch"] if places is None else places[row], record[name])
            for row, record in enumerate(history)
            if name in record
        ]
        axes.plot(*zip(*drawn, strict=True), marker="o", label=name.removeprefix(METRIC_PREFIX))
    if x == "epoch":
        axes.locator_params(axis="x", integer=True)
    axes.set_xlabel(ABSCISSAE[x])
    if len(names) > 1:
        axes.legend()
    else:
        axes.set_ylabel(names[0].removeprefix(METRIC_PREFIX))
    axes.grid(alpha=0.3)
    return axes


def _names_of(history: list[dict[str, Any]], y: str | Sequence[str] | None) -> list[str]:
    """Return the figures to draw: those asked for, else the metrics, else the loss."""
    known = list(dict.fromkeys(name for record in history for name in record))
    if y is None:
        return [name for name in known if name.startswith(METRIC_PREFIX)] or ["loss"]
    if not isinstance(y, str | Sequence):
        raise InputError(f"y is {y!r}; accepted are a name of the records, or a list of them.")
    names = [y] if isinstance(y, str) else list(y)
    for name in names:
        if name not in known:
            raise InputError(
                f"y names {name!r}; the records have {', '.join(known)}. Metrics of validation data are "
                "recorded where fit gets an eval_set, or holds one out for early_stopping."
            )
    if not names:
        raise InputError(f"y is empty; accepted are names of the records: {', '.join(known)}.")
    return names


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise InputError("plots need matplotlib. Install it with: pip install 'hashslide[plot]'") from None
    return pyplot.subplots(layout="constrained")[1]
