"""`hashslide advise`, `inspect --tables` and their plots."""

import json
import sys

import pytest
from commands import run

from hashslide.cli.commands.advise import FAMILIES, SHARES
from hashslide.diagnostics import advice
from hashslide.estimator import SlideClassifier

QUICK = ["--examples", 150, "--seconds", 1000, "--shares", "0.01", "--families", "kmeans", "--hidden", 8]


@pytest.fixture(scope="module")
def hashed(folder, pubmed_small):
    """A model with tables over the output layer, built early."""
    path = folder / "hashed.hashslide"
    model = SlideClassifier(hidden=16, epochs=4, batch_size=20, hash="simhash", random_state=0)
    model.fit(pubmed_small.X_train[:400], pubmed_small.Y_train[:400]).save(path)
    return path


def test_the_options_have_the_defaults_of_the_function():
    assert ",".join(map(str, advice.SHARES)) == SHARES and ",".join(advice.FAMILIES) == FAMILIES


def test_advice_in_words_and_for_machines(folder, tmp_path):
    page = tmp_path / "advice.html"
    report = json.loads(run("advise", folder, *QUICK, "--plot", page, "--json").stdout)
    assert report["facts"]["examples"] == 120
    assert report["runs"][0]["name"] == "default (uniform)"
    assert report["verdict"] and report["reasons"] and report["skipped"] == []
    text = page.read_text(encoding="utf-8")
    assert "data:image/png;base64," in text
    assert "http" not in text
    assert "default (uniform)" in text and "Where the default" in text


def test_advice_as_a_table(folder):
    result = run("advise", folder, *QUICK, "--families", "", "--shares", "", "--seconds", 1)
    assert "findings" in result.stdout and "verdict" in result.stdout
    assert "default (uniform)" in result.stderr  # progress


def test_advice_refuses_at_once(folder, tmp_path):
    assert "accepted are names in .png or .html" in run("advise", folder, "--plot", "a.pdf", code=1).stderr
    gone = tmp_path / "gone" / "a.png"
    assert "there is no folder" in run("advise", folder, "--plot", gone, code=1).stderr
    assert "is not a list of numbers" in run("advise", folder, "--shares", "x", code=2).stderr


def test_plots_name_what_they_need(folder, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("advise", folder, "--plot", tmp_path / "a.png", code=1)
    assert "pip install 'hashslide[plot]'" in result.stderr


def test_tables_of_a_model(hashed, folder, tmp_path):
    picture = tmp_path / "tables.png"
    arguments = ("inspect", hashed, folder, "--tables", "--queries", 30)
    (layer,) = json.loads(run(*arguments, "--plot", picture, "--json").stdout)["layers"]
    assert (layer["layer"], layer["family"], layer["tables"], layer["in_model"]) == (
        "output",
        "simhash",
        50,
        True,
    )
    assert layer["queries"] == 30
    assert layer["recall"][-1]["recall"]["1"] > 0
    assert 0 < layer["active_share"] < 0.1
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = run(*arguments).stdout
    assert "output: simhash" in text and "chance of collision" in text and "true top 1 found" in text


def test_tables_without_data(hashed):
    text = run("inspect", hashed, "--tables").stdout
    assert "buckets by size" in text
    assert "recall" not in text


def test_tables_that_a_model_might_have(model, folder):
    assert "no hash tables" in run("inspect", model, folder, "--tables").stderr
    arguments = ("inspect", model, folder, "--tables", "--hash", "kmeans", "--queries", 20)
    assert "output: kmeans, not the model's own" in run(*arguments).stdout


def test_options_of_tables_alone(model, folder):
    for arguments in ([folder], ["--hash", "kmeans"], ["--queries", 5], ["--plot", "a.png"]):
        assert "goes with --tables only" in run("inspect", model, *arguments, code=1).stderr


@pytest.mark.parametrize("command", ["advise", "inspect"])
def test_help_shows_examples(command):
    assert f"hashslide {command}" in run(command, "--help").stdout.split("Examples")[1]
