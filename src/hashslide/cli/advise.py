"""``hashslide advise``: whether hashing pays on the user's data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from hashslide.cli._console import note, print_facts, print_json, print_table
from hashslide.cli._options import DataArgument, Hidden, Jobs, Json, reader
from hashslide.cli.inputs.reader import Reader, reads_data
from hashslide.cli.inputs.sources import part_path
from hashslide.diagnostics import plots
from hashslide.diagnostics.advice import FAMILIES, SHARES, Advice
from hashslide.diagnostics.advice import advise as find_advice
from hashslide.diagnostics.advise_plot import draw
from hashslide.diagnostics.trials import RANKS, Outcome, Run
from hashslide.diagnostics.verdict import STAGES
from hashslide.settings.hash_families import HASH_FAMILIES, Hash

__all__ = ["SPEED_COLUMNS", "SPENT", "PlotFile", "advise"]


def __dir__() -> list[str]:
    return __all__


SPENT = ("choosing the active set", "re-hashing", "output layer")
SPEED_COLUMNS = ("active set", "labels", "examples/s", "seconds", "choosing", "re-hashing", "output layer")

PlotFile = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw to FILE.png, or to one page FILE.html.")
]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 0.0005,0.005.") from None


@dataclass(frozen=True)
class _Families(Hash):
    """Several hash families."""

    def check(self, name: str, value: Any) -> Any:
        return [
            super(_Families, self).check(name, v) for v in (value if isinstance(value, list) else [value])
        ]


def _families(text: str) -> list[Any]:
    if not text.strip():
        return []
    found = reader("families", _Families(HASH_FAMILIES))(text)
    return found if isinstance(found, list) else [found]


@reads_data
def advise(
    source: DataArgument,
    seconds: Annotated[float, typer.Option(metavar="X", min=1, help="Time to take, about.")] = 120,
    points: Annotated[int, typer.Option(metavar="N", min=100, help="Size of the sample, at most.")] = 20_000,
    shares: Annotated[
        str,
        typer.Option(
            parser=_numbers, metavar="X,X,...", help="Hard negatives of an example, as shares of the labels."
        ),
    ] = ",".join(map(str, SHARES)),
    families: Annotated[
        str,
        typer.Option(
            parser=_families, metavar="FAMILY,...", help="Hash families to try, as 'kmeans, dwta(tables=20)'."
        ),
    ] = ",".join(FAMILIES),
    hidden: Hidden = "256",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all random numbers.")] = 0,
    plot: PlotFile = None,
    jobs: Jobs = None,
    json: Json = False,
    *,
    reader: Reader,
) -> None:
    """Find out whether hashing pays on your data, before a long training.

    Trains on a sample with different active sets: labels of the batch, random
    ones, the best ones found by looking at all labels (which no hash table can
    beat), and those found by hashing; and says which is worth its time.

    [bold]Examples[/bold]

    \b
        hashslide advise pubmed-mesh
        hashslide advise deps.npz --seconds 600 --points 50000 --plot advice.html
    """
    if plot is not None:
        plots.check_plot_path(plot)
    part = reader.load(part_path(source, "train"))
    # What the options' parsers made is no text any more.
    advice = find_advice(
        part.X,
        part.Y,
        points=points,
        seconds=seconds,
        shares=cast("tuple[float, ...]", shares),
        families=families,
        hidden=cast(Any, hidden),
        random_state=seed,
        n_jobs=jobs,
        progress=None if json else note,
    )
    if plot is not None:
        words = [advice.verdict, *advice.reasons, *_skipped(advice)]
        plots.save_plot(plot, draw(advice), f"Advice on {part.path.name}", words, _tables(advice))
    if json:
        print_json({"data": str(part.path)} | advice.to_dict())
    else:
        _print(advice, plot)


def _print(advice: Advice, plot: Path | None) -> None:
    facts = {name.replace("_", " "): value for name, value in advice.facts.items() if name != "k"}
    print_facts("sample", facts.items())
    for table in _tables(advice):
        print_table(f"\n{table.title}", table.columns, table.rows)
    print_facts("\nfindings", ((str(i), text) for i, text in enumerate(advice.reasons, start=1)))
    settings = advice.settings or "those by default"
    print_facts("\nadvice", {"verdict": advice.verdict, "settings": settings}.items())
    for line in _skipped(advice):
        note(line)
    if plot is not None:
        note(f"Wrote {plot}.")


def _skipped(advice: Advice) -> list[str]:
    if not advice.skipped:
        return []
    return [
        f"Not tried for lack of time: {', '.join(advice.skipped)}. Give more --seconds, or fewer --points."
    ]


def _tables(advice: Advice) -> list[plots.Table]:
    k = advice.facts["k"]
    columns = ("active set", "P@1", "P@3", "P@5", "same steps", "same time")
    title = f"accuracy, and difference of P@{k} to the default with its standard error"
    return [
        plots.Table(title, columns, map(_accuracy, advice.runs)),
        plots.Table("speed, and where the time goes", SPEED_COLUMNS, map(_speed, advice.runs)),
    ]


def _accuracy(run: Run) -> tuple[Any, ...]:
    found = run.equal_steps
    precision = (f"{found.precision[k]:.4f}" for k in RANKS)
    return (run.name, *precision, "" if run.kind == "default" else _change(found), _change(run.equal_time))


def _change(outcome: Outcome | None) -> str:
    return "" if outcome is None else f"{outcome.difference:+.4f} ± {outcome.standard_error:.4f}"


def _speed(run: Run) -> tuple[Any, ...]:
    total, parts = max(sum(run.stage_seconds.values()), 1e-9), dict.fromkeys(SPENT, 0.0)
    for stage, seconds in run.stage_seconds.items():
        if STAGES[stage] in parts:
            parts[STAGES[stage]] += seconds / total
    spent = (f"{part:.0%}" for part in parts.values())
    total_seconds = f"{run.equal_steps.seconds:.2f}"
    return (run.name, round(run.active), round(run.examples_per_second), total_seconds, *spent)
