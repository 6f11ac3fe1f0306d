"""How texts become features, and the commands before training, on the command line."""

import shlex

import pytest
from commands import json_lines, run
from test_cli_texts import COLUMNS, FAST, products, write_tsv

from hashslide import SlideTextClassifier


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_tsv(tmp_path_factory.mktemp("table") / "train.tsv", products(300, 0))


def test_every_setting_of_features_is_an_option(table, tmp_path):
    options = ["--word-ngrams", "1", "--char-ngrams", "2-4", "--min-documents", "3", "--max-terms", "200"]
    run("train", table, "-o", tmp_path / "m", *COLUMNS, *FAST, *options)
    found = SlideTextClassifier.load(tmp_path / "m").features_
    assert (found.words, found.characters, found.min_documents, found.max_terms) == (1, (2, 4), 3, 200)
    assert found.n_features_ <= 200
    hashed = ["--char-ngrams", "none", "--hashed-terms", "512"]
    run("train", table, "-o", tmp_path / "m", *COLUMNS, *FAST, *hashed)
    found = SlideTextClassifier.load(tmp_path / "m").features_
    assert (found.words, found.characters, found.hashed, found.n_features_) == (2, None, 512, 512)
    weighed = [
        "--idf",
        "no",
        "--log-counts",
        "no",
        "--column-weight",
        "title=2",
        "--column-weight",
        "body=.5",
    ]
    run("train", table, "-o", tmp_path / "m", *COLUMNS, *FAST, *weighed)
    found = SlideTextClassifier.load(tmp_path / "m").features_
    assert (found.idf, found.sublinear, found.column_weights) == (False, False, {"title": 2.0, "body": 0.5})


def test_tuning_on_texts_saves_a_model_of_texts_and_tells_the_command(table, tmp_path):
    path, options = tmp_path / "m", ["--trials", "2", "--word-ngrams", "1", "--char-ngrams", "3-3"]
    options += ["--idf", "no", "--column-weight", "title=1.5"]
    line = json_lines(run("tune", table, "-o", path, *COLUMNS, *FAST, *options, "--json").stdout)[-1]
    tuned = SlideTextClassifier.load(path)
    assert (
        tuned.features_.words == 1
        and tuned.predict(
            ["red boots"] if not tuned.features_.columns_ else {"title": ["red boots"], "body": ["boots"]}
        ).shape[0]
        == 1
    )
    words = shlex.split(line["command"])
    assert words[:3] == ["hashslide", "train", str(table)] and words.count("--text") == 2
    words[words.index("-o") + 1] = str(tmp_path / "again")
    run(*words[1:], "-j", "1")
    again = SlideTextClassifier.load(tmp_path / "again").features_
    assert again.get_params() == tuned.features_.get_params()


def test_plan_and_advise_take_texts(table):
    (found,) = json_lines(run("plan", table, *COLUMNS, "--seconds", "0.2", "--epochs", "2", "--json").stdout)
    assert found["data"] == str(table)
    advice = run(
        "advise", table, *COLUMNS, "--seconds", "1", "--families", "", "--hidden", "8", "-j", "1", "--json"
    )
    assert json_lines(advice.stdout)[0]["data"] == str(table)


@pytest.mark.parametrize("command", ["train", "tune", "plan", "advise"])
def test_options_of_texts_go_with_texts_only(command, tmp_path):
    output = ["-o", tmp_path / "m"] if command in ("train", "tune") else []
    shown = run(command, "pubmed-mesh", *output, "--max-terms", "5", code=1)
    assert "--max-terms goes with texts only" in shown.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--char-ngrams", "5-3"], "the longest n-gram of characters is 3"),
        (["--char-ngrams", "many"], "is not a range such as 3-5"),
        (["--min-documents", "few"], "is not a number such as 5"),
        (["--word-ngrams", "0", "--char-ngrams", "none"], "there are no terms"),
        (["--hashed-terms", "0"], "hashed is 0"),
        (["--max-terms", "0"], "--max-terms is 0"),
        (["--idf", "perhaps"], "'perhaps' is neither yes nor no"),
        (["--column-weight", "title"], "is not a column and a number such as title=2"),
        (["--column-weight", "price=2"], "price"),
        (["--column-weight", "title=nan"], "title"),
        (["--column-weight", "title=1", "--column-weight", "title=2"], "--column-weight names title twice"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(table, tmp_path, options, words):
    code = 2 if "is not a" in words or "neither" in words else 1
    shown = run("train", table, "-o", tmp_path / "m", *COLUMNS, *FAST, *options, code=code)
    assert words in " ".join(shown.stderr.replace("│", " ").split())
    assert not (tmp_path / "m").exists()
