"""Train a model on data files, and save it."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import data, model_file
from hashslide.callbacks import Callback, Checkpoint, EarlyStopping, Progress
from hashslide.callbacks.checkpoint import checkpoint_files
from hashslide.cli._console import note, print_json, readable_bytes
from hashslide.cli._options import RANKS, parse_ranks
from hashslide.cli._signals import exit_code
from hashslide.cli.actions import train_workers
from hashslide.cli.actions.evaluate import measure, print_report
from hashslide.cli.inputs.columns import same_columns
from hashslide.cli.inputs.part import Part
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import find_names, part_path, sibling_test_path
from hashslide.diagnostics import plots
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS
from hashslide.training import TrainingContext

__all__ = [
    "FeatureNames",
    "JsonProgress",
    "announce",
    "callbacks",
    "checkpoint_folder",
    "draw",
    "fit",
    "interrupted",
    "load_parts",
    "next_steps",
    "parameters",
    "print_outcome",
    "question",
    "report",
    "run",
    "within",
]


def __dir__() -> list[str]:
    return __all__


class JsonProgress(Callback):
    """One JSON line for each epoch."""

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Print the record of the epoch."""
        print_json({"event": "epoch"} | context.logs)


class FeatureNames(Callback):
    """Gives the model the names of its features, before anything saves it."""

    def __init__(self, names: NDArray[np.object_]):
        self.names = names

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Set the attribute under scikit-learn's name."""
        estimator.feature_names_in_ = self.names


def run(context: typer.Context, reader: Reader) -> None:
    """Train and save; the options are in the context of the command, those of data files in the reader."""
    options = context.params
    output, plot, seed = options["output"], options["plot"], options["seed"]
    given, folder = parameters(options), checkpoint_folder(context)
    model_file.check_writable(output)
    if plot is not None:
        plots.check_plot_path(plot)
    parts = load_parts(options, seed, reader)
    part = parts["train"]
    names = find_names(options["feature_names"], part, "features")
    classes = find_names(options["label_names"], part, "labels")
    if not (options["json"] or options["quiet"] or train_workers.is_follower(context)):
        announce(parts, classes is not None, names is not None)
    classifier = SlideClassifier(
        **given | {"callbacks": callbacks(options, names), "n_jobs": options["jobs"]}
    )
    if options["workers"] is None and not train_workers.is_one_of_many(context):
        train_workers.given_without_workers(context)
        fit(classifier, parts, classes, options["checkpoint"], folder, options["reservoir"])
        classifier.save(output, options["optimizer_state"])
    else:
        trained = train_workers.fit(context, classifier, parts, classes, names)
        if trained is None:
            return
        classifier = trained
    if plot is not None:
        draw(classifier, plot, part.path.name)
    report(options, classifier, parts)


def checkpoint_folder(context: typer.Context) -> Path | None:
    """Return the folder to go on from, if the training is to be resumed."""
    folder: Path | None = context.params["checkpoint"]
    every = context.get_parameter_source("checkpoint_every")
    for option, is_given in (
        ("--resume", context.params["resume"]),
        ("--checkpoint-every", every is not None and every.name == "COMMANDLINE"),
    ):
        if is_given and folder is None:
            raise typer.BadParameter(
                f"{option} needs the folder of the checkpoints. Add --checkpoint FOLDER."
            )
    return folder if context.params["resume"] else None


def load_parts(options: dict[str, Any], seed: int, reader: Reader) -> dict[str, Part]:
    """Return "train" and, where there are any, "validation" and "test", of equal numbers of columns."""
    source, test = options["source"], options["test"]
    validation, fraction = options["validation"], options["validation_fraction"]
    if validation is not None and fraction is not None:
        raise typer.BadParameter("give --validation or --validation-fraction, not both.")
    path = part_path(source, "train")
    paths = {
        "train": path,
        "validation": None if validation is None else part_path(validation, "test"),
        "test": sibling_test_path(source) if test is None else part_path(test, "test"),
    }
    read = {"train": reader.load_training}
    loaded = {
        name: read.get(name, reader.load_examples)(path) for name, path in paths.items() if path is not None
    }
    pack = loaded["train"].pack
    parts = same_columns(loaded, reader.drop_unknown or pack is not None)
    if pack is not None:
        parts = {name: within(part, pack.n_labels) for name, part in parts.items()}
    if fraction is not None:
        if pack is not None:
            raise typer.BadParameter(
                "--validation-fraction needs data in memory, and this is a pack. Give --validation, "
                "or leave it out: --early-stopping holds a part of the pack out."
            )
        whole = parts["train"]
        X, X_held, Y, Y_held = data.train_validation_split(whole.X, whole.Y, fraction, seed)
        parts |= {"train": whole._replace(X=X, Y=Y), "validation": whole._replace(X=X_held, Y=Y_held)}
    return parts


def within(part: Part, n_labels: int) -> Part:
    """Return a part without the labels that a pack lacks: its model will not have them."""
    unknown = part.Y.shape[1] - n_labels
    if unknown <= 0:
        return part
    note(f"Warning: {unknown:,} labels of {part.path} are not in the pack and are left out.")
    names = None if part.label_names is None else part.label_names[:n_labels]
    return part._replace(Y=part.Y[:, :n_labels], label_names=names)


def announce(parts: dict[str, Part], has_label_names: bool, has_feature_names: bool) -> None:
    """Say what is trained on."""
    for name, part in parts.items():
        n, (n_features, n_labels) = part.n_examples, (part.X.shape[1], part.Y.shape[1])
        note(f"{name}: {n:,} examples, {n_features:,} features, {n_labels:,} labels from {part.path}")
    found = [name for name, has in (("labels", has_label_names), ("features", has_feature_names)) if has]
    note(f"names of {' and '.join(found)}: found" if found else "names: none found, ids are used")


def parameters(options: dict[str, Any]) -> dict[str, Any]:
    """Return the estimator's parameters among the options, which bear their names."""
    given = {name: options[name] for name in PARAMETERS if name in options}
    if options["validation_fraction"] is None:
        del given["validation_fraction"]
    patience = options["patience"]
    if patience is not None and not options["early_stopping"]:
        raise typer.BadParameter("--patience goes with --early-stopping only. Add that, or leave it out.")
    if patience is not None:
        given["early_stopping"] = EarlyStopping(patience=patience)
    return given | {"random_state": options["seed"]}


def callbacks(options: dict[str, Any], names: NDArray[np.object_] | None) -> list[Callback]:
    """Return what shows and saves the training while it runs."""
    wanted: list[Callback] = []
    if names is not None:
        wanted.append(FeatureNames(names))
    if options["checkpoint"] is not None:
        wanted.append(Checkpoint(options["checkpoint"], options["checkpoint_every"]))
    if options["json"]:
        wanted.append(JsonProgress())
    elif not options["quiet"]:
        wanted.append(Progress())
    return wanted


def fit(
    classifier: SlideClassifier,
    parts: dict[str, Part],
    classes: NDArray[np.object_] | None,
    states: Path | None,
    resume_from: Path | None,
    reservoir: int = 0,
) -> None:
    """Train; on Ctrl-C say what is left and end."""
    part, held_out = parts["train"], parts.get("validation")
    eval_set = None if held_out is None else (held_out.X, held_out.Y)
    named = classes if part.pack is None or part.label_names is None else None
    x, y = (part.X, part.Y) if part.pack is None else (part.pack, None)
    try:
        classifier.fit(x, y, eval_set=eval_set, classes=named, resume_from=resume_from, reservoir=reservoir)
    except KeyboardInterrupt as error:
        raise interrupted(error, states) from None


def interrupted(error: KeyboardInterrupt, states: Path | None) -> typer.Exit:
    """Say what is left of a training that was interrupted; return the end of the command."""
    kept = "nothing is written (see --checkpoint)"
    if states is not None and states.is_dir() and checkpoint_files(states):
        kept = f"the same command with --resume goes on from {checkpoint_files(states)[0]}"
    note(f"Interrupted: {kept}.")
    return typer.Exit(exit_code(error))


def draw(classifier: SlideClassifier, path: Path, source: str) -> None:
    """Draw the loss by epoch and, with validation data, the metrics against the time of training."""
    records = classifier.history_
    measured = [name for name in records[0] if name.startswith("val_")]
    figure, axes = plots.new_figure(1, 1 + bool(measured), (6 * (1 + bool(measured)), 4.5))
    classifier.plot_history("epoch", "loss", axes[0, 0])
    if measured:
        classifier.plot_history("seconds", measured, axes[0, 1])
    table = plots.Table("epochs", list(records[0]), [list(record.values()) for record in records])
    plots.save_plot(path, figure, f"Training on {source}", tables=[table])
    note(f"Wrote {path}.")


def report(options: dict[str, Any], classifier: SlideClassifier, parts: dict[str, Part]) -> None:
    """Print the metrics on the test part, where the model is, and what to do with it."""
    test = parts.get("test")
    asked = question(classifier, (test or parts["train"]).X)
    steps = next_steps(options["source"], Path(options["output"]), asked)
    print_outcome(options, classifier, None if test is None else (test.X, test.Y), steps)


def print_outcome(
    options: dict[str, Any],
    classifier: SlideClassifier,
    test: tuple[csr_matrix, csr_matrix] | None,
    steps: str,
) -> None:
    """Print the metrics on features and labels, where the model is, and the next steps."""
    output = Path(options["output"])
    measured = None if test is None else measure(classifier, *test, parse_ranks(RANKS))
    seconds = sum(record["seconds"] for record in classifier.history_)
    if options["json"]:
        facts = {"model": str(output), "bytes": output.stat().st_size, "seconds": seconds}
        print_json({"event": "done"} | facts | {"epochs": classifier.n_iter_, "test": measured})
        return
    if measured is not None:
        print_report(measured)
    if not options["quiet"]:
        size, n = readable_bytes(output.stat().st_size), classifier.n_iter_
        epochs = "1 epoch" if n == 1 else f"{n} epochs"
        note(f"\nSaved {output} ({size}) after {epochs}, {seconds:.1f} s.")
        note(steps)


def question(classifier: SlideClassifier, X: csr_matrix) -> str | None:
    """Return the names of the three largest features of the first example with any, if there are names."""
    names = getattr(classifier, "feature_names_in_", None)
    examples = np.flatnonzero(np.diff(X.indptr))
    if names is None or len(examples) == 0:
        return None
    example = X[examples[0]]
    largest = names[example.indices[np.argsort(-example.data, kind="stable")[:3]]]
    return " ".join(name for name in largest if not any(map(str.isspace, name))) or None


def next_steps(source: str, output: Path, asked: str | None) -> str:
    """Return the commands that make sense after training."""
    model, examples = shlex.quote(str(output)), shlex.quote(source)
    lines = ["Next:", f"  hashslide predict {model} {examples} -k 5 | head -20"]
    if asked is not None:
        lines.append(f"  echo {shlex.quote(asked)} | hashslide predict {model} --by-name")
    lines += [
        f"  hashslide inspect {model}",
        f'  python -c "from hashslide import SlideClassifier as S; print(S.load({str(output)!r}))"',
    ]
    return "\n".join(lines)
