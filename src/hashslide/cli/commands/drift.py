"""``hashslide drift``: how well a model foresaw what it was updated with."""

from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli import _options as opt

__all__ = ["drift"]


def __dir__() -> list[str]:
    return __all__


def drift(
    model: opt.ModelArgument,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the record to FILE.png or FILE.html.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Show how well each update was foreseen, and whether that has become worse.

    Before an update is learned, a sample of its examples is predicted. The alarm
    is given where P@1 has dropped by more than chance explains (risk 1 %).

    [bold]Examples[/bold]

    \b
        hashslide drift m.hashslide
        hashslide drift m.hashslide --json
        hashslide drift m.hashslide --plot drift.html
    """
    from hashslide.cli.actions.living import run_drift  # not before: --help need not wait for it

    run_drift(model, plot, json)
