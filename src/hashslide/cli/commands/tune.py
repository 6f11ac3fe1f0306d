"""``hashslide tune``: from a data file to a model with settings that fit it."""

from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["tune"]


def __dir__() -> list[str]:
    return __all__


@reads_data
def tune(
    context: typer.Context,
    source: opt.DataArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="The file to write.")],
    text: opt.Text = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="X", help="Time to take, the last training included: 300."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Trainings on parts of DATA, at most."),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="What counts: nDCG@5, P@1, PSP@5 and the like."),
    ] = None,
    evaluation: Annotated[
        str | None,
        opt.data_option("Judge by this; else by a fifth of DATA.", "--eval"),
    ] = None,
    test: Annotated[
        str | None,
        opt.data_option("Measure on this afterwards; else on DATA's own."),
    ] = None,
    hidden: opt.Hidden = "256",
    epochs: opt.Epochs = "auto",
    learning_rate: opt.LearningRate = "auto",
    hash: opt.Hash = "none",
    label_weight: opt.LabelWeight = "none",
    seed: opt.Seed = 0,
    active: opt.ActiveAdvanced = "per_batch",
    ranker: opt.Ranker = "auto",
    both_ways: opt.BothWays = "auto",
    approximate: opt.Approximate = "auto",
    batch_size: opt.BatchSize = "auto",
    loss: opt.Loss = "auto",
    optimizer: opt.Optimizer = "adagrad",
    schedule: opt.Schedule = "linear",
    input_dropout: opt.InputDropout = "auto",
    update: opt.Update = "owner",
    precision: opt.Precision = "auto",
    negatives: opt.Negatives = "auto",
    sampler: opt.Sampler = "auto",
    example_power: opt.ExamplePower = "auto",
    label_names: opt.LabelNamesFile = None,
    feature_names: opt.FeatureNamesFile = None,
    optimizer_state: opt.OptimizerState = False,
    word_ngrams: opt.WordNgrams = 2,
    char_ngrams: opt.CharNgrams = "auto",
    min_documents: opt.MinDocuments = "auto",
    max_terms: opt.MaxTerms = 1_000_000,
    hashed_terms: opt.HashedTerms = None,
    idf: opt.Idf = "yes",
    log_counts: opt.LogCounts = "yes",
    column_weight: opt.ColumnWeights = None,
    jobs: opt.Jobs = None,
    quiet: opt.Quiet = False,
    json: opt.Json = False,
    help_advanced: opt.HelpAdvanced = False,
    *,
    reader: Reader,
) -> None:
    """Search settings that fit the data, train with the best ones and save the model.

    Settings given here stay as they are; the others are searched. The first
    trial has the defaults, and another takes over only for a gain that held-out
    examples confirm. Prints all trials, the best first, and the train command
    with the chosen settings.

    [bold]Examples[/bold]

    \b
        hashslide tune pubmed-mesh -o mesh.hashslide --seconds 300
        hashslide tune train.txt.gz -o m.hashslide --trials 40 --monitor PSP@5
        hashslide tune shop.tsv --text title --labels tags -o m.hashslide --trials 9
        hashslide tune train.svm -o m.hashslide --eval valid.svm --epochs 10
    """
    from hashslide.cli.actions.tune import run  # not before: --help need not wait for it

    run(context, reader)
