"""``hashslide tune``."""

import inspect
import os
import re
import shlex
import signal

import numpy as np
import pytest
from commands import json_lines, run, start

from hashslide.cli.commands.train import train
from hashslide.cli.commands.tune import tune
from hashslide.estimator import SlideClassifier
from hashslide.model_file import load_model

# A network that more epochs improve, which are among the first things that are tried.
POOR = ["--hidden", "16", "--learning-rate", "0.003", "--trials", "12"]


@pytest.fixture(scope="module")
def tuned(folder):
    """The model of the folder, and what `tune` printed."""
    path = folder / "tuned.hashslide"
    return path, run("tune", folder, "-o", path, *POOR)


def test_tune_prints_the_trials_and_the_choice(tuned):
    path, result = tuned
    text = result.stdout
    assert "trials: nDCG@5 on 300 held-out examples, the best first" in text
    scores = [float(score) for score in re.findall(r" 100% .*? (0\.\d{4}) ", text)]
    assert len(scores) > 4 and scores == sorted(scores, reverse=True)
    assert "confirmed" in text and re.search(r"gain +\+0\.\d{4} ± 0\.\d{4} nDCG@5", text)
    assert re.search(r"^1 +0\.\d{4}", text, re.MULTILINE)  # the metrics on the test part
    assert "trial 1: as given, score 0." in result.stderr and "is better than what was given" in result.stderr
    assert f"Saved {path}" in result.stderr and "Next:" in result.stderr


def test_the_command_that_it_prints_trains_the_same_model(tuned, tmp_path):
    path, result = tuned
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("hashslide train "))
    words = shlex.split(line)[1:]
    assert words[words.index("--learning-rate") + 1] == "0.003" and "--hidden" in words
    words[words.index("-o") + 1] = str(tmp_path / "again")
    run(*words, "--quiet")
    ours, theirs = load_model(path)[0], load_model(tmp_path / "again")[0]
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_the_model_says_what_tuning_chose(tuned):
    path, _ = tuned
    text = " ".join(run("inspect", path).output.split())
    assert re.search(r"tuning gained \+0\.\d+ ± 0\.\d+ nDCG@5 by it", text)
    loaded = SlideClassifier.load(path)
    assert loaded.get_params()["learning_rate"] == 0.003 and len(loaded.feature_names_in_) == 9157


def test_tune_for_machines(folder, tmp_path):
    output = tmp_path / "m"
    options = ["--trials", "5", "--hidden", "8", "--epochs", "2", "--monitor", "P@1", "--json"]
    options += ["--eval", folder / "test.txt.gz"]
    result = run("tune", folder / "train.txt.gz", "-o", output, *options)
    *trials, done = json_lines(result.stdout)
    assert [line["event"] for line in trials] == ["trial"] * len(trials) and len(trials) <= 5
    assert trials[0]["parameters"] == {} and trials[0]["outcome"] == "first" and trials[0]["gain"] is None
    assert done["event"] == "done" and done["monitor"] == "P@1" and done["rows"] == 300
    assert done["model"] == str(output) and done["bytes"] == output.stat().st_size
    assert f"--validation {folder / 'test.txt.gz'}" in done["command"]
    assert result.stderr == ""


def test_given_settings_and_data_options_are_part_of_the_command(folder, tmp_path):
    options = ["--trials", "1", "--hidden", "8", "--negatives", "negatives(uniform=50)", "--seed", "4"]
    options += ["--format", "xmc", "--lenient", "--epochs", "1", "--json"]
    (_, done) = json_lines(run("tune", folder / "train.txt.gz", "-o", tmp_path / "m", *options).stdout)
    words = shlex.split(done["command"])
    for flag, value in (("--hidden", "8"), ("--negatives", "negatives(uniform=50)"), ("--seed", "4")):
        assert words[words.index(flag) + 1] == value
    assert words[words.index("--format") + 1] == "xmc" and "--lenient" in words
    assert "--batch-size" not in words


def test_settings_have_the_defaults_of_train():
    ours, theirs = inspect.signature(tune).parameters, inspect.signature(train).parameters
    shared = ours.keys() & theirs.keys() - {"context", "source", "output", "reader"}
    assert len(shared) > 25
    assert [ours[name].default for name in shared] == [theirs[name].default for name in shared]
    absent = {
        "validation",
        "early_stopping",
        "validation_fraction",
        "patience",
        "keep_examples",
        "reservoir",
        "checkpoint",
        "checkpoint_every",
        "resume",
        "plot",
        "workers",
        "protocol",
        "engine",
        "shards",
        "timeout",
        "n_fetch",
        "n_push",
        "wire",
        "overlap",
    }
    assert theirs.keys() - ours.keys() == absent


def test_the_help_fits_on_a_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")
    plain = run("tune", "--help").output
    assert len(plain.splitlines()) <= 50 and "--batch-size" not in plain
    assert "--batch-size" in run("tune", "--help-advanced").output


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["--seconds", "0"], r"--seconds is 0.0; accepted is a number in \(0, inf\)", 1),
        (["--seconds", "soon"], "Invalid value for '--seconds'", 2),
        (["--trials", "0"], "Invalid value for '--trials'", 2),
        (["--monitor", "accuracy"], "--monitor is 'accuracy'; accepted are P@k", 1),
        (["--eval", "nowhere.txt"], "nowhere.txt", 1),
    ],
)
def test_values_that_are_not_acceptable(options, message, code, folder, tmp_path):
    output = run("tune", folder, "-o", tmp_path / "m", *options, code=code).output
    assert re.search(message, " ".join(re.sub("[│╭╮╰╯─]", " ", output).split()))
    assert os.listdir(tmp_path) == []


def test_remedies_name_options(tmp_path):
    few = tmp_path / "few.txt"
    few.write_text("6 2 2\n" + "0 0:1\n1 1:1\n" * 3)
    output = " ".join(run("tune", few, "-o", tmp_path / "m", code=1).output.split())
    assert "Give 200 training examples or more, or 40 with --eval, or use train." in output
    assert os.listdir(tmp_path) == ["few.txt"]


def test_interruption_writes_nothing(folder, tmp_path):
    command = ["tune", folder / "train.txt.gz", "-o", tmp_path / "m", "--trials", 1000, "--epochs", 20]
    with start(*command) as child:
        while not child.stderr.readline().startswith("trial 1:"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        _, messages = child.communicate()
    assert child.returncode == 130 and "Traceback" not in messages
    assert f"Interrupted: {tmp_path / 'm'} is not written." in messages
    assert os.listdir(tmp_path) == []
