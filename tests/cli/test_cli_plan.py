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


MACHINES = ["--hidden", 16, "--seconds", 0.1, "--machines", 8]


def test_plan_of_many_machines(folder):
    result = run("plan", folder, *MACHINES, "--labels", "1e6", "--network", "1Gbit", "--delay", "1ms")
    for word in ("8 machines like this one", "125.0 MB/s, delay 1 ms", "activations", "rows", "downpour"):
        assert word in result.stdout
    assert "--protocol auto takes" in result.stdout and "1,000,000" in result.stdout
    assert max(map(len, result.stdout.split("\nsteps of all")[1].split("\n\n")[0].splitlines())) <= 80


def test_plan_of_many_machines_for_machines(folder):
    options = ["--batch-size", 64, "--json", "--total-labels", "1e8"]
    found = json.loads(run("plan", folder, *MACHINES, *options).stdout)
    together = found["together"]
    names = [p["protocol"] for p in together["protocols"]]
    assert names == ["one machine", "activations", "rows", "downpour"]
    assert {p["batch"] for p in together["protocols"]} == {64}
    assert together["memory"]["model"] == pytest.approx(found["memory"]["model"] / 8, rel=1e-6)
    assert "together" not in json.loads(run("plan", folder, *MACHINES[:4], "--json").stdout)


def test_labels_name_the_column_of_a_table(tmp_path):
    rows = [f"{'a' if i % 2 else 'b'} c,{i % 3}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["words,7", *rows]))
    columns = ["--features", "words", "--separator", " ", "--labels", 7, "--values", "none"]
    found = json.loads(run("plan", tmp_path / "t.csv", *columns, "--seconds", 0.1, "--json").stdout)
    assert found["shape"]["n_labels"] == 3


def test_what_no_machines_are(folder):
    both = ["--labels", "1e6", "--total-labels", "1e6"]
    assert "both say how many" in run("plan", folder, *MACHINES, *both, code=1).stderr
    assert "such as 10Gbit" in run("plan", folder, *MACHINES, "--network", "fast", code=1).stderr
    assert "such as 1ms" in run("plan", folder, *MACHINES, "--delay", "soon", code=1).stderr
    assert "hidden" in run("plan", folder, "--machines", 8, "--hidden", "16, 16", code=1).stderr
    assert "--machines" in run("plan", folder, "--machines", 2000, "--hidden", 16, code=1).stderr
