"""How data files are read: the options that every command shares, and the reader that they describe."""

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hashslide.errors import DataFileError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from hashslide.cli.inputs.part import Part

__all__ = ["OPTIONS", "PANEL", "DataFormat", "LineForm", "Option", "Reader", "reads_data"]


def __dir__() -> list[str]:
    return __all__


PANEL = "Reading data"


class DataFormat(StrEnum):
    """The formats of ``hashslide.data.formats``, and those of texts."""

    xmc = "xmc"
    svmlight = "svmlight"
    npz = "npz"
    parquet = "parquet"
    csv = "csv"
    pack = "pack"
    jsonl = "jsonl"
    fasttext = "fasttext"


class LineForm(StrEnum):
    """How a line of text names its features, or that it is a text itself, for a model of texts."""

    xmc = "xmc"
    svmlight = "svmlight"
    names = "names"
    text = "text"


class Reader(NamedTuple):
    """How to read data files; the fields are options of the commands. None: the format's own default."""

    format: str | None = None
    labels_file: Path | None = None
    features: str | None = None
    values: str | None = None
    labels: str | None = None
    separator: str | None = None
    delimiter: str | None = None
    zero_based: bool = False
    n_features: int | None = None
    n_labels: int | None = None
    drop_unknown: bool = False
    lenient: bool = False

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``hashslide.data.load`` that differ from its defaults."""
        given = self._asdict()
        del given["drop_unknown"], given["lenient"], given["format"]
        given = {name: value for name, value in given.items() if value not in (None, False)}
        if given.get("values") == "none":
            given["values"] = None
        if "," in given.get("features", ""):
            given["features"] = [name for name in given["features"].split(",") if name]
        for name in ("separator", "delimiter"):
            if given.get(name) == "\\t":
                given[name] = "\t"
        return given

    def load(self, path: Path) -> "Part":
        """Read a data file."""
        from hashslide import data  # imports much, which the help of a command need not wait for
        from hashslide.cli.inputs.part import Part

        form = None if self.format is None else str(self.format)
        return Part(path, *data.load_named(path, format=form, lenient=self.lenient, **self.options()))

    def load_examples(self, path: Path) -> "Part":
        """Read a data file that has to hold examples."""
        part = self.load(path)
        if part.X.shape[0] == 0:
            raise DataFileError(f"{path}: there are no examples in it. Give a file with one at least.")
        return part

    def load_training(self, path: Path) -> "Part":
        """Read a data file that has to hold examples; those of a pack stay there."""
        from hashslide import data
        from hashslide.cli.inputs.part import Part
        from hashslide.data.pack import is_pack

        return Part.of_pack(data.Pack.open(path)) if is_pack(path) else self.load_examples(path)

    def convert(self, source: Path, target: Path) -> "tuple[csr_matrix, csr_matrix]":
        """Read a data file and write another."""
        from hashslide import data

        form = None if self.format is None else str(self.format)
        return data.convert(source, target, format=form, lenient=self.lenient, **self.options())


def reads_data(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command, in place of its parameter ``reader``, the options that describe one.

    Where the command has ``--help-advanced``, its plain help does not show them.
    """
    signature = inspect.signature(command)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "reader"]
    hidden = "help_advanced" in signature.parameters
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_annotation(name, hidden)
        )
        for name, default in Reader._field_defaults.items()
    ]

    @functools.wraps(command)
    def run(**values: Any) -> Any:
        reader = Reader(**{name: values.pop(name) for name in Reader._fields})
        return command(**values, reader=reader)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + options
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _annotation(name: str, hidden: bool) -> Any:
    """Return the type of a field of `Reader` with its option."""
    option = OPTIONS[name]
    min = 0 if option.kind == int | None else None
    flag = f"--{name.replace('_', '-')}"
    settings: dict[str, Any] = {"metavar": option.metavar, "min": min, "help": option.help}
    return Annotated[option.kind, typer.Option(flag, rich_help_panel=PANEL, hidden=hidden, **settings)]


class Option(NamedTuple):
    """How the command line takes a field of `Reader`."""

    kind: Any
    help: str
    metavar: str | None = None


OPTIONS = {
    "format": Option(DataFormat | None, "Format of files without a suffix of it."),
    "labels_file": Option(Path | None, "The labels, if DATA holds features alone.", "FILE"),
    "features": Option(
        str | None,
        "Of a table: the column that lists features, or several columns, each a feature; '*': all others.",
        "COLUMN[,COLUMN]",
    ),
    "values": Option(
        str | None, "Of a table: the column of the features' values; none: all are 1.", "COLUMN"
    ),
    "labels": Option(str | None, "Of a table: the column of labels.", "COLUMN"),
    "separator": Option(str | None, "Of a table: what stands between the items of one cell.", "TEXT"),
    "delimiter": Option(str | None, "Of CSV: what stands between two cells; \\t is a tab.", "CHARACTER"),
    "zero_based": Option(bool, "Of svmlight: feature ids start at 0, not at 1."),
    "n_features": Option(int | None, "Number of features, where the file does not say it.", "N"),
    "n_labels": Option(int | None, "Number of labels, where the file does not say it.", "N"),
    "drop_unknown": Option(bool, "Leave out features that the model or the training data do not have."),
    "lenient": Option(bool, "Repair harmless faults of data files, with a warning."),
}
