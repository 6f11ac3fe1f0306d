"""Print the best labels of texts, and the words that spoke for them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from hashslide.cli._console import note, print_json, visible
from hashslide.cli._options import STANDARD_INPUT
from hashslide.cli.actions.predict import open_lines
from hashslide.cli.inputs.models import row_blocks
from hashslide.cli.inputs.reader import LineForm, Reader
from hashslide.cli.inputs.texts import (
    is_text_model,
    is_text_table,
    load_documents,
    load_text_model,
)
from hashslide.errors import InputError
from hashslide.text import SlideTextClassifier
from hashslide.text.documents import in_columns

__all__ = ["Asked", "Reasons", "TextAnswers", "is_wanted", "open_lines", "run"]


def __dir__() -> list[str]:
    return __all__


WORDS = 5  # that are named for a label


class Asked(NamedTuple):
    """What is asked: texts, or lines of a form, or columns of a file."""

    source: str
    queries: list[str] | None
    columns: list[str] | None
    form: LineForm | None
    why: bool


class Reasons(NamedTuple):
    """Why the labels of a text are its labels.

    Attributes
    ----------
    words : list of dict of str to float
        What spoke for each label.
    unknown : list of str
        Words that the model does not know.
    has_terms : bool
        Whether the model knows anything of the text.
    """

    words: list[dict[str, float]]
    unknown: list[str]
    has_terms: bool


@dataclass(frozen=True)
class TextAnswers:
    """How texts are answered.

    Parameters
    ----------
    k : int
        Labels for each text.
    probabilities : bool
        Print probabilities, not raw scores.
    approximate : {"auto", True, False}
        Score only candidates.
    why : bool
        Name the words that spoke for each label.
    json : bool
        One JSON object for each text.
    """

    k: int
    probabilities: bool
    approximate: bool | str
    why: bool
    json: bool

    def within(self, model: SlideTextClassifier) -> "TextAnswers":
        """Return the same with no more labels than the model has."""
        n_labels = len(model.classes_)
        if self.k <= n_labels:
            return self
        note(f"Note: the model has {n_labels:,} labels, so that -k {self.k} prints all of them.")
        return replace(self, k=n_labels)

    def write(self, model: SlideTextClassifier, documents: Any, number: int | None) -> None:
        """Print the answers to texts; the first of them has the given number, None: they bear no number."""
        topk = model.predict_topk(documents, self.k, self.probabilities, self.approximate)
        missing = {None} if model.classes_.dtype.kind not in "iu" else {None, -1}
        for i, (labels, scores) in enumerate(zip(*topk, strict=True)):
            known = [j for j, label in enumerate(labels.tolist()) if label not in missing]
            names = labels[known].tolist()
            reasons = _reasons(model, _document(documents, i), names) if self.why else None
            _print(None if number is None else number + i, names, scores[known].tolist(), reasons, self.json)
        sys.stdout.flush()


def _document(documents: Any, i: int) -> Any:
    if isinstance(documents, dict):
        return {column: texts[i : i + 1] for column, texts in documents.items()}
    return documents[i : i + 1]


def _reasons(model: SlideTextClassifier, document: Any, labels: list[Any]) -> Reasons:
    """Return what spoke for each label, most first, how loud, and which words the model does not know."""
    explained = model.explain(document, labels, by_word=True)[0] if labels else []
    by_label = {told.label: told.features for told in explained}
    spoke = [{str(word): float(value) for word, value in by_label[label] if value > 0} for label in labels]
    has_terms = model.features_.transform(document).nnz > 0
    return Reasons(spoke, model.unknown_words(document)[0], has_terms)


def _print(
    number: int | None, labels: list[Any], scores: list[float], reasons: Reasons | None, json: bool
) -> None:
    if json:
        answer: dict[str, Any] = {"example": number, "labels": labels, "scores": scores}
        print_json(
            answer if reasons is None else answer | {"words": reasons.words, "unknown": reasons.unknown}
        )
        return
    if number is not None:
        sys.stdout.write(f"example {number}\n")
    if reasons is not None and not reasons.has_terms:
        sys.stdout.write("  The model knows no word of this. Likely labels, whatever is asked:\n")
    elif reasons is not None and reasons.unknown:
        sys.stdout.write(f"  Words that the model does not know: {visible(', '.join(reasons.unknown))}\n")
    for i, (label, score) in enumerate(zip(labels, scores, strict=True)):
        sys.stdout.write(f"  {score:8.4f}  {visible(str(label))}\n")
        if reasons is not None and reasons.has_terms:
            spoke = ", ".join(
                f"{word} {value:+.2f}" for word, value in islice(reasons.words[i].items(), WORDS)
            )
            sys.stdout.write(f"            {visible(spoke or 'the network as a whole, no single word')}\n")


def is_wanted(model: Path, asked: Asked, reader: Reader) -> bool:
    """Tell whether texts are asked about, rather than rows of features.

    Raises
    ------
    InputError
        They are, but the model does not read texts, or the options exclude each other.
    """
    by_option = {
        "--query": bool(asked.queries),
        "--text": bool(asked.columns),
        "--why": asked.why,
        "--lines text": asked.form == LineForm.text,
    }
    given = next((name for name, is_given in by_option.items() if is_given), None)
    if not is_text_model(model):
        if given is not None:
            raise InputError(
                f"{given} asks a model of texts, but {model} takes features. Train a model with --text."
            )
        return False
    if asked.queries and asked.source != STANDARD_INPUT:
        raise InputError("DATA and --query are both given. Give one of them.")
    if asked.queries and asked.form not in (None, LineForm.text):
        raise InputError(f"--query is a text, not a line of {asked.form}. Leave out --lines and --by-name.")
    if given in ("--query", "--text", "--lines text"):
        return True
    if asked.form is not None:
        return False
    return asked.source == STANDARD_INPUT or is_text_table(asked.source, reader)


def run(
    model: Path, asked: Asked, block: int, answers: TextAnswers, jobs: int | None, reader: Reader
) -> None:
    """Answer queries, a table of texts, or lines of text."""
    loaded = load_text_model(model, jobs)
    answers, number = answers.within(loaded), 0
    for documents in _documents(loaded, asked, block, reader):
        answers.write(loaded, documents, number)
        number += len(next(iter(documents.values())) if isinstance(documents, dict) else documents)


def _documents(model: SlideTextClassifier, asked: Asked, block: int, reader: Reader) -> Iterator[Any]:
    columns = model.features_.columns_
    if asked.queries:
        yield in_columns(asked.queries, columns)
    elif asked.form == LineForm.text or asked.source == STANDARD_INPUT:
        with open_lines(asked.source) as source:
            if asked.source == STANDARD_INPUT and sys.stdin.isatty():
                note("Write one text per line; Ctrl-D ends.")
                block = 1
            lines = source.lines()
            while chunk := list(islice(lines, block)):
                yield in_columns(chunk, columns)
    else:
        table = load_documents(asked.source, model, asked.columns, None, reader)
        n = len(next(iter(table.documents.values())))
        for rows in row_blocks(n):
            yield {column: texts[rows] for column, texts in table.documents.items()}
