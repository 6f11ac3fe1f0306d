"""Update a model, add, hide and forget its labels, and show its drift."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import model_file
from hashslide.cli._console import note, print_json, print_table, readable_bytes
from hashslide.cli.inputs.columns import places
from hashslide.cli.inputs.models import fit_features, fit_labels, load_classifier
from hashslide.cli.inputs.part import Part
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import find_names, part_path
from hashslide.cli.inputs.texts import (
    is_text_model,
    labels_of,
    load_documents,
    load_text_model,
    with_table,
)
from hashslide.data import load_names
from hashslide.diagnostics import plots
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.text import SlideTextClassifier

__all__ = [
    "add_by_features",
    "add_described",
    "check_no_texts",
    "chosen",
    "described",
    "labels_and_names",
    "open_model",
    "run_add",
    "run_drift",
    "run_forget",
    "run_hide",
    "run_update",
]


def __dir__() -> list[str]:
    return __all__


COLUMNS = ("examples", "P@1", "P@3", "P@5", "unknown_labels", "prior_shift", "alarm")


def run_update(options: dict[str, Any], reader: Reader) -> None:
    """Learn from a data file; the options are those of the command."""
    output = options["output"]
    model_file.check_writable(output)
    given = {name: options[name] for name in ("replay", "decay", "reservoir")}
    classifier = open_model(options["model"], options["jobs"])
    n_old = len(classifier.classes_)
    if isinstance(classifier, SlideTextClassifier):
        documents, labels = described(options, classifier, reader)
        classifier.partial_fit(documents, labels, **given)
        n = len(labels)
    else:
        check_no_texts(options)
        part = reader.load_examples(part_path(options["source"], "train"))
        X = fit_features(part, classifier, options["feature_names"], reader.drop_unknown)
        names = find_names(options["label_names"], part, "labels")
        classifier.partial_fit(X, *labels_and_names(part, names, classifier), **given)
        n = X.shape[0]
    classifier.save(output)
    record = classifier.drift_.records[-1]
    n_new = len(classifier.classes_) - n_old
    if options["json"]:
        facts = {"model": str(output), "bytes": output.stat().st_size, "new_labels": n_new}
        print_json({"event": "done"} | facts | record)
        return
    print_table("", COLUMNS, [[record[name] for name in COLUMNS]])
    if not options["quiet"]:
        said = f"learned {n:,} examples, {n_new:,} new labels"
        note(f"\nSaved {output} ({readable_bytes(output.stat().st_size)}): {said}.")


def open_model(path: Path, jobs: int | None = None) -> SlideClassifier | SlideTextClassifier:
    """Return the model of a file, of features or of texts."""
    return load_text_model(path, jobs) if is_text_model(path) else load_classifier(path, jobs)


def check_no_texts(options: dict[str, Any]) -> None:
    """Refuse columns of texts for a model that takes features."""
    if options["text"]:
        raise InputError(f"--text goes with a model of texts, but {options['model']} takes features.")


def described(
    options: dict[str, Any], model: SlideTextClassifier, reader: Reader
) -> tuple[Any, list[list[str]]]:
    """Return the texts of a table in the form of a model, and their labels."""
    source = options["source"]
    if not Path(source).is_file():
        raise InputError(f"{source} is no file. Give a table of texts.")
    reader = with_table(source, reader, model)
    table = load_documents(source, model, options["text"], labels_of(source, reader), reader)
    documents: Any = table.documents if model.features_.columns_ else next(iter(table.documents.values()))
    return documents, table.labels or []


def labels_and_names(
    part: Part, names: NDArray[Any] | None, classifier: SlideClassifier
) -> tuple[csr_matrix, NDArray[Any] | None]:
    """Return labels in the columns of a model, followed by new ones that occur, and the names of all."""
    old, n = classifier.classes_, len(classifier.classes_)
    if classifier._labels.names is None:
        Y = part.Y
        wider = csr_matrix((Y.data, Y.indices, Y.indptr), shape=(Y.shape[0], max(n, Y.shape[1])))
        return wider, None
    Y = fit_labels(part.Y, names, part, classifier)
    if Y.shape[1] == n:
        return Y, old
    known = old.astype(str) if old.dtype.kind not in "UO" and part.label_names is not None else old
    given = np.arange(part.Y.shape[1]) if names is None else names
    if known.dtype.kind not in "UO" and part.label_names is None:
        given = np.arange(part.Y.shape[1])
    new = given[places(given, known) < 0]
    if old.dtype.kind in "iu":
        new = np.array([_number(name) for name in new])
    occurring = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1])[n:])
    columns = np.concatenate([np.arange(n), n + occurring])
    return Y[:, columns], np.concatenate([old, new[occurring]])


def _number(name: Any) -> int:
    try:
        return int(name)
    except ValueError:
        raise InputError(
            f"the model's labels are numbers, but {name!r} is none. Name labels as it does."
        ) from None


def chosen(
    classifier: SlideClassifier | SlideTextClassifier, given: list[str], file: Path | None
) -> list[Any]:
    """Return the labels that a user has named by options and in a file."""
    names = [*given, *([] if file is None else load_names(file).tolist())]
    if not names:
        raise InputError("no label is named. Give --label NAME or --names-file FILE.")
    return [_number(name) for name in names] if classifier.classes_.dtype.kind in "iu" else names


def run_forget(model: Path, output: Path, given: list[str], file: Path | None) -> None:
    """Remove labels."""
    model_file.check_writable(output)
    classifier = open_model(model)
    names = chosen(classifier, given, file)
    classifier.forget_labels(names)
    classifier.save(output)
    note(f"Saved {output}: {len(names):,} labels forgotten, {len(classifier.classes_):,} left.")


def run_hide(model: Path, output: Path, given: list[str], file: Path | None, undo: bool) -> None:
    """Hide labels, or show them again; `undo` without names: all."""
    model_file.check_writable(output)
    classifier = open_model(model)
    if undo:
        is_all = not given and file is None
        classifier.unhide_labels(None if is_all else chosen(classifier, given, file))
    else:
        classifier.hide_labels(chosen(classifier, given, file))
    classifier.save(output)
    n_hidden, n = len(classifier.hidden_labels_), len(classifier.classes_)
    note(f"Saved {output}: {n_hidden:,} of {n:,} labels are hidden.")


def run_add(options: dict[str, Any], reader: Reader) -> None:
    """Add labels of a data file whose lines describe them."""
    output = options["output"]
    model_file.check_writable(output)
    classifier = open_model(options["model"], options["jobs"])
    if isinstance(classifier, SlideTextClassifier):
        n_labels = add_described(options, classifier, reader)
    else:
        check_no_texts(options)
        n_labels = add_by_features(options, classifier, reader)
    classifier.save(output)
    note(f"Saved {output}: {n_labels:,} labels added, {len(classifier.classes_):,} in all.")


def add_described(options: dict[str, Any], model: SlideTextClassifier, reader: Reader) -> int:
    """Add labels that texts describe; return how many."""
    documents, labels = described(options, model, reader)
    for i, row in enumerate(labels):
        if len(row) != 1:
            raise InputError(
                f"text {i} of {options['source']} has {len(row)} labels; accepted is one, which it describes."
            )
    model.add_labels([row[0] for row in labels], documents)
    return len(labels)


def add_by_features(options: dict[str, Any], classifier: SlideClassifier, reader: Reader) -> int:
    """Add labels that rows of features describe; return how many."""
    part = reader.load_examples(part_path(options["source"], "train"))
    several = np.flatnonzero(np.diff(part.Y.indptr) != 1)
    if len(several):
        n = int(np.diff(part.Y.indptr)[several[0]])
        raise InputError(
            f"example {several[0]} of {part.path} has {n} labels; accepted is one, which it describes."
        )
    X = fit_features(part, classifier, options["feature_names"], reader.drop_unknown)
    names = find_names(options["label_names"], part, "labels")
    labels = part.Y.indices.tolist() if names is None else names[part.Y.indices].tolist()
    if classifier.classes_.dtype.kind in "iu":
        labels = [_number(label) for label in labels]
    elif names is None:
        raise InputError(
            f"the model's labels have names, those of {part.path} have none. Give --label-names."
        )
    classifier.add_labels(labels, X)
    return len(labels)


def run_drift(model: Path, plot: Path | None, json: bool) -> None:
    """Print the record of drift, and draw it."""
    if plot is not None:
        plots.check_plot_path(plot)
    classifier = open_model(model)
    if not hasattr(classifier, "drift_"):
        raise InputError(f"{model} has not been updated yet. Use hashslide update first.")
    found = classifier.drift_
    rows = [[call, *(record[name] for name in COLUMNS)] for call, record in enumerate(found.records, start=1)]
    if json:
        for record in found.to_plain():
            print_json(record)
    else:
        print_table("", ("update", *COLUMNS), rows)
        if found.alarm:
            note("\nAlarm: P@1 of the last update is lower than before by more than chance explains.")
    if plot is not None:
        figure, axes = plots.new_figure(1, 2, (12, 4.5))
        calls = [row[0] for row in rows]
        for ax, names in ((axes[0, 0], COLUMNS[1:4]), (axes[0, 1], COLUMNS[4:6])):
            for name in names:
                ax.plot(calls, [record[name] for record in found.records], marker="o", label=name)
            ax.set_xlabel("update")
            ax.legend()
        table = plots.Table("updates", ("update", *COLUMNS), rows)
        plots.save_plot(plot, figure, f"Drift of {model.name}", tables=[table])
        note(f"Wrote {plot}.")
