"""Texts that the user names on the command line, and models that read them."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from hashslide import data, model_file
from hashslide.cli.inputs.part import Part
from hashslide.cli.inputs.reader import Reader
from hashslide.data.texts.lines import LABEL
from hashslide.data.texts.reading import TEXT_FORMATS, text_format_of
from hashslide.errors import InputError
from hashslide.text import SlideTextClassifier, TextFeatures
from hashslide.text.recipe import FEATURES

__all__ = [
    "OF_TEXTS",
    "check_options",
    "column_weights",
    "holds_texts",
    "is_text_model",
    "is_text_table",
    "labels_of",
    "learn_text_part",
    "load_documents",
    "load_table",
    "load_text_model",
    "load_text_part",
    "table_of",
    "text_features",
    "with_table",
]


def __dir__() -> list[str]:
    return __all__


_NAMES = ("label_names", "feature_names")
OF_TEXTS = {
    "word_ngrams": 2,
    "char_ngrams": "auto",
    "min_documents": "auto",
    "max_terms": 1_000_000,
    "hashed_terms": None,
    "idf": "yes",
    "log_counts": "yes",
    "column_weight": None,
}  # options and their defaults
_OF_FEATURES = ("features", "labels_file", "values", "n_features", "n_labels")


def is_text_model(path: Path) -> bool:
    """Tell whether a model file knows how texts become features."""
    return model_file.inspect(path).metadata.get(FEATURES) is not None


def load_text_model(path: Path, jobs: int | None) -> SlideTextClassifier:
    """Return the model of a file, memory-mapped, with the given number of threads."""
    model = SlideTextClassifier.load(path)
    model.classifier_.set_params(n_jobs=jobs)
    model.features_.set_params(n_jobs=jobs)
    return model


def is_text_table(source: str, reader: Reader) -> bool:
    """Tell whether a file is a table of texts for a model that reads them, by its format and the options."""
    if reader.features is not None or reader.labels_file is not None:
        return False
    if reader.format is not None:
        return any(form.name == reader.format for form in TEXT_FORMATS)
    try:
        text_format_of(source)
    except InputError:
        return False
    return True


def holds_texts(options: dict[str, Any], reader: Reader) -> bool:
    """Tell whether to learn from texts: their columns are named, or the format holds nothing else.

    Raises
    ------
    InputError
        It is not so, but an option says how texts become features.
    """
    if options["text"]:
        return True
    form = None if reader.format is None else str(reader.format)
    try:
        found = not text_format_of(options["source"], form).has_columns
    except InputError:
        found = False
    given = [name for name, default in OF_TEXTS.items() if options[name] not in (default, ())]
    if given and not found:
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(f"{option} goes with texts only. Name their columns with --text, or leave it out.")
    return found


def check_options(options: dict[str, Any], reader: Reader) -> None:
    """Refuse options that go with features only."""
    given = [name for name in _NAMES if options.get(name) is not None]
    given += [name for name in _OF_FEATURES if getattr(reader, name) is not None]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(f"{option} does not go with texts. Leave it out, or use features.")


def column_weights(options: dict[str, Any]) -> dict[str, float] | None:
    """Return what each column weighs that --column-weight names.

    Raises
    ------
    InputError
        A column is named twice.
    """
    given = options["column_weight"] or []
    weights = dict(given)
    if len(weights) < len(given):
        twice = sorted({column for column, _ in given if [name for name, _ in given].count(column) > 1})
        raise InputError(f"--column-weight names {', '.join(twice)} twice. Give each column one weight.")
    return weights or None


def text_features(options: dict[str, Any]) -> TextFeatures:
    """Return how texts become features, from the options of a command."""
    return TextFeatures(
        words=options["word_ngrams"],
        characters=options["char_ngrams"],
        min_documents=options["min_documents"],
        max_terms=options["max_terms"],
        hashed=options["hashed_terms"],
        idf=options["idf"] == "yes",
        sublinear=options["log_counts"] == "yes",
        column_weights=column_weights(options),
        n_jobs=options["jobs"],
    )


def learn_text_part(options: dict[str, Any], reader: Reader) -> Part:
    """Return the features and labels of a table of texts from which the features are learned."""
    check_options(options, reader)
    source = options["source"]
    table = load_table(source, options["text"], labels_of(source, reader), reader)
    assert table.labels is not None
    Y, names = data.label_matrix(table.labels)
    X = text_features(options).fit_transform(table.documents)
    return Part(Path(source), sparse.csr_matrix(X), Y, None, np.asarray(names, dtype=object))


def load_table(source: str, columns: list[str] | None, labels: str | None, reader: Reader) -> data.TextTable:
    """Return texts, and their labels where a column of them, or the format, has some."""
    form = None if reader.format is None else str(reader.format)
    has_columns = text_format_of(source, form).has_columns
    options = reader.options()
    return data.load_texts(
        source,
        text=columns if has_columns or columns else None,
        labels=labels,
        separator=options.get("separator"),
        delimiter=options.get("delimiter"),
        format=form,
        lenient=reader.lenient,
    )


def with_table(source: str, reader: Reader, model: SlideTextClassifier) -> Reader:
    """Return a reader that looks for labels where the training had them, unless told otherwise."""
    form = None if reader.format is None else str(reader.format)
    if reader.labels is not None or not text_format_of(source, form).has_columns:
        return reader
    table = model.table_
    separator = table.get("separator") if reader.separator is None else reader.separator
    return reader._replace(labels=table.get("labels"), separator=separator)


def table_of(reader: Reader) -> dict[str, str]:
    """Return how the labels stand in a table, for the model to note."""
    noted = {"labels": reader.labels, "separator": reader.options().get("separator")}
    return {name: text for name, text in noted.items() if text is not None}


def labels_of(source: str, reader: Reader) -> str:
    """Return the column of labels, or the prefix of fastText's.

    Raises
    ------
    InputError
        It is not given.
    """
    if reader.labels is not None:
        return reader.labels
    form = None if reader.format is None else str(reader.format)
    if text_format_of(source, form).has_columns:
        raise InputError("the column of the labels is not given. Name it with --labels.")
    return LABEL


def load_documents(
    source: str, model: SlideTextClassifier, columns: list[str] | None, labels: str | None, reader: Reader
) -> data.TextTable:
    """Return the texts of a table in the columns of a model.

    Parameters
    ----------
    source : str
    model : SlideTextClassifier
    columns : list of str or None
        Those of the table, in the order of the model's; by default they bear the same names.
    labels : str or None
    reader : Reader

    Raises
    ------
    InputError
        There are not as many columns as the model reads.
    """
    known = list(model.features_.columns_)
    if columns and len(columns) != max(1, len(known)):
        names = ", ".join(known) or "one text"
        raise InputError(
            f"--text names {len(columns)} columns, but the model reads {names}. Name as many, in that order."
        )
    if not columns and not known:
        form = None if reader.format is None else str(reader.format)
        if text_format_of(source, form).has_columns:
            raise InputError("the model has learned texts without a name. Name their column with --text.")
    table = load_table(source, columns or known or None, labels, reader)
    if not known:
        return table
    return table._replace(documents=dict(zip(known, table.documents.values(), strict=True)))


def load_text_part(
    source: str, model: SlideTextClassifier, columns: list[str] | None, reader: Reader
) -> Part:
    """Return the features and labels of a table of texts."""
    if not Path(source).is_file():
        raise InputError(f"{source} is no file. Give a table of texts.")
    reader = with_table(source, reader, model)
    table = load_documents(source, model, columns, labels_of(source, reader), reader)
    assert table.labels is not None
    Y, names = data.label_matrix(table.labels)
    documents: Any = table.documents if model.features_.columns_ else next(iter(table.documents.values()))
    X = model.features_.transform(documents)
    return Part(Path(source), sparse.csr_matrix(X), Y, None, np.asarray(names, dtype=object))
