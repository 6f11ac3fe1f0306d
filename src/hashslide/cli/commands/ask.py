"""``hashslide ask``: a dialogue with a model of texts."""

from typing import Annotated

import typer

from hashslide.cli import _options as opt

__all__ = ["ask"]


def __dir__() -> list[str]:
    return __all__


def ask(
    model: opt.ModelArgument,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="How many labels for each question.")] = 5,
    why: opt.Why = False,
    approximate: opt.ApproximatePrediction = "auto",
    jobs: opt.Jobs = None,
) -> None:
    """Ask a model of texts, question by question.

    Each line that you write is a text; the names of its best labels and their
    probabilities are the answer. Ctrl-D or an empty line ends the dialogue.

    [bold]Examples[/bold]

    \b
        hashslide ask products.hashslide
        hashslide ask products.hashslide --why -k 3
        printf 'red shoes\\nwool socks\\n' | hashslide ask products.hashslide
    """
    from hashslide.cli.actions.ask import run  # not before: --help need not wait for it

    run(model, k, why, approximate, jobs)
