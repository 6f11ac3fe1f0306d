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
from hashslide.data import load_names
from hashslide.diagnostics import plots
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier

__all__ = ["run_add", "run_drift", "run_forget", "run_hide", "run_update"]


def __dir__() -> list[str]:
    return __all__


COLUMNS = ("examples", "P@1", "P@3", "P@5", "unknown_labels", "prior_shift", "alarm")


def run_update(options: dict[str, Any], reader: Reader) -> None:
    """Learn from a data file; the options are those of the command."""
    output = options["output"]
    model_file.check_writable(output)
    classifier = load_classifier(options["model"], options["jobs"])
    part = reader.load_examples(part_path(options["source"], "train"))
    X = fit_features(part, classifier, options["feature_names"], reader.drop_unknown)
    names = find_names(options["label_names"], part, "labels")
    Y, classes = labels_and_names(part, names, classifier)
    n_old = len(classifier.classes_)
    given = {name: options[name] for name in ("replay", "decay", "reservoir")}
    classifier.partial_fit(X, Y, classes, **given)
    classifier.save(output)
    record = classifier.drift_.records[-1]
    n_new = len(classifier.classes_) - n_old
    if options["json"]:
        facts = {"model": str(output), "bytes": output.stat().st_size, "new_labels": n_new}
        print_json({"event": "done"} | facts | record)
        return
    print_table("", COLUMNS, [[record[name] for name in COLUMNS]])
    if not options["quiet"]:
        said = f"learned {X.shape[0]:,} examples, {n_new:,} new labels"
        note(f"\nSaved {output} ({readable_bytes(output.stat().st_size)}): {said}.")


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


def chosen(classifier: SlideClassifier, given: list[str], file: Path | None) -> list[Any]:
    """Return the labels that a user has named by options and in a file."""
    names = [*given, *([] if file is None else load_names(file).tolist())]
    if not names:
        raise InputError("no label is named. Give --label NAME or --names-file FILE.")
    return [_number(name) for name in names] if classifier.classes_.dtype.kind in "iu" else names


def run_forget(model: Path, output: Path, given: list[str], file: Path | None) -> None:
    """Remove labels."""
    model_file.check_writable(output)
    classifier = SlideClassifier.load(model)
    names = chosen(classifier, given, file)
    classifier.forget_labels(names)
    classifier.save(output)
    note(f"Saved {output}: {len(names):,} labels forgotten, {len(classifier.classes_):,} left.")


def run_hide(model: Path, output: Path, given: list[str], file: Path | None, undo: bool) -> None:
    """Hide labels, or show them again; `undo` without names: all."""
    model_file.check_writable(output)
    classifier = SlideClassifier.load(model)
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
    classifier = load_classifier(options["model"], options["jobs"])
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
    classifier.save(output)
    note(f"Saved {output}: {len(labels):,} labels added, {len(classifier.classes_):,} in all.")


def run_drift(model: Path, plot: Path | None, json: bool) -> None:
    """Print the record of drift, and draw it."""
    if plot is not None:
        plots.check_plot_path(plot)
    classifier = SlideClassifier.load(model)
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
