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
from hashslide.text import SlideTextClassifier
from hashslide.text.recipe import FEATURES

__all__ = [
    "is_text_model",
    "is_text_table",
    "labels_of",
    "load_documents",
    "load_table",
    "load_text_model",
    "load_text_part",
]


def __dir__() -> list[str]:
    return __all__


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
    table = load_documents(source, model, columns, labels_of(source, reader), reader)
    assert table.labels is not None
    Y, names = data.label_matrix(table.labels)
    documents: Any = table.documents if model.features_.columns_ else next(iter(table.documents.values()))
    X = model.features_.transform(documents)
    return Part(Path(source), sparse.csr_matrix(X), Y, None, np.asarray(names, dtype=object))
