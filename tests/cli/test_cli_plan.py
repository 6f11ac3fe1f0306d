"""``hashslide plan``."""

import json

import pytest
from commands import run


def test_plan_prints_time_memory_and_disk(folder):
    text = run("plan", folder, "--hidden", 16, "--seconds", 0.1).stdout
    for word in ("examples", "labels", "time", "memory", "file", "predicting 1,000 examples"):
        assert word in text


def test_plan_for_machines(folder):
    whole = ["--total-examples", "5e7", "--total-labels", "10_000_000"]
    result = run("plan", folder, "--hidden", 16, "--seconds", 0.1, "--json", *whole)
    found = json.loads(result.stdout)
    assert found["shape"]["n_examples"] == 50_000_000 and found["shape"]["n_labels"] == 10_000_000
    assert found["training_bytes"] == sum(found["memory"].values()) > 10**9
    assert found["training_seconds"] == pytest.approx(sum(found["seconds"].values()))
    assert found["loading_seconds"] > 0


def test_a_training_that_does_not_fit_is_named(folder):
    result = run("plan", folder, "--hidden", 16, "--seconds", 0.1, "--total-examples", "1e12")
    assert "too little for this training" in result.stderr
    assert " h " in result.stdout


@pytest.mark.parametrize("number", ["x", "inf", "nan", "0", "1.5", "-3", "1e30"])
def test_what_is_no_number(folder, number):
    assert "is not a number such as" in run("plan", folder, "--total-labels", number, code=2).stderr


def test_fewer_than_there_are(folder):
    assert "--total-labels is 3; accepted" in run("plan", folder, "--total-labels", 3, code=1).stderr
