"""``hashslide plan``: what a training will cost, before it is begun."""

from typing import Annotated, Any

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["plan"]


def __dir__() -> list[str]:
    return __all__


def _read_count(text: str) -> int:
    try:
        number = float(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = -1.0
    if not (1 <= number < 2**63 and number.is_integer()):
        raise typer.BadParameter(f"{text!r} is not a number such as 50000000 or 5e7.")
    return int(number)


def _count(help: str) -> Any:
    return typer.Option(metavar="N", parser=_read_count, help=help)


MACHINES = "Many machines"


def _of_machines(metavar: str, help: str, **rest: Any) -> Any:
    return typer.Option(metavar=metavar, help=help, rich_help_panel=MACHINES, **rest)


@reads_data
def plan(
    context: typer.Context,
    source: opt.DataArgument,
    text: opt.Text = None,
    total_examples: Annotated[int | None, _count("Examples that there are, if DATA is a sample.")] = None,
    total_features: Annotated[int | None, _count("Features that there are.")] = None,
    total_labels: Annotated[int | None, _count("Labels that there are.")] = None,
    seconds: Annotated[float, typer.Option(metavar="X", help="For short trainings, about.")] = 2.0,
    machines: Annotated[int | None, _of_machines("N", "How many train together.", min=1)] = None,
    network: Annotated[str, _of_machines("SPEED", "Of each machine: 10Gbit, 100Mbit.")] = "10Gbit",
    delay: Annotated[str, _of_machines("TIME", "From one machine to another.")] = "0.1ms",
    hidden: opt.Hidden = "256",
    epochs: opt.Epochs = "auto",
    hash: opt.Hash = "none",
    active: opt.ActiveAdvanced = "per_batch",
    ranker: opt.Ranker = "auto",
    both_ways: opt.BothWays = "auto",
    approximate: opt.Approximate = "auto",
    batch_size: opt.BatchSize = "auto",
    loss: opt.Loss = "auto",
    optimizer: opt.Optimizer = "adagrad",
    precision: opt.Precision = "auto",
    negatives: opt.Negatives = "auto",
    sampler: opt.Sampler = "auto",
    word_ngrams: opt.WordNgrams = 2,
    char_ngrams: opt.CharNgrams = "auto",
    min_documents: opt.MinDocuments = "auto",
    max_terms: opt.MaxTerms = 1_000_000,
    hashed_terms: opt.HashedTerms = None,
    idf: opt.Idf = "yes",
    log_counts: opt.LogCounts = "yes",
    column_weight: opt.ColumnWeights = None,
    jobs: opt.Jobs = None,
    json: opt.Json = False,
    help_advanced: opt.HelpAdvanced = False,
    *,
    reader: Reader,
) -> None:
    """Estimate time, memory and disk of a training and of predictions.

    A part of DATA is trained on for some seconds on this machine, and the whole
    is worked out from that. DATA may be a random sample of what you have.
    With --machines it also says what machines like this one would need together:
    memory, bytes, time and speed-up, by protocol. Where DATA is no table,
    --labels N is short for --total-labels N.

    [bold]Examples[/bold]

    \b
        hashslide plan pubmed-mesh
        hashslide plan sample.txt.gz --total-examples 5e7 --total-labels 1e7
        hashslide plan shop.tsv --text title --labels tags
        hashslide plan train.svm --hidden 512 --epochs 10
        hashslide plan train.svm --machines 64 --labels 1e8 --network 10Gbit
    """
    from hashslide.cli.actions.plan import run  # not before: --help need not wait for it

    run(context.params, reader)
