"""Approximate prediction: its cost, when it pays, how much of the lists it reads (docs/how/prediction.md)."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide._checks import check_bool, check_choice, check_float, check_int
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.network import CandidateSettings, Network
from hashslide.settings import Setting
from hashslide.settings.limits import MAX_IDS

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = [
    "CandidateReport",
    "cost",
    "default_settings",
    "list_entries",
    "pays_off",
    "tune",
    "untuned",
    "use",
]


def __dir__() -> list[str]:
    return __all__


# In units of one neuron of one row in exact prediction of many rows, which screens it by 8-bit bounds.
NEURON_COST = 25.0  # of a candidate, which is read for one row alone
CENTRE_COST = 12.5
ENTRY_COST = 2.5  # of an entry of a list
AUTO_GAIN = 2.0  # "auto" makes lists if they promise to be so many times faster than exact prediction

DEFAULT_FEATURE_LABELS = 64
FEATURE_LABELS = (0, 16, 32, 64, 128, 256)  # what tuning tries
PROBES = (0, 1, 2, 4)
WORTHWHILE = 0.9  # a setting that costs less than so much of the best one is tried
CELL_HALVINGS = 6
VALIDATION_ROWS = 1000
_ROWS_PER_BLOCK = 1024
CONFIDENCE = 2  # standard errors by which the share has to be exceeded: the best of many settings is chosen


@dataclass(frozen=True, kw_only=True)
class CandidateReport:
    """What ``predict_topk(..., approximate=True)`` does, and what it keeps of exact prediction.

    `SlideClassifier.approximate_` is one. The last five fields are None if the candidates were never tuned.

    Attributes
    ----------
    uses_candidates : bool
        Whether only candidates are scored. False: all labels are, since nothing cheaper is good enough.
    reason : str
        Why all labels are scored; empty if candidates are.
    feature_labels, cell_labels, probes : int
        How much of the candidate lists an example reads: the fields of `hashslide.network.CandidateSettings`.
    relative_cost : float
        Cost of an example, as a share of exact prediction's.
    k : int or None
        Up to which rank the hits were wanted,
    share : float or None
        and which share of them.
    measured_on : {"true labels", "exact labels"} or None
        What counts as a hit: a label of the validation data, or one that exact prediction finds.
    n_examples : int or None
        Of the validation data.
    kept : dict of str to float, or None
        The share of the hits that is kept, by the name of its measure, as "P@1".
    """

    uses_candidates: bool
    reason: str
    feature_labels: int
    cell_labels: int
    probes: int
    relative_cost: float
    k: int | None = None
    share: float | None = None
    measured_on: str | None = None
    n_examples: int | None = None
    kept: dict[str, float] | None = None

    def __post_init__(self) -> None:
        check_bool("uses_candidates", self.uses_candidates)
        if not isinstance(self.reason, str):
            raise InputError(f"reason is {self.reason!r}; accepted is text.")
        check_float("relative_cost", self.relative_cost, 0, math.inf, "[)")
        CandidateSettings(self.feature_labels, self.cell_labels, self.probes)
        if self.kept is None:
            return
        check_int("k", self.k, 1, MAX_IDS)
        check_float("share", self.share, 0, 1, "(]")
        check_choice("measured_on", self.measured_on, ("true labels", "exact labels"))
        check_int("n_examples", self.n_examples, 1, 2**53)
        for name, share in self.kept.items():
            check_float(f"kept {name}", share, -math.inf, math.inf, "()")

    @property
    def settings(self) -> CandidateSettings:
        """How much of the candidate lists is read."""
        return CandidateSettings(self.feature_labels, self.cell_labels, self.probes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not None, for a model file."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def default_settings(n_labels: int) -> CandidateSettings:
    """Return settings that kept 99 % of exact P@1 and P@5 on all sets of docs/how/prediction.md."""
    return CandidateSettings(DEFAULT_FEATURE_LABELS, max(1, round(math.sqrt(n_labels))), 1)


def cost(network: Network, settings: CandidateSettings, entries: float) -> float:
    """Return the cost of a row, in neurons of exact prediction.

    Parameters
    ----------
    network : Network
    settings : CandidateSettings
    entries : float
        Entries of the features' lists that an example reads. A ranker looks up the best labels in lists of
        its own, in exact prediction too.
    """
    n_labels = network.config.n_labels
    candidates = min(settings.feature_labels + settings.probes * settings.cell_labels, n_labels)
    centres = math.sqrt(n_labels) if settings.probes else 0.0
    return NEURON_COST * candidates + CENTRE_COST * centres + ENTRY_COST * entries


def pays_off(network: Network, x: Csr, rows: NDArray[np.int64] | None = None) -> bool:
    """Tell whether "auto" makes lists of some rows of x, by default all, before there are any."""
    lengths = np.diff(x.indptr) if rows is None else np.diff(x.indptr)[rows]
    per_row = int(lengths.sum()) / max(len(lengths), 1)
    entries, n_labels = per_row * DEFAULT_FEATURE_LABELS, network.config.n_labels
    return AUTO_GAIN * cost(network, default_settings(n_labels), entries) < n_labels


def list_entries(network: Network, x: Csr, rows: NDArray[np.int64] | None = None) -> float:
    """Return how many entries of lists an example reads on average, of some rows of x or of all."""
    ranges = network.state("candidates").get("candidates.features.ranges", np.zeros((0, 2), np.int64))
    lengths = np.zeros(x.n_columns, np.int64)  # of the list of each feature
    lengths[: len(ranges)] = ranges[:, 1] - ranges[:, 0]
    n_rows, entries = x.n_rows if rows is None else len(rows), 0
    for first, last in blocks(n_rows, _ROWS_PER_BLOCK):
        block = x.block(first, last) if rows is None else x.take(rows[first:last])
        entries += int(lengths[block.indices].sum())
    return entries / max(n_rows, 1)


def untuned(network: Network, x: Csr, rows: NDArray[np.int64] | None = None) -> CandidateReport:
    """Return the report on the default settings."""
    settings = default_settings(network.config.n_labels)
    return _report(network, settings, cost(network, settings, list_entries(network, x, rows)))


def use(model: "SlideClassifier", report: CandidateReport) -> None:
    """Predict as a report says from now on."""
    model.network_.candidate_settings, model.approximate_ = report.settings, report
    labels = f"scoring all {model.network_.config.n_labels:,} labels"
    reason = f"candidates cost {report.relative_cost:.0%} of {labels}"
    if not report.uses_candidates:
        reason = f"there are lists, which are not used, as {report.reason}"
    model.settings_ = model.settings_.replaced(approximate=Setting(True, reason))


def tune(
    network: Network, x: Csr, y: sparse.csr_matrix | None, k: int, share: float, n_threads: int
) -> CandidateReport:
    """Find the cheapest settings that keep `share` of the exact hits at ranks 1 and k on validation data.

    A hit is a true label, or without `y` an exact best label, among the first ones. The mean shortfall and
    `CONFIDENCE` standard errors of it stay within ``1 - share``. At most `VALIDATION_ROWS` rows are used,
    evenly spread.
    """
    rows = np.unique(np.linspace(0, x.n_rows - 1, min(x.n_rows, VALIDATION_ROWS)).astype(np.int64))
    x, y = x.take(rows), None if y is None else y[rows]
    exact = network.predict_topk(x, k, n_threads)[0]
    entries, n_labels = list_entries(network, x), network.config.n_labels

    def losses(settings: CandidateSettings) -> dict[str, tuple[float, float]]:
        return _losses(exact, network.predict_topk(x, k, n_threads, approximate=settings)[0], y)

    def is_good(settings: CandidateSettings) -> bool:
        return all(loss + CONFIDENCE * error <= 1 - share for loss, error in losses(settings).values())

    ladder = sorted({max(1, round(2 * math.sqrt(n_labels) / 2**i)) for i in range(CELL_HALVINGS + 1)})
    has_features = "candidates.features.ranges" in network.state("candidates")
    best, best_cost = None, float(n_labels)
    for feature_labels in FEATURE_LABELS if has_features else (0,):
        for probes in PROBES:
            cell_labels = ladder if probes else [0]
            steps = [CandidateSettings(feature_labels, m, probes) for m in cell_labels]
            steps = [s for s in steps if cost(network, s, entries) < WORTHWHILE * best_cost]
            found = _first_good(steps, is_good)
            if found is not None:
                best, best_cost = found, cost(network, found, entries)
    settings = best or default_settings(n_labels)
    report = _report(network, settings, cost(network, settings, entries), is_reached=best is not None)
    return replace(
        report,
        k=k,
        share=float(share),
        measured_on="exact labels" if y is None else "true labels",
        n_examples=len(rows),
        kept={name: float(1 - loss) for name, (loss, _) in losses(settings).items()},
    )


def _first_good(
    steps: list[CandidateSettings], is_good: Callable[[CandidateSettings], bool]
) -> CandidateSettings | None:
    """Return the first good one of settings of which all behind a good one are good; bisection."""
    if not steps or not is_good(steps[-1]):
        return None
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_good(steps[middle]) else (middle + 1, high)
    return steps[low]


def _losses(
    exact: NDArray[Any], found: NDArray[Any], y: sparse.csr_matrix | None
) -> dict[str, tuple[float, float]]:
    """Return the share by which the hits at ranks 1 and k fall short of exact ones, with standard error."""
    losses = {}
    for k in sorted({1, exact.shape[1]}):
        before, after = (_hits(labels[:, :k], exact[:, :k], y) for labels in (exact, found))
        difference, mean = before - after, max(before.mean(), 1e-12)
        error = difference.std() / math.sqrt(len(difference))
        losses[f"P@{k}" if y is not None else f"recall@{k}"] = (difference.mean() / mean, error / mean)
    return losses


def _hits(labels: NDArray[Any], exact: NDArray[Any], y: sparse.csr_matrix | None) -> NDArray[np.float64]:
    """Return for each row the share of the labels that are true, or among the exact ones."""
    if y is None:
        return (labels[:, :, None] == exact[:, None, :]).any(axis=2).mean(axis=1)
    rows = np.repeat(np.arange(len(labels)), labels.shape[1])
    return np.asarray(y[rows, labels.ravel()], np.float64).reshape(labels.shape).mean(axis=1)


def _report(
    network: Network, settings: CandidateSettings, cost: float, is_reached: bool = True
) -> CandidateReport:
    reason = ""
    if not is_reached:
        reason = "no settings cheaper than exact prediction reach the share"
    elif cost >= network.config.n_labels:
        reason = "with so few labels exact prediction is faster"
    return CandidateReport(
        uses_candidates=not reason,
        reason=reason,
        feature_labels=settings.feature_labels,
        cell_labels=settings.cell_labels,
        probes=settings.probes,
        relative_cost=round(cost / network.config.n_labels, 4),
    )
