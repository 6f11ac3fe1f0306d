"""Train a model on tables of texts, and save it."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import typer
from scipy.sparse import csr_matrix

from hashslide import data, model_file
from hashslide.cli._console import note, print_json, readable_bytes
from hashslide.cli._options import RANKS, parse_ranks
from hashslide.cli.actions.evaluate import measure, print_report
from hashslide.cli.actions.train import callbacks, checkpoint_folder, draw, interrupted, parameters
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.texts import labels_of, load_table
from hashslide.data.texts.reading import text_format_of
from hashslide.diagnostics import plots
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.text import SlideTextClassifier, TextFeatures

__all__ = ["is_wanted", "run"]


def __dir__() -> list[str]:
    return __all__


NAMES = ("label_names", "feature_names")
OF_FEATURES = ("features", "labels_file", "values", "n_features", "n_labels")


def is_wanted(columns: list[str] | None, source: str, reader: Reader) -> bool:
    """Tell whether to learn from texts: their columns are named, or the format holds nothing else."""
    if columns:
        return True
    form = None if reader.format is None else str(reader.format)
    try:
        return not text_format_of(source, form).has_columns
    except InputError:
        return False


def run(context: typer.Context, reader: Reader) -> None:
    """Train and save; the options are in the context of the command, those of data files in the reader."""
    options = context.params
    output, plot = options["output"], options["plot"]
    _check(options, reader)
    given, folder = parameters(options), checkpoint_folder(context)
    fraction = given.pop("validation_fraction", None)
    model_file.check_writable(output)
    if plot is not None:
        plots.check_plot_path(plot)
    tables = _load(options, reader)
    if fraction is not None:
        tables |= _divided(tables["train"], fraction, options["seed"])
    names = {part: table.labels or [] for part, table in tables.items()}
    classes = np.array(sorted({n for part in names.values() for row in part for n in row}), dtype=object)
    if not (options["json"] or options["quiet"]):
        for part, table in tables.items():
            columns = ", ".join(table.documents)
            note(f"{part}: {len(names[part]):,} texts ({columns}) from {options[_SOURCES[part]]}")
        note(f"labels: {len(classes):,}")
    Y = {part: data.label_matrix(rows, classes)[0] for part, rows in names.items()}
    classifier = SlideClassifier(**given | {"callbacks": callbacks(options, None), "n_jobs": options["jobs"]})
    model = SlideTextClassifier(classifier, TextFeatures(n_jobs=options["jobs"]), options["keep_examples"])
    eval_set = None
    if "validation" in tables:
        eval_set = tables["validation"].documents, Y["validation"]
    try:
        documents = tables["train"].documents
        model.fit(
            documents,
            Y["train"],
            eval_set=eval_set,
            classes=classes,
            resume_from=folder,
            reservoir=options["reservoir"],
        )
    except KeyboardInterrupt as error:
        raise interrupted(error, options["checkpoint"]) from None
    model.save(output, options["optimizer_state"])
    if plot is not None:
        draw(model.classifier_, plot, Path(options["source"]).name)
    test = None
    if "test" in tables:
        test = model.features_.transform(tables["test"].documents), Y["test"]
    _report(options, model, test)


_SOURCES = {"train": "source", "validation": "validation", "test": "test"}


def _check(options: dict[str, Any], reader: Reader) -> None:
    """Refuse options that go with features only."""
    given = [name for name in NAMES if options[name] is not None]
    given += [name for name in OF_FEATURES if getattr(reader, name) is not None]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(f"{option} does not go with texts. Leave it out, or train on features.")
    if options["validation"] is not None and options["validation_fraction"] is not None:
        raise typer.BadParameter("give --validation or --validation-fraction, not both.")


def _load(options: dict[str, Any], reader: Reader) -> dict[str, data.TextTable]:
    tables = {}
    for part, option in _SOURCES.items():
        source = options[option]
        if source is not None:
            tables[part] = load_table(source, options["text"], labels_of(source, reader), reader)
    return tables


def _divided(table: data.TextTable, fraction: float, seed: int) -> dict[str, data.TextTable]:
    """Return the table in two parts, "train" and "validation"."""
    labels = table.labels or []
    rows = csr_matrix(np.arange(1, len(labels) + 1, dtype=np.float32)[:, None])
    parts = data.train_validation_split(rows, rows, fraction, seed)[:2]
    divided = {}
    for name, part in zip(("train", "validation"), parts, strict=True):
        kept = part.toarray()[:, 0].astype(int) - 1
        documents = {column: [texts[i] for i in kept] for column, texts in table.documents.items()}
        divided[name] = data.TextTable(documents, [labels[i] for i in kept])
    return divided


def _report(
    options: dict[str, Any], model: SlideTextClassifier, test: tuple[csr_matrix, csr_matrix] | None
) -> None:
    """Print the metrics on the test part, where the model is, and what to do with it."""
    output, classifier = Path(options["output"]), model.classifier_
    measured = None if test is None else measure(classifier, *test, parse_ranks(RANKS))
    seconds = sum(record["seconds"] for record in classifier.history_)
    if options["json"]:
        facts = {"model": str(output), "bytes": output.stat().st_size, "seconds": seconds}
        print_json({"event": "done"} | facts | {"epochs": classifier.n_iter_, "test": measured})
        return
    if measured is not None:
        print_report(measured)
    if not options["quiet"]:
        size, n, name = readable_bytes(output.stat().st_size), classifier.n_iter_, shlex.quote(str(output))
        epochs = "1 epoch" if n == 1 else f"{n} epochs"
        note(f"\nSaved {output} ({size}) after {epochs}, {seconds:.1f} s.")
        note(f'Next:\n  hashslide ask {name} --why\n  hashslide predict {name} --query "..."')
        note(f"  hashslide serve {name}\n  hashslide inspect {name}")
