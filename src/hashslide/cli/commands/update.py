"""``hashslide update``: a model that learns from new examples."""

from typing import Annotated

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["update"]


def __dir__() -> list[str]:
    return __all__


@reads_data
def update(
    context: typer.Context,
    model: opt.ModelArgument,
    source: opt.DataArgument,
    output: opt.NewModel,
    text: opt.TextOfModel = None,
    replay: Annotated[
        float, typer.Option(metavar="X", min=0, help="Kept examples learned once more per new one.")
    ] = 4.0,
    decay: Annotated[
        float, typer.Option(metavar="X", min=0, help="Share of the labels' old counts to forget.")
    ] = 0.0,
    reservoir: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Begin to keep N examples; 0: drop them.")
    ] = None,
    label_names: opt.LabelNamesFile = None,
    feature_names: opt.FeatureNamesFile = None,
    jobs: opt.Jobs = None,
    quiet: opt.Quiet = False,
    json: opt.Json = False,
    *,
    reader: Reader,
) -> None:
    """Let a model learn from new examples, and write a new file.

    Labels that the model does not have become part of it. Train it with
    --reservoir and --optimizer-state, so that it has old examples to replay.
    What it foresaw of the new examples is kept: see hashslide drift.

    [bold]Examples[/bold]

    \b
        hashslide train day0.txt.gz -o m0.hashslide --reservoir 20000 --optimizer-state
        hashslide update m0.hashslide day1.txt.gz -o m1.hashslide
        hashslide drift m1.hashslide
    """
    from hashslide.cli.actions.living import run_update  # not before: --help need not wait for it

    run_update(context.params, reader)
