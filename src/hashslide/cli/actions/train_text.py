"""Train a model on tables of texts, and save it."""

import shlex
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import data, model_file
from hashslide.cli._console import note
from hashslide.cli.actions.train import (
    callbacks,
    checkpoint_folder,
    draw,
    interrupted,
    parameters,
    print_outcome,
)
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.texts import check_options, labels_of, load_table, table_of, text_features
from hashslide.diagnostics import plots
from hashslide.estimator import SlideClassifier
from hashslide.text import SlideTextClassifier

__all__ = ["Tables", "load_tables", "report", "run", "text_steps"]


def __dir__() -> list[str]:
    return __all__


def run(context: typer.Context, reader: Reader) -> None:
    """Train and save; the options are in the context of the command, those of data files in the reader."""
    options = context.params
    output, plot = options["output"], options["plot"]
    given, folder = parameters(options), checkpoint_folder(context)
    fraction = given.pop("validation_fraction", None)
    model_file.check_writable(output)
    if plot is not None:
        plots.check_plot_path(plot)
    given_texts = load_tables(options, reader, fraction)
    if not (options["json"] or options["quiet"]):
        given_texts.announce(options)
    classifier = SlideClassifier(**given | {"callbacks": callbacks(options, None), "n_jobs": options["jobs"]})
    model = SlideTextClassifier(classifier, text_features(options), options["keep_examples"])
    try:
        model.fit(
            *given_texts.pairs["train"],
            eval_set=given_texts.pairs.get("validation"),
            classes=given_texts.classes,
            resume_from=folder,
            reservoir=options["reservoir"],
        )
    except KeyboardInterrupt as error:
        raise interrupted(error, options["checkpoint"]) from None
    model.table_ = table_of(reader)
    model.save(output, options["optimizer_state"])
    if plot is not None:
        draw(model.classifier_, plot, Path(options["source"]).name)
    report(options, model, given_texts)


class Tables(NamedTuple):
    """Texts with their labels.

    Attributes
    ----------
    pairs : dict of str to (documents, labels as a matrix)
        Of "train" and, where there are any, "validation" and "test".
    classes : array
        The names of all labels.
    """

    pairs: dict[str, tuple[dict[str, list[str]], csr_matrix]]
    classes: NDArray[np.object_]

    def announce(self, options: dict[str, Any]) -> None:
        """Say what is trained on."""
        for part, (documents, Y) in self.pairs.items():
            source = options[_SOURCES[part]] or options["source"]
            note(f"{part}: {Y.shape[0]:,} texts ({', '.join(documents)}) from {source}")
        note(f"labels: {len(self.classes):,}")

    def features(self, part: str, model: SlideTextClassifier) -> tuple[csr_matrix, csr_matrix] | None:
        """Return the features and labels of a part, if there is one."""
        if part not in self.pairs:
            return None
        documents, Y = self.pairs[part]
        return model.features_.transform(documents), Y


_SOURCES = {"train": "source", "validation": "validation", "test": "test"}


def load_tables(options: dict[str, Any], reader: Reader, fraction: float | None = None) -> Tables:
    """Return the texts that the options name; a fraction of those of the training is held out."""
    check_options(options, reader)
    if options["validation"] is not None and fraction is not None:
        raise typer.BadParameter("give --validation or --validation-fraction, not both.")
    tables = {
        part: load_table(source, options["text"], labels_of(source, reader), reader)
        for part, option in _SOURCES.items()
        if (source := options[option]) is not None
    }
    if fraction is not None:
        tables |= _divided(tables["train"], fraction, options["seed"])
    labels = {part: table.labels or [] for part, table in tables.items()}
    classes = np.array(sorted({n for part in labels.values() for row in part for n in row}), dtype=object)
    pairs = {
        part: (table.documents, data.label_matrix(labels[part], classes)[0]) for part, table in tables.items()
    }
    return Tables(pairs, classes)


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


def report(options: dict[str, Any], model: SlideTextClassifier, texts: Tables) -> None:
    """Print the metrics on the test part, where the model is, and what to do with it."""
    steps = text_steps(options["output"])
    print_outcome(options, model.classifier_, texts.features("test", model), steps)


def text_steps(output: Path) -> str:
    """Return the commands that make sense after training on texts."""
    name = shlex.quote(str(output))
    first = f'Next:\n  hashslide ask {name} --why\n  hashslide predict {name} --query "..."'
    return f"{first}\n  hashslide serve {name}\n  hashslide inspect {name}"
