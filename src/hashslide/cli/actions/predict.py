"""Print the best labels of each example of a file or of lines."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize as scale_rows

from hashslide.cli._console import note, print_json, visible
from hashslide.cli._options import STANDARD_INPUT
from hashslide.cli.inputs.lines import LineReader
from hashslide.cli.inputs.models import fit_features, load_classifier, load_excluded, row_blocks
from hashslide.cli.inputs.reader import LineForm, Reader
from hashslide.cli.inputs.sources import find_names, part_path
from hashslide.data.sources import TextSource, open_text
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.targets.exclusion import INPUT

__all__ = ["Answers", "open_lines", "run"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Answers:
    """How the command answers.

    Parameters
    ----------
    k : int
        Labels for each example.
    probabilities : bool
        Print probabilities, not raw scores.
    approximate : {"auto", True, False}
        Score only candidates.
    json : bool
        One JSON object for each example.
    """

    k: int
    probabilities: bool
    approximate: bool | str
    json: bool

    def write(self, classifier: SlideClassifier, blocks: Iterable[tuple[csr_matrix, Any]]) -> None:
        """Print the answers for blocks of examples, each with what to exclude, as soon as it is there."""
        number, classes = 0, classifier.classes_
        missing = {None} if classes.dtype.kind not in "iu" or (classes == -1).any() else {None, -1}
        for X, exclude in blocks:
            topk = classifier.predict_topk(
                X, self.k, probabilities=self.probabilities, approximate=self.approximate, exclude=exclude
            )
            for labels, scores in zip(*topk, strict=True):
                known = [i for i, label in enumerate(labels.tolist()) if label not in missing]
                (_print_json if self.json else _print)(number, labels[known].tolist(), scores[known].tolist())
                number += 1
            sys.stdout.flush()


def _print(number: int, labels: list[Any], scores: list[float]) -> None:
    sys.stdout.write(f"example {number}\n")
    for label, score in zip(labels, scores, strict=True):
        sys.stdout.write(f"  {score:8.4f}  {visible(str(label))}\n")


def _print_json(number: int, labels: list[Any], scores: list[float]) -> None:
    print_json({"example": number, "labels": labels, "scores": scores})


def run(
    model: Path,
    source: str,
    form: LineForm | None,
    normalize: bool | None,
    block: int,
    feature_names: Path | None,
    exclude: str | None,
    answers: Answers,
    jobs: int | None,
    reader: Reader,
) -> None:
    """Answer a data file, or lines in a form; the parameters are those of the command."""
    classifier = load_classifier(model, jobs)
    n_labels = len(classifier.classes_)
    if answers.k > n_labels:
        note(f"Note: the model has {n_labels:,} labels, so that -k {answers.k} prints all of them.")
        answers = replace(answers, k=n_labels)
    if form is None and source != STANDARD_INPUT:
        examples = _examples_of_file(source, classifier, feature_names, exclude, reader, bool(normalize))
    else:
        if exclude not in (None, INPUT):
            raise InputError(
                f"--exclude {exclude} names pairs by the number of the example, which lines do not have "
                "beforehand. Give the examples as a data file, or --exclude input."
            )
        form = form or LineForm.xmc
        scale = form == LineForm.names if normalize is None else normalize
        lines = LineReader(form, classifier, source, scale, reader.drop_unknown)
        examples = ((X, exclude) for X in _examples_of_lines(source, lines, block))
    answers.write(classifier, examples)


def _examples_of_file(
    source: str,
    model: SlideClassifier,
    names: Path | None,
    exclude: str | None,
    reader: Reader,
    normalize: bool,
) -> Iterator[tuple[csr_matrix, Any]]:
    part = reader.load(part_path(source, "test"))
    X = fit_features(part, model, names, reader.drop_unknown)
    left_out = None
    if exclude is not None:
        label_names = find_names(None, part, "labels")
        left_out = load_excluded(exclude, X, label_names, part, model)[:, : len(model.classes_)]
    for rows in row_blocks(X.shape[0]):
        x = scale_rows(X[rows]) if normalize else X[rows]
        yield x, None if left_out is None else left_out[rows]


def _examples_of_lines(source: str, reader: LineReader, block: int) -> Iterator[csr_matrix]:
    with open_lines(source) as file:
        if source == STANDARD_INPUT and sys.stdin.isatty():
            note("Write one example per line; Ctrl-D ends.")
            block = 1
        yield from reader.blocks(file.lines(), block)
    if reader.unknown:
        what = "name" if reader.form == LineForm.names else "id"
        what += " is" if reader.unknown == 1 else "s are"
        note(f"Warning: {reader.unknown:,} {what} unknown to the model and left out.")


@contextmanager
def open_lines(source: str) -> Iterator[TextSource]:
    """Open standard input or a text file."""
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed. Pipe lines into the command, or name a file.")
        yield TextSource("standard input", cast(BufferedReader, sys.stdin.buffer))
    else:
        with open_text(source) as text:
            yield text
