"""The command ``hashslide``; see docs/reference/command_line.md."""

from typing import Annotated

import typer

import hashslide
from hashslide.cli._app import Commands
from hashslide.cli._console import prepare_streams
from hashslide.cli._lazy import MARKUP, add_command
from hashslide.cli._signals import hear_signals

__all__ = ["app", "main"]


def __dir__() -> list[str]:
    return __all__


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=MARKUP)


def main(as_rank: bool = False) -> None:
    """Run the command line; the entry point of the package.

    Parameters
    ----------
    as_rank : bool
        This process is one of those that torchrun has started for one training.
    """
    prepare_streams()
    hear_signals()
    app(prog_name="hashslide", obj=as_rank)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(hashslide.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train and query classifiers with very many labels, on an ordinary CPU.

    [bold]Start here[/bold] (a minute; the data come with the package)

    \b
        hashslide train pubmed-mesh -o mesh.hashslide
        hashslide evaluate mesh.hashslide pubmed-mesh
        echo "insulin glucose rats" | hashslide predict mesh.hashslide --by-name

    Every command explains itself with --help. Exit codes: 0 done, 1 a file or
    value is not acceptable, 2 wrong usage, 128 + n ended by signal n (Ctrl-C: 130).
    """


for _command, _summary in (
    ("plan", "Estimate time, memory and disk of a training and of predictions."),
    ("advise", "Find out whether hashing pays on your data, before a long training."),
    ("train", "Train a model on a data file and save it."),
    ("tune", "Search settings that fit the data, train with the best ones and save the model."),
    ("evaluate", "Measure a model on labelled data."),
    ("predict", "Print the best labels of each example, best first, with probabilities."),
    ("ask", "Ask a model of texts, question by question."),
    ("serve", "Answer over HTTP from a model, with a page to search with."),
    ("update", "Let a model learn from new examples, and write a new file."),
    ("drift", "Show how well each update was foreseen, and whether that has become worse."),
    ("inspect", "Show what a model file holds: settings and tensors."),
    ("info", "Show how hashslide was built and what it runs on."),
):
    add_command(app, f"hashslide.cli.commands.{_command}:{_command}", _command, _summary)
for _name, _summary in (
    ("add", "Add labels that have no example yet, and write a new file."),
    ("hide", "Leave labels out of predictions, or let them in again, and write a new file."),
    ("forget", "Remove labels and everything that is theirs, and write a new file."),
):
    add_command(app, f"hashslide.cli.commands.labels:{_name}", _name, _summary)
for _name, _function, _summary in (
    ("list", "list_sets", "List the built-in data sets."),
    ("describe", "describe", "Print facts about a data file: counts, the tail of rare labels, memory."),
    ("convert", "convert", "Convert a data file to another format; the suffixes choose the formats."),
    ("pack", "pack", "Write training data to a pack, from which a model is trained in bounded memory."),
):
    add_command(data_app, f"hashslide.cli.commands.data:{_function}", _name, _summary)
app.add_typer(data_app, name="data", help="List, describe, convert and pack data sets.")
