"""Find out by experiment whether hashing pays, and print and draw what was found."""

from pathlib import Path
from typing import Any

from hashslide.cli._console import note, print_facts, print_json, print_table
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import part_path
from hashslide.cli.inputs.texts import holds_texts, learn_text_part
from hashslide.diagnostics import plots
from hashslide.diagnostics.advice import Advice
from hashslide.diagnostics.advice import advise as find_advice
from hashslide.diagnostics.advise_plot import draw
from hashslide.diagnostics.trials import RANKS, Outcome, Run
from hashslide.diagnostics.verdict import STAGES

__all__ = ["SPEED_COLUMNS", "SPENT", "run"]


def __dir__() -> list[str]:
    return __all__


SPENT = ("choosing the active set", "re-hashing", "output layer")
SPEED_COLUMNS = ("active set", "labels", "examples/s", "seconds", "choosing", "re-hashing", "output layer")


def run(options: dict[str, Any], reader: Reader, **given: Any) -> None:
    """Print advice; the options are those of the command, `given` the parameters of `hashslide.advise`."""
    source, plot, json = options["source"], options["plot"], options["json"]
    if plot is not None:
        plots.check_plot_path(plot)
    if holds_texts(options, reader):
        part = learn_text_part(options, reader)
    else:
        part = reader.load(part_path(source, "train"))
    advice = find_advice(part.X, part.Y, progress=None if json else note, **given)
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
        f"Not tried for lack of time: {', '.join(advice.skipped)}. Give more --seconds, or fewer --examples."
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
