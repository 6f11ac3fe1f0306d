"""``hashslide forget``, ``hide`` and ``add``: labels that come and go."""

from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["add", "forget", "hide"]


def __dir__() -> list[str]:
    return __all__


Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME", help="A label; may be given several times.")
]
Names = Annotated[
    Path | None,
    typer.Option("--names-file", metavar="FILE", help="A file with the name of a label per line."),
]


def forget(
    model: opt.ModelArgument, output: opt.NewModel, label: Label = None, names_file: Names = None
) -> None:
    """Remove labels and everything that is theirs, and write a new file.

    Nothing of them is left in the new file; the old one is yours to delete.

    [bold]Examples[/bold]

    \b
        hashslide forget m.hashslide --label 'Rats' --label 'Mice' -o new.hashslide
        hashslide forget m.hashslide --names-file gone.txt -o new.hashslide
    """
    from hashslide.cli.actions.living import run_forget  # not before: --help need not wait for it

    run_forget(model, output, label or [], names_file)


def hide(
    model: opt.ModelArgument,
    output: opt.NewModel,
    label: Label = None,
    names_file: Names = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let them be predicted again.")] = False,
) -> None:
    """Leave labels out of predictions, or let them in again, and write a new file.

    [bold]Examples[/bold]

    \b
        hashslide hide m.hashslide --names-file sold_out.txt -o new.hashslide
        hashslide hide new.hashslide --label 'Rats' --undo -o again.hashslide
    """
    from hashslide.cli.actions.living import run_hide  # not before: --help need not wait for it

    run_hide(model, output, label or [], names_file, undo)


@reads_data
def add(
    context: typer.Context,
    model: opt.ModelArgument,
    source: opt.DataArgument,
    output: opt.NewModel,
    text: opt.TextOfModel = None,
    label_names: opt.LabelNamesFile = None,
    feature_names: opt.FeatureNamesFile = None,
    jobs: opt.Jobs = None,
    *,
    reader: Reader,
) -> None:
    """Add labels that have no example yet, and write a new file.

    Each line of DATA has one label, which the model does not have, and the
    features that describe it, such as the words of its name.

    [bold]Examples[/bold]

    \b
        hashslide add m.hashslide descriptions.svm -o new.hashslide
        hashslide add m.hashslide new.tsv --text title --labels name -o new.hashslide
    """
    from hashslide.cli.actions.living import run_add  # not before: --help need not wait for it

    run_add(context.params, reader)
