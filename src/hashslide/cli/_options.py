"""Arguments and options of the commands: types, limits and help in one place."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import ArgumentInfo, OptionInfo

from hashslide._interface import command_line
from hashslide.cli.inputs.completion import complete_data
from hashslide.errors import HashslideError, InputError
from hashslide.settings.classifier import SETTINGS
from hashslide.settings.constraints import Constraint
from hashslide.settings.expressions import composed_help, read_setting

NETWORK = "Advanced: the network"
TRAINING = "Advanced: training"
NEGATIVES = "Advanced: labels and negatives"
VALIDATION = "Advanced: validation"
FILES = "Advanced: files"
TEXTS = "Advanced: texts"
WORKERS = "Advanced: workers"


def reader(name: str, constraint: Constraint) -> Callable[[Any], Any]:
    """Return the function that reads a setting from the text of an option."""

    def read(text: Any) -> Any:
        try:
            with command_line({}):
                return read_setting(f"--{name.replace('_', '-')}", str(text), constraint)
        except InputError as error:  # a ValueError, of which the framework keeps no message
            raise HashslideError(str(error)) from None

    return read


def _setting(name: str, metavar: str, help: str, panel: str | None = None) -> OptionInfo:
    """Return the option of a parameter of the estimator; those of a panel are advanced."""
    return typer.Option(
        parser=reader(name, SETTINGS[name]),
        metavar=metavar,
        help=help,
        rich_help_panel=panel,
        hidden=panel is not None,
        autocompletion=lambda incomplete: [w for w in _words(SETTINGS[name]) if w.startswith(incomplete)],
    )


def _words(constraint: Constraint) -> list[str]:
    """Return the words that an option takes as its value."""
    words = [*getattr(constraint, "names", ()), *getattr(constraint, "kinds", ())]
    return words + ["auto"] * constraint.auto + ["none"] * constraint.none


def argument(metavar: str, help: str) -> ArgumentInfo:
    """Return an argument that has its default explained in its help."""
    return typer.Argument(metavar=metavar, help=help, show_default=False)


def data_argument(metavar: str, help: str) -> ArgumentInfo:
    """Return an argument that names data."""
    return typer.Argument(metavar=metavar, help=help, show_default=False, autocompletion=complete_data)


def data_option(help: str, *names: str) -> OptionInfo:
    """Return an option that names data."""
    return typer.Option(*names, metavar="DATA", help=help, autocompletion=complete_data)


def _flag(*names: str, help: str) -> OptionInfo:
    return typer.Option(*names, help=help)


def advanced(
    *names: str, help: str, panel: str, metavar: str | None = None, min: float | None = None
) -> OptionInfo:
    """Return an option that only ``--help-advanced`` shows."""
    return typer.Option(*names, metavar=metavar, min=min, help=help, rich_help_panel=panel, hidden=True)


def _file(what: str) -> OptionInfo:
    return advanced(
        metavar="FILE", help=f"Names, one per line; else {what}s.txt(.gz) beside DATA.", panel=FILES
    )


def _show_advanced(context: typer.Context, wanted: bool) -> None:
    """Print the help of a command with its advanced options and what can be composed, and end."""
    if wanted:
        for parameter in context.command.params:
            parameter.hidden = False  # type: ignore[attr-defined]  # those of typer have it
        typer.echo(context.get_help())
        typer.echo(composed_help())
        raise typer.Exit


HelpAdvanced = Annotated[
    bool,
    typer.Option(
        "--help-advanced",
        callback=_show_advanced,
        is_eager=True,
        help="Show all options, and the fields of dwta(...) and the like.",
        rich_help_panel="Advanced",
    ),
]

RANKS = "1,3,5"


def parse_ranks(text: str) -> list[int]:
    """Parse ranks such as ``1,3,5``."""
    try:
        ranks = sorted({int(part) for part in text.split(",")})
    except ValueError:
        ranks = [0]
    if ranks[0] < 1:
        raise typer.BadParameter(f"{text!r} is not a list of positive numbers such as {RANKS}.")
    return ranks


STANDARD_INPUT = "-"
Text = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="COLUMN", help="Learn from texts: their column in DATA; repeatable."),
]
TextOfModel = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        metavar="COLUMN",
        help="Of a model of texts: the columns of DATA, in the model's order; else those of its training.",
    ),
]


def _read_lengths(text: str) -> tuple[int, int] | str | None:
    """Return the shortest and the longest of some n-grams."""
    if text in ("auto", "none"):
        return None if text == "none" else text
    parts = text.split("-")
    if len(parts) > 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{text!r} is not a range such as 3-5, nor auto or none.")
    return int(parts[0]), int(parts[-1])


def _read_least(text: str) -> int | str:
    if text != "auto" and not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not a number such as 5, nor auto.")
    return text if text == "auto" else int(text)


def _read_choice(text: str) -> str:
    if text in ("yes", "no"):
        return text
    raise typer.BadParameter(f"{text!r} is neither yes nor no.")


def _read_weight(text: str) -> tuple[str, float]:
    """Return a column and its weight."""
    column, equals, weight = text.rpartition("=")
    try:
        return column if equals else "", float(weight)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a column and a number such as title=2.") from None


def _of_texts(metavar: str, help: str, parser: Callable[[str], Any] | None = None) -> Any:
    """Return an option of how texts become features; all are advanced."""
    return typer.Option(metavar=metavar, help=help, parser=parser, rich_help_panel=TEXTS, hidden=True)


WordNgrams = Annotated[int, _of_texts("N", "Longest sequence of words that is a term.")]
CharNgrams = Annotated[
    str, _of_texts("MIN-MAX|none|auto", "Pieces of words, as 3-5; auto: 4-4 if short.", _read_lengths)
]
MinDocuments = Annotated[
    str, _of_texts("N|auto", "Drop terms of fewer texts; auto: 2, or 1 if few.", _read_least)
]
MaxTerms = Annotated[int, _of_texts("N", "Keep so many of the most frequent terms.")]
HashedTerms = Annotated[
    int | None, _of_texts("N", "Hash terms into N features, so that new words have some: 1048576.")
]
Idf = Annotated[str, _of_texts("yes|no", "Rare terms weigh more.", _read_choice)]
LogCounts = Annotated[str, _of_texts("yes|no", "A term's count weighs by its logarithm.", _read_choice)]
ColumnWeights = Annotated[
    list[str] | None,
    _of_texts("COLUMN=X", "What the terms of a column weigh; repeatable: title=2.", _read_weight),
]
Why = Annotated[bool, typer.Option("--why", help="Say which words spoke for each label.")]
DATA_HELP = (
    "A data file (.txt, .svm, .npz, .parquet; text also .gz), a folder with train.* and test.* files, "
    "or a built-in set such as pubmed-mesh."
)
DataArgument = Annotated[str, data_argument("DATA", DATA_HELP)]
ModelArgument = Annotated[Path, argument("MODEL", "A model file that 'hashslide train' wrote.")]
NewModel = Annotated[Path, typer.Option("--output", "-o", metavar="NEW", help="The file to write.")]
Json = Annotated[bool, _flag("--json", help="Print JSON for machines.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", min=1, help="Threads; by default all CPUs granted."),
]
LabelNamesFile = Annotated[Path | None, _file("label")]
FeatureNamesFile = Annotated[Path | None, _file("feature")]

# The estimator's parameters; in `train` they bear its names. Their values are written like calls.
Hidden = Annotated[str, _setting("hidden", "LAYERS", "Widths or layers: 256, or '512, hashed(1000, 50)'.")]
Epochs = Annotated[str, _setting("epochs", "N|auto", "Passes over the data.")]
LearningRate = Annotated[str, _setting("learning_rate", "X|auto", "Step size at the top of the schedule.")]
Hash = Annotated[str, _setting("hash", "FAMILY", "Hard negatives by hashing: dwta, 'dwta(tables=20)'.")]
Active = Annotated[str, _setting("active", "KIND", "per_batch or per_example: owner of active sets.")]
ActiveAdvanced = Annotated[
    str, _setting("active", "KIND", "per_batch or per_example: owner of active sets.", NEGATIVES)
]
LabelWeight = Annotated[str, _setting("label_weight", "KIND", "propensity: favour rare labels.")]
BatchSize = Annotated[str, _setting("batch_size", "N|auto", "Examples of a step.", TRAINING)]
Loss = Annotated[
    str,
    _setting("loss", "KIND", "bce, or softmax; auto: as the labels are.", TRAINING),
]
Optimizer = Annotated[
    str, _setting("optimizer", "KIND", "adagrad, adam, sgd or 'sgd(momentum=0.9)'.", TRAINING)
]
Schedule = Annotated[str, _setting("schedule", "KIND", "linear, cosine, 'constant(warmup=0.1)'.", TRAINING)]
InputDropout = Annotated[
    str, _setting("input_dropout", "X|auto", "Share of the features that a step omits.", TRAINING)
]
Update = Annotated[str, _setting("update", "KIND", "owner, or hogwild: without locks.", TRAINING)]
Precision = Annotated[str, _setting("precision", "KIND", "bfloat16: half the memory; or float32.", TRAINING)]
Negatives = Annotated[
    str,
    _setting("negatives", "N|auto", "Random labels of a batch: 250, 'negatives(popular=100)'.", NEGATIVES),
]
Sampler = Annotated[
    str,
    _setting("sampler", "KIND", "How labels are chosen: scored, 'vanilla(budget=1000)'.", NEGATIVES),
]
ExamplePower = Annotated[
    str,
    _setting("example_power", "X|auto", "Larger: examples with many labels weigh less.", NEGATIVES),
]
Ranker = Annotated[str, _setting("ranker", "yes|no|auto", "Sparse classifiers beside the network.", NETWORK)]
BothWays = Annotated[
    str,
    _setting("both_ways", "yes|no|auto", "Learn labels as features too: for recommendation.", NETWORK),
]
Approximate = Annotated[
    str, _setting("approximate", "yes|no|auto", "Make the lists of approximate prediction too.", NETWORK)
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Same seed, same model, with any --jobs.")]
ApproximatePrediction = Annotated[
    str,
    typer.Option(
        "--approximate",
        parser=reader("approximate", SETTINGS["approximate"]),
        metavar="yes|no|auto",
        help="Score only candidates; no: all labels. auto: candidates if MODEL has lists of them.",
    ),
]
Exclude = Annotated[
    str | None,
    typer.Option(
        metavar="input|FILE",
        help="Leave out the labels that an example has as features, or a file's pairs 'example label', "
        "as the XMC sets name them.",
    ),
]
OptimizerState = Annotated[
    bool,
    advanced(
        "--optimizer-state", help="Keep the optimiser's state in MODEL, to train on later.", panel=FILES
    ),
]
Protocol = Annotated[
    str,
    advanced(
        metavar="auto|activations|rows|downpour",
        help="What workers exchange; downpour: rows without waiting.",
        panel=WORKERS,
    ),
]
Engine = Annotated[str, advanced(metavar="torchrun|ray", help="What starts the workers.", panel=WORKERS)]
Shards = Annotated[
    int,
    advanced(metavar="N", min=1, help="Deal the rows to N shards, a multiple of the workers.", panel=WORKERS),
]
Timeout = Annotated[
    float, advanced(metavar="SECONDS", help="Give up a worker that is silent for so long.", panel=WORKERS)
]
NFetch = Annotated[
    int, advanced(metavar="N", min=1, help="With rows: fetch them every N batches.", panel=WORKERS)
]
NPush = Annotated[
    int, advanced(metavar="N", min=1, help="With rows: push gradients every N batches.", panel=WORKERS)
]
Wire = Annotated[
    str, advanced(metavar="float32|bfloat16", help="How what is exchanged travels.", panel=WORKERS)
]
Overlap = Annotated[
    bool | None,
    advanced(
        "--overlap/--no-overlap",
        help="Send examples during the step before; else if there are several machines.",
        panel=WORKERS,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
EarlyStopping = Annotated[
    bool, _flag("--early-stopping", help="Stop when validation improves no more; keep the best.")
]
ValidationFraction = Annotated[
    float | None,
    advanced(
        help="Hold out this share of DATA. With --early-stopping alone: 0.1.", panel=VALIDATION, metavar="X"
    ),
]
Patience = Annotated[
    int | None,
    advanced(
        help="Epochs without improvement that --early-stopping takes: 2.",
        panel=VALIDATION,
        metavar="N",
        min=1,
    ),
]
