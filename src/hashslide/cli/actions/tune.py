"""Search settings on data files, train with the best ones, and save the model."""

import shlex
from pathlib import Path
from typing import Any

import typer

from hashslide import model_file
from hashslide.callbacks import Callback, Progress
from hashslide.cli._console import note, print_facts, print_json, print_line, print_table, readable_bytes
from hashslide.cli._options import RANKS, parse_ranks
from hashslide.cli._signals import exit_code
from hashslide.cli.actions.evaluate import measure, print_report
from hashslide.cli.actions.train import (
    FeatureNames,
    announce,
    load_parts,
    next_steps,
    parameters,
    question,
)
from hashslide.cli.inputs.part import Part
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import find_names
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS
from hashslide.settings.expressions import write_setting
from hashslide.tuning import Budget, Trial, TuningReport
from hashslide.tuning.report import settings_text

__all__ = ["report", "run", "train_command"]


def __dir__() -> list[str]:
    return __all__


COLUMNS = ("trial", "settings", "rows", "score", "gain", "seconds", "outcome")
OF_DATA = ("test", "label_names", "feature_names", *Reader._fields)


def run(context: typer.Context, reader: Reader) -> None:
    """Tune and save; the options are in the context of the command, those of data files in the reader."""
    options = context.params | {"early_stopping": False, "patience": None, "validation_fraction": None}
    output, is_quiet = options["output"], options["quiet"] or options["json"]
    Budget(options["seconds"], options["trials"])  # refuses what is not acceptable before the data are read
    model_file.check_writable(output)
    parts = load_parts(options | {"validation": options["evaluation"]}, options["seed"], reader)
    part, held_out = parts["train"], parts.get("validation")
    if part.pack is not None:
        raise InputError(
            f"{part.path} is a pack. Search settings on a part of the data that fits into memory."
        )
    names = find_names(options["feature_names"], part, "features")
    classes = find_names(options["label_names"], part, "labels")
    if not is_quiet:
        announce(parts, classes is not None, names is not None)
    callbacks: list[Callback] = [] if names is None else [FeatureNames(names)]
    callbacks += [] if is_quiet else [Progress()]
    given = parameters(options) | {"callbacks": callbacks, "n_jobs": options["jobs"]}
    classifier = SlideClassifier(**given)
    try:
        classifier.tune(
            part.X,
            part.Y,
            eval_set=None if held_out is None else (held_out.X, held_out.Y),
            classes=classes,
            seconds=options["seconds"],
            trials=options["trials"],
            monitor=options["monitor"],
            progress=None if is_quiet else note,
        )
    except KeyboardInterrupt as error:
        note(f"Interrupted: {output} is not written.")
        raise typer.Exit(exit_code(error)) from None
    classifier.save(output, options["optimizer_state"])
    report(options, classifier, parts, train_command(context, classifier.tuning_))


def train_command(context: typer.Context, found: TuningReport) -> str:
    """Return the command that trains the same model without a search."""
    options = context.params
    words = ["hashslide", "train", str(options["source"]), "-o", str(options["output"])]
    if options["evaluation"] is not None:
        words += ["--validation", str(options["evaluation"])]
    chosen = dict(found.parameters)
    for name in (*OF_DATA, *PARAMETERS, "seed"):
        source = context.get_parameter_source(name)
        if name not in chosen and source is not None and source.name == "COMMANDLINE":
            chosen[name] = options[name]
    for name, value in chosen.items():
        flag = f"--{name.replace('_', '-')}"
        is_flag = name in OF_DATA and isinstance(value, bool)
        words += [flag] if is_flag else [flag, write_setting(value)]
    return shlex.join(words)


def report(
    options: dict[str, Any], classifier: SlideClassifier, parts: dict[str, Part], command: str
) -> None:
    """Print the trials, what was chosen, the metrics on the test part, and what to do next."""
    found, test, output = classifier.tuning_, parts.get("test"), Path(options["output"])
    measured = None if test is None else measure(classifier, test.X, test.Y, parse_ranks(RANKS))
    if options["json"]:
        for trial in found.trials:
            print_json({"event": "trial"} | _facts(trial))
        facts = {"model": str(output), "bytes": output.stat().st_size, "seconds": found.seconds}
        facts |= {"monitor": found.monitor, "rows": found.rows, "settings": _texts(found.parameters)}
        facts |= {"gain": found.gain, "standard_error": found.standard_error}
        facts |= {"conclusion": found.conclusion, "command": command, "test": measured}
        print_json({"event": "done"} | facts)
        return
    title = f"trials: {found.monitor} on {found.rows:,} held-out examples, the best first"
    print_table(title, COLUMNS, map(_row, found.best_first()))
    chosen = {"settings": settings_text(found.parameters)}
    if found.parameters:
        chosen["gain"] = f"{found.gain:+.4f} ± {found.standard_error:.4f} {found.monitor}"
    print_facts("\nchosen", chosen.items())
    print_line(f"\n{command}")
    if measured is not None:
        print_line("")
        print_report(measured)
    if not options["quiet"]:
        size = readable_bytes(output.stat().st_size)
        note(f"\nSaved {output} ({size}) after {found.seconds:.1f} s.")
        note(next_steps(options["source"], output, question(classifier, (test or parts["train"]).X)))


def _row(trial: Trial) -> tuple[Any, ...]:
    again = ", once more" if trial.repeat else ""
    gain = "" if trial.gain != trial.gain else f"{trial.gain:+.4f} ± {trial.standard_error:.4f}"
    score = "" if trial.score != trial.score else f"{trial.score:.4f}"
    seconds = "" if trial.seconds != trial.seconds else f"{trial.seconds:.1f}"
    settings = settings_text(trial.parameters)
    return (str(trial.number), settings, f"{trial.share:.0%}{again}", score, gain, seconds, trial.outcome)


def _facts(trial: Trial) -> dict[str, Any]:
    return vars(trial) | {"parameters": _texts(trial.parameters)}


def _texts(settings: Any) -> dict[str, str]:
    return {name: write_setting(value) for name, value in settings.items()}
