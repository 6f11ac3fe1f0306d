"""Search settings on data files, train with the best ones, and save the model."""

import shlex
from pathlib import Path
from typing import Any, NamedTuple

import typer
from scipy.sparse import csr_matrix

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
from hashslide.cli.actions.train_text import load_tables, text_steps
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import find_names
from hashslide.cli.inputs.texts import OF_TEXTS, holds_texts, table_of, text_features
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS
from hashslide.settings.expressions import write_setting
from hashslide.text import SlideTextClassifier
from hashslide.tuning import Budget, Trial, TuningReport
from hashslide.tuning.report import settings_text

__all__ = ["Tuned", "report", "run", "train_command"]


def __dir__() -> list[str]:
    return __all__


COLUMNS = ("trial", "settings", "rows", "score", "gain", "seconds", "outcome")
OF_DATA = ("test", "label_names", "feature_names", "text", *OF_TEXTS, *Reader._fields)


class Tuned(NamedTuple):
    """A model that was tuned and saved, the features and labels to test it on, and what to do next."""

    classifier: SlideClassifier
    test: tuple[csr_matrix, csr_matrix] | None
    steps: str


def run(context: typer.Context, reader: Reader) -> None:
    """Tune and save; the options are in the context of the command, those of data files in the reader."""
    options = context.params | {"early_stopping": False, "patience": None, "validation_fraction": None}
    output, is_quiet = options["output"], options["quiet"] or options["json"]
    Budget(options["seconds"], options["trials"])  # refuses what is not acceptable before the data are read
    model_file.check_writable(output)
    options |= {"validation": options["evaluation"]}
    callbacks: list[Callback] = [] if is_quiet else [Progress()]
    given = parameters(options) | {"callbacks": callbacks, "n_jobs": options["jobs"]}
    search = {name: options[name] for name in ("seconds", "trials", "monitor")}
    search["progress"] = None if is_quiet else note
    tune = _tune_texts if holds_texts(options, reader) else _tune_features
    try:
        classifier, test, steps = tune(options, given, search, reader)
    except KeyboardInterrupt as error:
        note(f"Interrupted: {output} is not written.")
        raise typer.Exit(exit_code(error)) from None
    report(options, classifier, test, train_command(context, classifier.tuning_), steps)


def _tune_features(
    options: dict[str, Any], given: dict[str, Any], search: dict[str, Any], reader: Reader
) -> Tuned:
    """Tune on features, and save."""
    parts = load_parts(options, options["seed"], reader)
    part, held_out, test = parts["train"], parts.get("validation"), parts.get("test")
    if part.pack is not None:
        raise InputError(
            f"{part.path} is a pack. Search settings on a part of the data that fits into memory."
        )
    names = find_names(options["feature_names"], part, "features")
    classes = find_names(options["label_names"], part, "labels")
    if search["progress"] is not None:
        announce(parts, classes is not None, names is not None)
    if names is not None:
        given["callbacks"].insert(0, FeatureNames(names))
    classifier = SlideClassifier(**given)
    eval_set = None if held_out is None else (held_out.X, held_out.Y)
    classifier.tune(part.X, part.Y, eval_set=eval_set, classes=classes, **search)
    classifier.save(options["output"], options["optimizer_state"])
    asked = question(classifier, (test or part).X)
    steps = next_steps(options["source"], Path(options["output"]), asked)
    return Tuned(classifier, None if test is None else (test.X, test.Y), steps)


def _tune_texts(
    options: dict[str, Any], given: dict[str, Any], search: dict[str, Any], reader: Reader
) -> Tuned:
    """Tune on texts, and save."""
    texts = load_tables(options, reader)
    if search["progress"] is not None:
        texts.announce(options)
    model = SlideTextClassifier(SlideClassifier(**given), text_features(options))
    eval_set = texts.pairs.get("validation")
    model.tune(*texts.pairs["train"], eval_set=eval_set, classes=texts.classes, **search)
    model.table_ = table_of(reader)
    model.save(options["output"], options["optimizer_state"])
    return Tuned(model.classifier_, texts.features("test", model), text_steps(options["output"]))


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
        if name == "char_ngrams" and isinstance(value, tuple):
            value = "-".join(map(str, value))
        if name == "column_weight":
            value = [f"{column}={weight:g}" for column, weight in value]
        for each in value if isinstance(value, list) else [value]:
            words += [flag] if is_flag else [flag, write_setting(each)]
    return shlex.join(words)


def report(
    options: dict[str, Any],
    classifier: SlideClassifier,
    test: tuple[csr_matrix, csr_matrix] | None,
    command: str,
    steps: str,
) -> None:
    """Print the trials, what was chosen, the metrics on features and labels, and what to do next."""
    found, output = classifier.tuning_, Path(options["output"])
    measured = None if test is None else measure(classifier, *test, parse_ranks(RANKS))
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
        note(steps)


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
