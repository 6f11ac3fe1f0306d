"""Measure a model on labelled data."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import metrics
from hashslide.cli._console import note, print_facts, print_json, print_table
from hashslide.cli.inputs.models import (
    fit_features,
    fit_labels,
    load_classifier,
    load_excluded,
    row_blocks,
)
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import find_names, part_path
from hashslide.cli.inputs.texts import is_text_model, is_text_table, load_text_model, load_text_part
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.network import effective_threads

__all__ = ["Names", "measure", "print_report", "run"]


def __dir__() -> list[str]:
    return __all__


class Names(NamedTuple):
    """Files with the names of the data's ids; None: those beside the data."""

    labels: Path | None
    features: Path | None


def run(
    model: Path,
    source: str,
    ranks: list[int],
    constants: tuple[float, float],
    exclude: str | None,
    approximate: bool | str,
    names: Names,
    text: list[str] | None,
    jobs: int | None,
    json: bool,
    reader: Reader,
) -> None:
    """Print the metrics; the parameters are those of the command."""
    classifier = load_classifier(model, jobs)
    if text and not is_text_model(model):
        raise InputError(f"--text goes with a model of texts, but {model} takes features. Leave it out.")
    if text or (is_text_model(model) and is_text_table(source, reader)):
        part = load_text_part(source, load_text_model(model, jobs), text, reader)
    else:
        part = reader.load_examples(part_path(source, "test"))
    label_names = find_names(names.labels, part, "labels")
    X = fit_features(part, classifier, names.features, reader.drop_unknown)
    Y = fit_labels(part.Y, label_names, part, classifier)
    left_out = None if exclude is None else load_excluded(exclude, X, label_names, part, classifier)
    if exclude is None and (beside := part.path.parent / "filter_labels_test.txt").is_file():
        note(f"Note: published results leave out the pairs in {beside}; --exclude {beside} does so.")
    n_labels = len(classifier.classes_)
    if max(ranks) > n_labels:
        note(f"Note: the model has {n_labels:,} labels; places beyond them count as wrong.")
    report = measure(classifier, X, Y, ranks, constants, approximate, left_out)
    if json:
        print_json({"model": str(model), "data": str(part.path)} | report)
    else:
        print_report(report)


def measure(
    classifier: SlideClassifier,
    X: csr_matrix,
    Y: csr_matrix,
    ranks: list[int],
    propensity_constants: tuple[float, float] = (0.55, 1.5),
    approximate: bool | str = "auto",
    exclude: csr_matrix | None = None,
) -> dict[str, Any]:
    """Return every metric at every rank, and the speed.

    Parameters
    ----------
    classifier : SlideClassifier
    X : csr_matrix of shape (n, n_features)
    Y : csr_matrix of shape (n, >= n_labels)
        Columns beyond the model's labels are labels that it cannot predict.
    ranks : list of int
    propensity_constants : (A, B)
    approximate : {"auto", True, False}
        As in `SlideClassifier.predict_topk`.
    exclude : csr_matrix of shape (n, >= n_labels), optional
        Pairs that are left out: neither predicted nor right.

    Returns
    -------
    dict
        "examples", "seconds", "milliseconds_per_example", "threads", "approximate" (whether only candidates
        were scored), and "P@1" and so on.
    """
    threads = effective_threads(classifier.n_jobs)
    k = min(max(ranks), Y.shape[1])
    started = time.perf_counter()
    only_candidates = classifier.scores_candidates(approximate)
    topk = _predict_ids(classifier, X, k, only_candidates, exclude)
    seconds = time.perf_counter() - started
    lacking = k - topk.shape[1]  # where Y has labels that the model lacks
    topk = np.pad(topk, ((0, 0), (0, lacking)), constant_values=-1)
    report: dict[str, Any] = {
        "examples": X.shape[0],
        "seconds": seconds,
        "milliseconds_per_example": 1000 * seconds / max(1, X.shape[0]),
        "threads": threads,
        "approximate": only_candidates,
    }
    propensity = _propensity(classifier, Y.shape[1], propensity_constants)
    return report | metrics.summary(Y, topk, ranks, propensity, exclude=exclude)


def print_report(report: dict[str, Any]) -> None:
    """Print the result of `measure` as a table, one row a rank."""
    ranks = [name.removeprefix("P@") for name in report if name.startswith("P@")]
    columns = ("P", "R", "nDCG", "PSP", "PSnDCG", "coverage")
    rows = [(int(k), *(f"{report[f'{column}@{k}']:.4f}" for column in columns)) for k in ranks]
    print_table("", ("k", *columns), rows)
    scored = "candidates (--approximate no: all labels)" if report["approximate"] else "all labels"
    print_facts(
        "",
        {
            "examples": report["examples"],
            "prediction": f"{report['seconds']:.2f} s with {report['threads']} threads, "
            f"{report['milliseconds_per_example']:.3f} ms per example",
            "scored": scored,
        }.items(),
    )


def _predict_ids(
    classifier: SlideClassifier, X: csr_matrix, k: int, approximate: bool, exclude: csr_matrix | None
) -> NDArray[np.int64]:
    network, threads = classifier.network_, effective_threads(classifier.n_jobs)
    n_labels = network.config.n_labels
    k = min(k, n_labels)
    blocks = []
    for rows in row_blocks(X.shape[0]):
        x, left_out = classifier.network_features(X[rows]), None
        if exclude is not None:
            left_out = exclude[rows, :n_labels]
        blocks.append(network.predict_topk(x, k, threads, approximate, left_out)[0])
    return np.concatenate([np.empty((0, k), np.int64), *blocks])


def _propensity(
    classifier: SlideClassifier, n_labels: int, constants: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the propensity of each label; one that training did not have counts as seen never."""
    network = classifier.network_
    counts = np.zeros(n_labels, np.int64)
    counts[: network.config.n_labels] = network.label_counts
    return metrics.propensity(counts, network.n_examples_seen, *constants)
