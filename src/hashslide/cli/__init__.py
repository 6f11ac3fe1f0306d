"""The command ``hashslide``; see docs/cli.md."""

from typing import Annotated

import typer

from hashslide import available_cpus, build_info
from hashslide.cli import data_commands
from hashslide.cli._app import Commands
from hashslide.cli._console import prepare_streams, print_facts, print_json
from hashslide.cli._options import Json
from hashslide.cli._outputs import Command
from hashslide.cli._signals import hear_signals
from hashslide.cli.advise import advise
from hashslide.cli.evaluate import evaluate
from hashslide.cli.inspect import inspect
from hashslide.cli.predict import predict
from hashslide.cli.train import train

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; the entry point of the package."""
    prepare_streams()
    hear_signals()
    app(prog_name="hashslide")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(build_info()["version"])
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


def info(json: Json = False) -> None:
    """Show how hashslide was built and what it runs on.

    [bold]Examples[/bold]

    \b
        hashslide info
        HASHSLIDE_ISA=baseline hashslide info
    """
    facts = build_info() | {"available_cpus": available_cpus()}
    if json:
        print_json(facts)
    else:
        print_facts("", ((name.replace("_", " "), value) for name, value in facts.items()))


for command in (advise, train, evaluate, predict, inspect, info):
    app.command(cls=Command)(command)
app.add_typer(data_commands.app, name="data", help="List, describe and convert data sets.")
