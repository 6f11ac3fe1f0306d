"""Arguments and options of the commands: types, limits and help in one place."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli._completion import complete_data
from hashslide.config import ACTIVE, LOSSES, OPTIMIZERS, UPDATES
from hashslide.selection import ACTIVATIONS, FAMILIES, SAMPLERS
from hashslide.training import SCHEDULES

AUTO = "auto"
NETWORK = "The network"
TRAINING = "Training"
NEGATIVES = "Labels and negatives"
HASHING = "Hash tables"
VALIDATION = "Validation"
NAMES = "Names"

Activation = StrEnum("Activation", [(name, name) for name in (AUTO, *ACTIVATIONS)])
Active = StrEnum("Active", [(name, name) for name in ACTIVE])
Update = StrEnum("Update", [(name, name) for name in UPDATES])
Hash = StrEnum("Hash", [(name, name) for name in ("none", *FAMILIES)])
Sampler = StrEnum("Sampler", [(name, name) for name in (AUTO, *SAMPLERS)])
Loss = StrEnum("Loss", [(name, name) for name in (AUTO, *LOSSES)])
Optimizer = StrEnum("Optimizer", [(name, name) for name in OPTIMIZERS])
Schedule = StrEnum("Schedule", [(name, name) for name in SCHEDULES])
LabelWeight = StrEnum("LabelWeight", [(name, name) for name in ("none", "propensity")])


def int_or_auto(text: str) -> int | str:
    """Parse an option that takes an integer or "auto"."""
    return _number_or_auto(text, int, "an integer")


def bool_or_auto(text: str) -> bool | str:
    """Parse ``yes``, ``no`` or ``auto``."""
    values = {AUTO: AUTO, "yes": True, "no": False}
    if text not in values:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(values)}.")
    return values[text]


def float_or_auto(text: str) -> float | str:
    """Parse an option that takes a number or "auto"."""
    return _number_or_auto(text, float, "a number")


def widths(text: str | int) -> int | tuple[int, ...]:
    """Parse the width of the hidden layer, or several with commas."""
    try:
        numbers = tuple(int(part) for part in str(text).split(","))
    except ValueError:
        message = f"{text!r} is neither a width nor widths with commas, as 1000,1000."
        raise typer.BadParameter(message) from None
    if min(numbers) < 1:
        raise typer.BadParameter(f"{text!r} holds a width below 1.")
    return numbers if len(numbers) > 1 else numbers[0]


def _number_or_auto(text: str, kind: type, description: str) -> float | str:
    try:
        return text if text == AUTO else kind(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither {description} nor {AUTO!r}.") from None


def argument(metavar: str, help: str):
    """Return an argument that has its default explained in its help."""
    return typer.Argument(metavar=metavar, help=help, show_default=False)


def data_argument(metavar: str, help: str):
    """Return an argument that names data."""
    return typer.Argument(metavar=metavar, help=help, show_default=False, autocompletion=complete_data)


def data_option(help: str, panel: str | None = None):
    """Return an option that names data."""
    return typer.Option(metavar="DATA", help=help, rich_help_panel=panel, autocompletion=complete_data)


def _option(help: str, panel: str | None = None, metavar: str | None = None, min: float | None = None):
    return typer.Option(metavar=metavar, min=min, help=help, rich_help_panel=panel)


def _flag(*names: str, help: str, panel: str | None = None):
    return typer.Option(*names, help=help, rich_help_panel=panel)


def _auto(parser, metavar: str, help: str, panel: str):
    return typer.Option(parser=parser, metavar=f"{metavar}|{AUTO}", help=help, rich_help_panel=panel)


def _file(what: str):
    help = f"Names, one a line; else {what}s.txt(.gz) beside DATA."
    return typer.Option(metavar="FILE", help=help, rich_help_panel=NAMES)


DATA_HELP = (
    "A data file (.txt, .svm, .npz, .parquet; text also .gz), a folder with train.* and test.* files, "
    "or a built-in set such as pubmed-mesh."
)
DataArgument = Annotated[str, data_argument("DATA", DATA_HELP)]
ModelArgument = Annotated[Path, argument("MODEL", "A model file that 'hashslide train' wrote.")]
Json = Annotated[bool, _flag("--json", help="Print JSON for machines.")]
Lenient = Annotated[bool, _flag("--lenient", help="Repair harmless faults of data files, with a warning.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", min=1, help="Threads; by default all CPUs granted."),
]
LabelNamesFile = Annotated[Path | None, _file("label")]
FeatureNamesFile = Annotated[Path | None, _file("feature")]

# The estimator's parameters; in `train` they bear its names.
Hidden = Annotated[
    str,
    typer.Option(
        parser=widths, metavar="N[,N]", help="Widths of the hidden layers.", rich_help_panel=NETWORK
    ),
]
ActivationOption = Annotated[Activation, _option("Function of the hidden layers.", NETWORK)]
LossOption = Annotated[Loss, _option("auto: bce for several labels a point, softmax for classes.", NETWORK)]
Epochs = Annotated[str, _auto(int_or_auto, "N", "Passes over the data.", TRAINING)]
BatchSize = Annotated[str, _auto(int_or_auto, "N", "Examples a step.", TRAINING)]
LearningRate = Annotated[str, _auto(float_or_auto, "X", "Step size at the top of the schedule.", TRAINING)]
OptimizerOption = Annotated[Optimizer, _option("Row-wise Adagrad, lazy Adam, or SGD.", TRAINING)]
Momentum = Annotated[float, _option("Of --optimizer sgd.", TRAINING, "X")]
ScheduleOption = Annotated[Schedule, _option("How the learning rate falls over the epochs.", TRAINING)]
Warmup = Annotated[float, _option("Share of the steps in which the rate rises.", TRAINING, "X")]
InputDropout = Annotated[str, _auto(float_or_auto, "X", "Share of the features that a step omits.", TRAINING)]
HiddenDropout = Annotated[float, _option("Share of the hidden units that a step omits.", TRAINING, "X")]
WeightDecay = Annotated[float, _option("Shrinks the rows that a step touches.", TRAINING, "X")]
Seed = Annotated[int, _option("Same seed, same model, with any --jobs.", TRAINING, "N", 0)]
Uniform = Annotated[str, _auto(int_or_auto, "N", "Negatives drawn at random for each set.", NEGATIVES)]
Popular = Annotated[str, _auto(int_or_auto, "N", "Most frequent labels, in every active set.", NEGATIVES)]
ActiveOption = Annotated[Active, _option("One active set of labels for each batch or example.", NEGATIVES)]
UpdateOption = Annotated[Update, _option("hogwild: without locks, not deterministic.", TRAINING)]
HashOption = Annotated[Hash, _option("Family of hash functions that finds hard negatives.", HASHING)]
Tables = Annotated[str, _auto(int_or_auto, "N", "Hash tables, L.", HASHING)]
Hashes = Annotated[str, _auto(int_or_auto, "N", "Hashes a table, K.", HASHING)]
SamplerOption = Annotated[Sampler, _option("How labels are chosen among those found.", HASHING)]
Budget = Annotated[str, _auto(int_or_auto, "N", "Labels that each example adds to the set.", HASHING)]
Probes = Annotated[str, _auto(int_or_auto, "N", "Buckets looked up in each table.", HASHING)]
Direct = Annotated[
    str, _auto(int_or_auto, "N", "Labels a feature in a sparse linear term beside the network.", NETWORK)
]
HiddenLength = Annotated[
    str, _auto(float_or_auto, "X", "Length to which hidden activations are scaled; 0: none.", NETWORK)
]
ExamplePower = Annotated[
    str, _auto(float_or_auto, "X", "Larger: examples with many labels weigh less.", NEGATIVES)
]
PriorCorrection = Annotated[
    str, _auto(float_or_auto, "X", "0 to 1: how much of the sampling's bias to correct.", NEGATIVES)
]
LabelWeightOption = Annotated[LabelWeight, _option("propensity: favour rare labels.", NEGATIVES)]
InBatch = Annotated[
    bool,
    typer.Option(help="With per_example: labels of a batch are active for all.", rich_help_panel=NEGATIVES),
]
Approximate = Annotated[
    str,
    _auto(bool_or_auto, "yes|no", "Make the lists of approximate prediction too.", NETWORK),
]
ApproximatePrediction = Annotated[
    bool, _flag("--approximate", help="Score only candidates; the model says which are enough.")
]
EarlyStopping = Annotated[
    bool,
    _flag("--early-stopping", help="Stop when validation improves no more; keep the best.", panel=VALIDATION),
]
ValidationFraction = Annotated[
    float | None,
    _option("Hold out this share of DATA. With --early-stopping alone: 0.1.", VALIDATION, "X"),
]
Patience = Annotated[
    int, _option("Epochs without improvement that --early-stopping takes.", VALIDATION, "N", 1)
]
