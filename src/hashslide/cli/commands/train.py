"""``hashslide train``: from a data file to a model file."""

from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["train"]


def __dir__() -> list[str]:
    return __all__


@reads_data
def train(
    context: typer.Context,
    source: opt.DataArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="The file to write.")],
    text: opt.Text = None,
    test: Annotated[
        str | None,
        opt.data_option("Measure on this afterwards; else on DATA's own."),
    ] = None,
    validation: Annotated[
        str | None,
        opt.data_option("Measure on this in each epoch."),
    ] = None,
    early_stopping: opt.EarlyStopping = False,
    hidden: opt.Hidden = "256",
    epochs: opt.Epochs = "auto",
    learning_rate: opt.LearningRate = "auto",
    hash: opt.Hash = "none",
    active: opt.Active = "per_batch",
    label_weight: opt.LabelWeight = "none",
    seed: opt.Seed = 0,
    validation_fraction: opt.ValidationFraction = None,
    patience: opt.Patience = None,
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
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Save the state of the training there now and then."),
    ] = None,
    checkpoint_every: Annotated[
        str,
        opt.advanced(metavar="TIME", help="How often: 5min, '100000 examples', '1 epoch'.", panel=opt.FILES),
    ] = "5min",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last state in --checkpoint, if any.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Let N processes train together, on a pack."),
    ] = None,
    protocol: opt.Protocol = "auto",
    engine: opt.Engine = "torchrun",
    shards: opt.Shards = 8,
    timeout: opt.Timeout = 60.0,
    n_fetch: opt.NFetch = 1,
    n_push: opt.NPush = 1,
    wire: opt.Wire = "float32",
    overlap: opt.Overlap = None,
    keep_examples: Annotated[
        int,
        opt.advanced(metavar="N", min=0, help="Of texts: keep N of each label in MODEL.", panel=opt.FILES),
    ] = 0,
    optimizer_state: opt.OptimizerState = False,
    reservoir: Annotated[
        int,
        opt.advanced(
            metavar="N", min=0, help="Keep N examples in MODEL for 'hashslide update'.", panel=opt.FILES
        ),
    ] = 0,
    plot: Annotated[
        Path | None,
        opt.advanced(metavar="FILE", help="Draw the training to FILE.png or FILE.html.", panel=opt.FILES),
    ] = None,
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
    """Train a model on a data file and save it.

    The defaults are meant to be good; "auto" looks at the data. The names in
    labels.txt(.gz) and features.txt(.gz) beside DATA become part of the model,
    so that it answers in names and can be asked in words.

    [bold]Examples[/bold]

    \b
        hashslide train pubmed-mesh -o mesh.hashslide
        hashslide train train.txt.gz --test test.txt.gz -o m.hashslide
        hashslide train shop.tsv --text title --labels tags -o m.hashslide
        hashslide train all.pack -o m.hashslide --checkpoint states --resume --workers 4
    """
    # Not before: --help need not wait for it.
    from hashslide.cli.actions import train, train_text
    from hashslide.cli.inputs.texts import holds_texts

    has_texts = holds_texts(context.params, reader)
    if has_texts and (workers is not None or context.obj):
        raise typer.BadParameter("several workers train on a pack, and this is a table of texts.")
    action = train_text if has_texts else train
    action.run(context, reader)
