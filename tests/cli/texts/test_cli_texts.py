"""Models of texts on the command line: trained from tables, asked by query, table, line and dialogue."""

import json
import os
import pty
import re
import sys

import numpy as np
import pytest
from commands import PROGRAM, json_lines, run

from hashslide import SlideTextClassifier, data, model_file

COLOURS = ["red", "blue", "green"]
KINDS = {
    "shoes": ["running shoes", "boots", "sandals"],
    "drinks": ["wine", "juice"],
    "tools": ["hammer", "saw"],
}
FAST = ["--epochs", "4", "--hidden", "16", "-j", "1"]
COLUMNS = ["--text", "title", "--text", "body", "--labels", "tags", "--separator", ";"]


def products(n: int, seed: int) -> list[tuple[str, str, list[str]]]:
    """Titles, bodies and tags."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        kind = rng.choice(sorted(KINDS))
        thing = rng.choice(KINDS[kind])
        rows.append((f"{rng.choice(COLOURS)} {thing}", f'A "fine" {thing}\tfor you', [kind, thing]))
    return rows


def write_tsv(path, rows):
    def quoted(text):
        return '"' + text.replace('"', '""') + '"'

    lines = [f"{title}\t{quoted(body)}\t{';'.join(tags)}\n" for title, body, tags in rows]
    path.write_text("title\tbody\ttags\n" + "".join(lines))
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with tables of products and a model that was trained from them."""
    folder = tmp_path_factory.mktemp("shop")
    write_tsv(folder / "train.tsv", products(300, 0))
    write_tsv(folder / "test.tsv", products(40, 1))
    options = [*COLUMNS, "--ranker", "yes", "--keep-examples", "2", *FAST]
    run("train", folder / "train.tsv", "-o", folder / "m.hashslide", *options)
    return folder


@pytest.fixture(scope="module")
def model(shop):
    return shop / "m.hashslide"


def answers_of(model, documents, k=2):
    return SlideTextClassifier.load(model).predict_topk(documents, k, probabilities=True)


def test_training_from_a_table_is_training_in_python(shop, model):
    table = data.load_texts(shop / "train.tsv", text=["title", "body"], labels="tags", separator=";")
    assert table.documents["body"][0].startswith('A "fine" ') and table.documents["body"][0].endswith(
        "\tfor you"
    )
    loaded = SlideTextClassifier.load(model)
    own = SlideTextClassifier.load(model).fit(table.documents, table.labels)
    assert own.classes_.tolist() == loaded.classes_.tolist()
    X = loaded.features_.transform(table.documents)
    assert np.array_equal(own.classifier_.decision_function(X), loaded.classifier_.decision_function(X))
    kept = loaded.examples_of(["shoes"])[0]
    assert len(kept) == 2 and all(text in table.documents["title"] for text in kept)


def test_what_train_prints(shop, tmp_path):
    options = [*COLUMNS, *FAST, "--test", shop / "test.tsv", "--validation", shop / "test.tsv"]
    shown = run("train", shop / "train.tsv", "-o", tmp_path / "m", *options)
    assert "train: 300 texts (title, body)" in shown.stderr and "P@1 1" in shown.stderr
    assert f"hashslide ask {tmp_path / 'm'}" in shown.stderr and "coverage" in shown.stdout
    lines = json_lines(run("train", shop / "train.tsv", "-o", tmp_path / "m", *options, "--json").stdout)
    assert [line["event"] for line in lines] == ["epoch"] * 4 + ["done"] and lines[-1]["test"]["P@1"] > 0.9
    run("train", shop / "train.tsv", "-o", tmp_path / "m", *COLUMNS, *FAST, "--validation-fraction", "0.2")
    assert model_file.inspect(tmp_path / "m").metadata["training"]["examples"] == 240


def test_evaluate(shop, model, tmp_path):
    shown = run("evaluate", model, shop / "test.tsv", "--labels", "tags", "--separator", ";", "--json")
    report = json.loads(shown.stdout)
    table = data.load_texts(shop / "test.tsv", text=["title", "body"], labels="tags", separator=";")
    assert report["examples"] == 40
    best = answers_of(model, table.documents, 1)[0][:, 0]
    hits = [label in labels for label, labels in zip(best, table.labels, strict=True)]
    assert report["P@1"] == pytest.approx(np.mean(hits)) and report["P@1"] > 0.9
    other = tmp_path / "other.csv"
    other.write_text("name,text,y\nred saw,,saw|tools\nblue wine,,wine|drinks\ngrey thing,,unheard of\n")
    options = ["--text", "name", "--text", "text", "--labels", "y", "--separator", "|", "--json"]
    report = json.loads(run("evaluate", model, other, *options).stdout)
    assert report["examples"] == 3 and report["P@1"] == pytest.approx(2 / 3)
    alone = json_lines(run("evaluate", model, shop / "test.tsv", "--json").stdout)[0]
    told = run("evaluate", model, shop / "test.tsv", "--labels", "tags", "--separator", ";", "--json").stdout
    assert alone["P@1"] == json_lines(told)[0]["P@1"]  # the model knows where its labels stood
    assert "kind" in run("evaluate", model, shop / "test.tsv", "--labels", "kind", code=1).stderr


def test_predict_answers_a_table_as_python_does(shop, model):
    documents = data.load_texts(shop / "test.tsv", text=["title", "body"]).documents
    labels, scores = answers_of(model, documents)
    lines = json_lines(run("predict", model, shop / "test.tsv", "-k", "2", "--json").stdout)
    assert [line["example"] for line in lines] == list(range(40))
    assert [line["labels"] for line in lines] == labels.tolist()
    assert np.array_equal(np.array([line["scores"] for line in lines], np.float32), scores)


def test_queries_and_lines_are_texts_of_every_column(model, tmp_path):
    texts = ["red shoes", "a wine", "nothing known 靴 👟"]
    labels, scores = answers_of(model, {"title": texts, "body": texts})
    queries = [part for text in texts for part in ("--query", text)]
    by_query = json_lines(run("predict", model, *queries, "-k", "2", "--json").stdout)
    assert [line["labels"] for line in by_query] == labels.tolist()
    assert np.array_equal(np.array([line["scores"] for line in by_query], np.float32), scores)
    lines = "".join(f"{text}\n" for text in texts)
    by_line = run("predict", model, "-k", "2", "--json", "--block", "1", input=lines)
    assert json_lines(by_line.stdout) == by_query
    (tmp_path / "questions.txt").write_text(lines)
    by_file = run("predict", model, tmp_path / "questions.txt", "--lines", "text", "-k", "2", "--json")
    assert json_lines(by_file.stdout) == by_query


def test_why_names_words_of_the_text(model):
    line = json_lines(run("predict", model, "--query", "red boots", "-k", "1", "--why", "--json").stdout)[0]
    assert line["labels"][0] in ("shoes", "boots")
    (words,) = line["words"]
    assert "title: boots" in words and all(value > 0 for value in words.values())
    assert list(words.values()) == sorted(words.values(), reverse=True)
    assert "boots +" in run("predict", model, "--query", "red boots", "-k", "1", "--why").stdout


def test_ask_answers_each_line(model):
    shown = run("ask", model, "-k", "1", "--why", input="red boots\nfine wine\n").stdout.splitlines()
    assert len(shown) == 4 and shown[0].split()[1] in ("shoes", "boots") and "boots +" in shown[1]
    assert shown[2].split()[1] in ("drinks", "wine")
    assert run("ask", model, input="").stdout == ""


def test_ask_in_a_terminal(model):
    """The prompt is there; an empty line ends the dialogue."""
    pid, terminal = pty.fork()
    if pid == 0:  # the child, whose terminal is the other end
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM, "ask", str(model), "-k", "1"])
    shown = b""
    os.write(terminal, b"red boots\n\n")
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    os.close(terminal)
    assert b"Write a text" in shown and b"> " in shown and (b"shoes" in shown or b"boots" in shown)


def test_fasttext(tmp_path):
    rows = products(200, 2)
    for name, some in (("train.ft", rows[:150]), ("test.ft", rows[150:])):
        lines = [f"__label__{tags[0]} {title}\n" for title, _, tags in some]
        (tmp_path / name).write_text("".join(lines))
    run("train", tmp_path / "train.ft", "-o", tmp_path / "m", *FAST)
    report = json.loads(run("evaluate", tmp_path / "m", tmp_path / "test.ft", "--json").stdout)
    assert report["examples"] == 50 and report["P@1"] > 0.9
    (tmp_path / "test.txt").write_text((tmp_path / "test.ft").read_text())
    again = run("evaluate", tmp_path / "m", tmp_path / "test.txt", "--format", "fasttext", "--json")
    assert json.loads(again.stdout)["P@1"] == report["P@1"]


def test_inspect_shows_how_texts_become_features(model):
    shown = run("inspect", model).stdout
    assert "title, body" in shown and "n_documents" in shown and "text.hashes" in shown


WRONG = [
    (
        ["train", "TRAIN", "-o", "OUT", "--text", "titel", "--labels", "tags"],
        "no column 'titel'; there are: title",
    ),
    (["train", "TRAIN", "-o", "OUT", "--text", "title"], "Name it with --labels"),
    (["train", "TRAIN", "-o", "OUT", *COLUMNS, "--label-names", "TRAIN"], "--label-names does not go with"),
    (["train", "TRAIN", "-o", "OUT", *COLUMNS, "--features", "x"], "--features does not go with texts"),
    (["train", "TRAIN", "-o", "OUT", *COLUMNS, "--format", "svmlight"], "--format is 'svmlight'; texts are"),
    (["train", "TRAIN", "-o", "OUT", "--format", "jsonl"], "naming their columns with --text"),
    (["train", "BROKEN", "-o", "OUT", "--text", "a", "--labels", "b"], "line 3: 1 fields.*--lenient"),
    (["predict", "MODEL", "TEST", "--query", "x"], "DATA and --query are both given"),
    (["predict", "MODEL", "--query", "x", "--by-name"], "Leave out --lines and --by-name"),
    (["predict", "MODEL", "TEST", "--text", "title"], "the model reads title, body"),
    (["predict", "PLAIN", "--query", "x"], "takes features. Train a model with --text"),
    (["predict", "PLAIN", "--why"], "--why asks a model of texts"),
    (["evaluate", "PLAIN", "TEST", "--text", "title"], "--text goes with a model of texts"),
    (["ask", "PLAIN"], "no recipe that turns texts into features"),
]


@pytest.mark.parametrize(("command", "message"), WRONG, ids=lambda part: "-".join(part[:1]))
def test_wrong_use_ends_with_a_sentence(shop, model, trained, tmp_path, command, message):
    broken = tmp_path / "broken.csv"
    broken.write_text("a,b\n1,2\n3\n")
    words = {"TRAIN": shop / "train.tsv", "TEST": shop / "test.tsv", "MODEL": model, "PLAIN": trained[0]}
    words |= {"OUT": tmp_path / "out", "BROKEN": broken}
    shown = run(*[words.get(word, word) for word in command], code=1)
    assert re.search(message, shown.stderr), shown.stderr
    assert not (tmp_path / "out").exists()


def test_why_names_words_that_the_model_does_not_know(model):
    shown = run("predict", model, "--query", "red xyzzy", "-k", "1", "--why").stdout
    assert "Words that the model does not know: xyzzy\n" in shown
    shown = run("ask", model, "-k", "1", "--why", input="☃☃ ☃\n").stdout
    assert "The model knows no word of this." in shown and "network" not in shown
    (line,) = json_lines(run("predict", model, "--query", "☃", "-k", "1", "--why", "--json").stdout)
    assert line["unknown"] and line["words"] == [{}]
