"""``hashslide train``, its options, names, validation and interruption."""

import inspect
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from commands import PROGRAM, SMALL, json_lines, run, start

from hashslide import data
from hashslide.cli.commands.train import train
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS
from hashslide.model_file import load_model
from hashslide.settings.expressions import CALLS, read_setting


def test_every_parameter_of_the_estimator_is_an_option_with_its_default():
    parameters = inspect.signature(SlideClassifier).parameters
    options = inspect.signature(train).parameters
    elsewhere = {"callbacks", "verbose", "n_jobs", "random_state", "validation_fraction"}
    assert parameters.keys() - elsewhere <= options.keys()
    for name in parameters.keys() - elsewhere:
        default = options[name].default
        if isinstance(default, str):
            default = read_setting(name, default, PARAMETERS[name])
        assert default == parameters[name].default, name


def test_the_help_of_train_fits_on_a_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")
    plain = run("train", "--help").output
    assert len(plain.splitlines()) <= 50
    assert "Advanced" in plain and "--help-advanced" in plain and "--batch-size" not in plain
    every = run("train", "--help-advanced").output
    for name in set(PARAMETERS) - {"callbacks", "verbose", "n_jobs", "random_state"}:
        assert f"--{name.replace('_', '-')} " in every, name
    for call in CALLS:
        assert f" {call}(" in every


def test_train_shows_progress_metrics_and_what_to_do_next(trained, folder):
    path, result = trained
    assert (
        f"train: 1,500 examples, 9,157 features, 3,654 labels from {folder / 'train.txt.gz'}" in result.stderr
    )
    assert "names of labels and features: found" in result.stderr
    line = r"epoch 3/3  loss [\d.]+  [\d,]+ examples/s  active [\d,]+  memory [\d.]+ GB"
    assert re.search(line, result.stderr)
    assert re.search(r"^1 +0\.\d{4}", result.stdout, re.MULTILINE)
    assert re.search(rf"Saved {path} \([\d.]+ MB\) after 3 epochs", result.stderr)


def test_the_next_commands_work_as_printed(trained):
    commands = [line.strip() for line in trained[1].stderr.split("Next:\n")[1].splitlines()]
    assert len(commands) == 4
    hashslide = f'hashslide() {{ "{sys.executable}" -c "{PROGRAM}" "$@"; }}; '
    python = f'python() {{ "{sys.executable}" "$@"; }}; '
    for command in commands:
        done = subprocess.run(["bash", "-c", hashslide + python + command], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, (command, done.stderr)


def test_train_json_is_all_that_stands_on_standard_output(folder, tmp_path):
    lines = json_lines(run("train", folder, "-o", tmp_path / "m", *SMALL, "--json").stdout)
    assert [line["event"] for line in lines] == ["epoch"] * 3 + ["done"]
    assert [line["epoch"] for line in lines[:3]] == [1, 2, 3]
    assert lines[0]["loss"] > lines[2]["loss"]
    assert lines[3]["model"] == str(tmp_path / "m") and lines[3]["bytes"] == (tmp_path / "m").stat().st_size
    assert 0 < lines[3]["test"]["P@1"] < 1


def test_train_quietly(folder, tmp_path):
    result = run("train", folder / "train.txt.gz", "-o", tmp_path / "m", *SMALL, "--quiet")
    assert result.output == ""
    assert SlideClassifier.load(tmp_path / "m").n_iter_ == 3


def test_seed_fixes_the_model_for_any_number_of_threads(folder, tmp_path):
    for name, options in {"a": ["-j", "1"], "b": ["-j", "3"], "c": ["--seed", "1"]}.items():
        run("train", folder, "-o", tmp_path / name, *SMALL, "-q", *options)
    a, b, c = (load_model(tmp_path / name)[0]["network.output.weight"] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_options_reach_the_estimator(folder, tmp_path):
    given = {
        "hidden": "dense(16, tanh, length=4.0, dropout=0.1)",
        "loss": "softmax",
        "epochs": 2,
        "batch_size": 100,
        "learning_rate": 0.02,
        "optimizer": "adam(weight_decay=0.001)",
        "schedule": "cosine(warmup=0.1)",
        "input_dropout": 0.1,
        "negatives": "negatives(uniform=50, popular=20, prior_correction=0.3)",
        "active": "per_batch",
        "update": "hogwild",
        "hash": "simhash(tables=3, hashes=4, probes=2)",
        "sampler": "vanilla(budget=5)",
        "ranker": "yes",
        "both_ways": "no",
        "example_power": 0.2,
        "label_weight": "propensity",
        "approximate": "no",
    }
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
    options += ["--early-stopping", "--patience", 4]
    run("train", folder, "-o", tmp_path / "m", "-q", "--optimizer-state", "--seed", 7, *options)
    loaded = SlideClassifier.load(tmp_path / "m").get_params()
    for name, text in given.items():
        assert loaded[name] == read_setting(name, str(text), PARAMETERS[name])
    assert loaded["random_state"] == 7 and repr(loaded["early_stopping"]) == "EarlyStopping(patience=4)"
    arrays = load_model(tmp_path / "m")[0]
    assert any(name.endswith(".adam_m") for name in arrays)


def test_layers_and_hashing_are_options_and_are_shown(folder, tmp_path):
    options = ["--hidden", "16,8", "--hash", "kmeans(tables=2)", "--sampler", "vanilla(budget=7)"]
    options += ["--active", "per_example"]
    run("train", folder, "-o", tmp_path / "m", "-q", "--epochs", 1, *options)
    metadata = load_model(tmp_path / "m")[1]
    assert [layer["Layer"]["width"] for layer in metadata["network"]["hidden"]] == [16, 8]
    shown = run("inspect", tmp_path / "m").output
    assert "hidden 2" in shown and "Vanilla(budget=7) of KMeans(tables=2)" in shown


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["--hidden", "wide"], "hidden is 'wide'; accepted are an integer", 1),
        (["--hidden", "1.5"], "hidden is 1.5; accepted are an integer", 1),
        (["--hash", "dwta(tables=0)"], r"hash=DWTA\(tables=0\): tables is 0; accepted is an integer", 1),
        (["--optimizer", "lion"], "--optimizer is 'lion'; accepted are adagrad", 1),
        (["--epochs", "0"], "--epochs is 0; accepted are auto and an integer", 1),
        (["--patience", "3"], "--patience goes with --early-stopping only", 2),
    ],
)
def test_values_that_are_not_acceptable(options, message, code, folder, tmp_path):
    output = run("train", folder, "-o", tmp_path / "m", *options, code=code).output
    assert re.search(message, " ".join(re.sub("[│╭╮╰╯─]", " ", output).split()))


def test_the_optimisers_state_is_left_out_by_default(model):
    assert not any("adagrad" in name for name in load_model(model)[0])


@pytest.mark.parametrize(
    "options", [["--validation-fraction", "0.2"], ["--early-stopping"], ["--validation", "TEST"]]
)
def test_validation_is_measured_in_each_epoch(folder, tmp_path, options):
    options = [str(folder / "test.txt.gz") if option == "TEST" else option for option in options]
    lines = json_lines(
        run("train", folder / "train.txt.gz", "-o", tmp_path / "m", *SMALL, *options, "--json").stdout
    )
    assert all(0 <= line["val_P@1"] <= 1 for line in lines[:-1])
    assert lines[-1]["test"] is None
    text = run("train", folder / "train.txt.gz", "-o", tmp_path / "m", *SMALL, *options).stderr
    assert re.search(r"epoch 1/3  loss [\d.]+  P@1 0\.\d+  P@3 0\.\d+  P@5 0\.\d+  nDCG@5 0\.\d+", text)


def test_held_out_examples_are_not_trained_on(folder, tmp_path):
    text = run("train", folder, "-o", tmp_path / "m", *SMALL, "--validation-fraction", "0.2").stderr
    assert (
        "train: 1,200 examples" in text
        and "validation: 300 examples" in text
        and "test: 300 examples" in text
    )


def test_files_without_a_header_get_one_width(folder, tmp_path):
    X, Y = data.load(folder / "test.txt.gz")
    narrow = np.flatnonzero(np.asarray(X[:, 9_000:].sum(axis=1)).ravel() == 0)[:50]
    data.save(tmp_path / "train.svm", X[narrow], Y[narrow])
    data.save(tmp_path / "test.svm", X, Y)
    result = run(
        "train", tmp_path / "train.svm", "--test", tmp_path / "test.svm", "-o", tmp_path / "m", *SMALL
    )
    assert re.search(
        r"Warning: train data have \d,\d{3} features and [\d,]+ labels; widened to 9,\d{3}", result.stderr
    )
    assert SlideClassifier.load(tmp_path / "m").n_features_in_ == data.load(tmp_path / "test.svm")[0].shape[1]


def test_names_that_do_not_fit_are_not_used(folder, tmp_path):
    for name in ("train.txt.gz", "features.txt.gz"):
        (tmp_path / name).symlink_to(folder / name)
    data.save_names(tmp_path / "labels.txt", ["one", "two"])
    result = run("train", tmp_path, "-o", tmp_path / "m", *SMALL)
    assert re.search(r"Warning: no names of labels: .*labels\.txt: 2 names for 3654 ids", result.stderr)
    assert "names of features: found" in result.stderr
    loaded = SlideClassifier.load(tmp_path / "m")
    assert loaded.classes_.tolist() == list(range(3654)) and len(loaded.feature_names_in_) == 9157


def test_data_without_names(folder, tmp_path):
    (tmp_path / "train.txt.gz").symlink_to(folder / "train.txt.gz")
    result = run("train", tmp_path, "-o", tmp_path / "m", *SMALL)
    assert "names: none found, ids are used" in result.stderr
    assert "--by-name" not in result.stderr
    line = json_lines(run("predict", tmp_path / "m", "--json", "-k", 2, input="5:1\n").stdout)[0]
    assert all(isinstance(label, int) for label in line["labels"])


def test_names_by_option(folder, tmp_path):
    (tmp_path / "train.txt.gz").symlink_to(folder / "train.txt.gz")
    data.save_names(tmp_path / "other", [f"label {i}" for i in range(3654)])
    run("train", tmp_path, "-o", tmp_path / "m", *SMALL, "-q", "--label-names", tmp_path / "other")
    assert SlideClassifier.load(tmp_path / "m").classes_[7] == "label 7"


def test_repairs_are_reported(folder, tmp_path):
    (tmp_path / "bad.txt").write_text("2 3 2\n1,0 0:1\n0 2:1 1:1\n")
    assert "bad.txt, line 2" in run("train", tmp_path / "bad.txt", "-o", tmp_path / "m", code=1).stderr
    result = run("train", tmp_path / "bad.txt", "-o", tmp_path / "m", "--lenient")
    assert re.search(r"Warning: .*bad\.txt: repaired labels out of order", result.stderr)


@pytest.mark.parametrize("states", [None, "states"])
def test_interruption(folder, tmp_path, states):
    options = ["--checkpoint", tmp_path / states, "--checkpoint-every", "1 epoch"] if states else []
    with start(
        "train", folder / "train.txt.gz", "-o", tmp_path / "m", "--epochs", 100_000, *options
    ) as child:
        while not child.stderr.readline().startswith("epoch 2/"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        _, messages = child.communicate()
    assert child.returncode == 130
    assert "Traceback" not in messages
    if states is None:
        assert "Interrupted: nothing is written (see --checkpoint)." in messages
        assert os.listdir(tmp_path) == []
    else:
        path = re.search(r"Interrupted: the same command with --resume goes on from (\S+)\.\n", messages)[1]
        assert SlideClassifier.load(path).n_iter_ >= 2
        assert os.listdir(tmp_path) == ["states"]


def test_the_log_and_the_file_say_what_was_chosen_and_why(trained):
    path, result = trained
    assert "epochs: 3, because it was given" in result.stderr
    assert re.search("ranker: yes, because it raises nDCG@5 from .* on 1,4\\d\\d held-out", result.stderr)
    text = " ".join(run("inspect", path).output.split())
    assert "setting value because" in text and "epochs 3 it was given" in text
    settings = json_lines(run("inspect", path, "--json").output)[0]["metadata"]["training"]["settings"]
    assert {"setting": "epochs", "value": 3, "because": "it was given"} in settings
