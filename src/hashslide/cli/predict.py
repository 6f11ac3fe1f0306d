"""``hashslide predict``: the best labels of each point, with scores."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from scipy.sparse import csr_matrix

from hashslide.cli import _options as opt
from hashslide.cli._console import note, print_json, visible
from hashslide.cli.inputs.lines import LineForm, LineReader
from hashslide.cli.inputs.models import fit_features, load_classifier, row_blocks
from hashslide.cli.inputs.reader import Reader, reads_data
from hashslide.cli.inputs.sources import part_path
from hashslide.data.sources import TextSource, open_text
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier

__all__ = ["STANDARD_INPUT", "predict"]


def __dir__() -> list[str]:
    return __all__


STANDARD_INPUT = "-"


@reads_data
def predict(
    model: opt.ModelArgument,
    source: Annotated[
        str,
        opt.data_argument(
            "DATA", f"{opt.DATA_HELP} With --by-name or --lines: a text file, or - for standard input."
        ),
    ] = STANDARD_INPUT,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="How many labels for each point.")] = 5,
    by_name: Annotated[
        bool,
        typer.Option("--by-name", help="Each line of DATA is a point: feature names, such as words."),
    ] = False,
    lines: Annotated[
        LineForm | None, typer.Option(help="Each line of DATA is a point in this form. Standard input: xmc.")
    ] = None,
    normalize: Annotated[
        bool | None,
        typer.Option(help="Scale points to length 1, as tf-idf data are; default: only with --by-name."),
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Print raw scores, not probabilities.")] = False,
    approximate: opt.ApproximatePrediction = False,
    block: Annotated[
        int, typer.Option(min=1, metavar="N", help="Lines read before any is answered; 1 in a dialogue.")
    ] = 1024,
    feature_names: opt.FeatureNamesFile = None,
    jobs: opt.Jobs = None,
    json: opt.Json = False,
    *,
    reader: Reader,
) -> None:
    """Print the best labels of each point, best first, with probabilities.

    Of a folder or built-in set, the test part is used. Labels in DATA are
    ignored. With --json, each point is one line:
    {"point": 0, "labels": [...], "scores": [...]}

    [bold]Examples[/bold]

    \b
        hashslide predict mesh.hashslide pubmed-mesh -k 3 | head
        echo "insulin glucose rats" | hashslide predict mesh.hashslide --by-name
        echo "17:0.6 204:0.8" | hashslide predict mesh.hashslide --json
        hashslide predict mesh.hashslide questions.txt --by-name --logits
    """
    classifier = load_classifier(model, jobs)
    if k > len(classifier.classes_):
        note(f"Note: the model has {len(classifier.classes_):,} labels, so that -k {k} prints all of them.")
    form = LineForm.names if by_name else lines
    if form is None and source != STANDARD_INPUT:
        points = _points_of_file(source, classifier, feature_names, reader, bool(normalize))
    else:
        form = form or LineForm.xmc
        scale = form == LineForm.names if normalize is None else normalize
        points = _points_of_lines(
            source, LineReader(form, classifier, source, scale, reader.drop_unknown), block
        )
    number = 0
    for X in points:
        topk = classifier.predict_topk(X, k, probabilities=not logits, approximate=approximate)
        for labels, scores in zip(*topk, strict=True):
            (_print_json_point if json else _print_point)(number, labels.tolist(), scores.tolist())
            number += 1
        sys.stdout.flush()


def _points_of_file(
    source: str, model: SlideClassifier, names: Path | None, reader: Reader, normalize: bool
) -> Iterator[csr_matrix]:
    from sklearn.preprocessing import normalize as scale_rows

    X = fit_features(reader.load(part_path(source, "test")), model, names, reader.drop_unknown)
    for rows in row_blocks(X.shape[0]):
        yield scale_rows(X[rows]) if normalize else X[rows]


def _points_of_lines(source: str, reader: LineReader, block: int) -> Iterator[csr_matrix]:
    with _open_lines(source) as file:
        if source == STANDARD_INPUT and sys.stdin.isatty():
            note("One point a line, please; Ctrl-D ends.")
            block = 1
        yield from reader.blocks(file.lines(), block)
    if reader.unknown:
        what = "names" if reader.form == LineForm.names else "ids"
        note(f"Warning: {reader.unknown:,} {what} are unknown to the model and left out.")


@contextmanager
def _open_lines(source: str) -> Iterator[TextSource]:
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed. Pipe lines into the command, or name a file.")
        yield TextSource("standard input", cast(BufferedReader, sys.stdin.buffer))
    else:
        with open_text(source) as text:
            yield text


def _print_point(number: int, labels: list[Any], scores: list[float]) -> None:
    sys.stdout.write(f"point {number}\n")
    for label, score in zip(labels, scores, strict=True):
        sys.stdout.write(f"  {score:8.4f}  {visible(str(label))}\n")


def _print_json_point(number: int, labels: list[Any], scores: list[float]) -> None:
    print_json({"point": number, "labels": labels, "scores": scores})
