"""No command writes over what it reads; checked for all of them, before they begin."""

import os
from itertools import combinations
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from hashslide._interface import command_line
from hashslide.errors import InputError

OUTPUTS = ("output", "target", "plot")  # the parameters that name a file to write

RENAMED = {  # Python arguments: the parameters of the commands that stand for them
    "n_jobs": "jobs",
    "random_state": "seed",
    "resume_from": "resume",
    "fraction": "validation_fraction",
    "a": "propensity_a",
    "b": "propensity_b",
}


class Command(TyperCommand):
    """A command whose outputs are none of its inputs, and whose messages name its options."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer gives its own
        """Run the command, unless it would destroy what it reads."""
        check_outputs(ctx.params, {parameter.name: _shown(parameter) for parameter in self.params})
        with command_line(_options(self)):
            return super().invoke(ctx)


def _options(command: TyperCommand) -> dict[str, str]:
    """Return the option for each Python argument that a command knows."""
    options = {p.name: max(p.opts, key=len) for p in command.params if p.param_type_name == "option"}
    renamed = {python: options[name] for python, name in RENAMED.items() if name in options}
    return options | renamed


def check_outputs(values: dict[str, Any], names: dict[str, str]) -> None:
    """Refuse to write over an input, also by another of its names, or to write two things to one file.

    Parameters
    ----------
    values : dict
        Arguments and options of a command.
    names : dict of str to str
        What the user calls them.
    """
    from hashslide.cli.inputs.sources import files_of  # imports much, which --help need not wait for

    outputs = {name: Path(values[name]) for name in OUTPUTS if values.get(name) is not None}
    for (first, path), (second, other) in combinations(outputs.items(), 2):
        if os.path.realpath(path) == os.path.realpath(other) or _is_same(path, other):
            raise InputError(f"{names[first]} and {names[second]} are both {path}. Give two names.")
    for name, path in outputs.items():
        for source, value in values.items():
            if source in OUTPUTS or not isinstance(value, str | Path | list):
                continue
            named = value if isinstance(value, list) else [value]
            if any(_is_same(path, read) for one in named for read in files_of(str(one))):
                raise InputError(
                    f"{names[name]} is {path}, which {names[source]} ({value}) reads: it would be lost. "
                    "Give another name."
                )


def _is_same(path: Path, other: Path) -> bool:
    """Tell whether two names lead to one file; hard links count, as nobody wants only one of them changed."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # one of them does not exist
        return False


def _shown(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    return (parameter.metavar or parameter.name).strip("[]") if is_argument else max(parameter.opts, key=len)
