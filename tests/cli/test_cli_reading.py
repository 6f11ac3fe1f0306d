"""How commands read data: formats, columns, names, unknown features, remedies that name options."""

import inspect
import json
import os
import re
import subprocess

import numpy as np
import pytest
from commands import SMALL, run, start
from hash_helpers import Signs
from typer.testing import CliRunner

from hashslide import SlideClassifier, data
from hashslide._interface import command_line, setting, wording
from hashslide.cli import app
from hashslide.cli._lazy import import_command
from hashslide.cli.inputs.reader import DataFormat, Reader
from hashslide.data.formats import FORMATS
from hashslide.data.texts.reading import TEXT_FORMATS
from hashslide.settings import CustomHash, Layer, Top

READING = ["advise", "evaluate", "inspect", "predict", "train", "describe", "convert"]
FAST = ["--epochs", "1", "--hidden", "8", "-q"]
ROWS = [(i % 3, i % 5) for i in range(60)]  # label, feature


def parameters(name: str) -> list:
    module = "data" if name in ("describe", "convert") else name
    return import_command(f"hashslide.cli.commands.{module}:{name}", name).params


@pytest.mark.parametrize("name", READING)
def test_every_command_that_reads_data_has_every_option_of_a_reader(name):
    options = {p.name: max(p.opts, key=len) for p in parameters(name)}
    for field in Reader._fields:
        assert options[field] == f"--{field.replace('_', '-')}"


def test_every_format_is_a_choice():
    names = [form.name for form in (*FORMATS, *TEXT_FORMATS)]
    assert list(dict.fromkeys(names)) == [form.value for form in DataFormat]


def test_messages_name_what_the_interface_has():
    assert setting("zero_based", True) == "zero_based=True" and setting("values", None) == "values=None"
    assert wording("call it", "give it") == "call it"
    with command_line({"zero_based": "--zero-based", "values": "--values", "format": "--format"}):
        assert setting("zero_based", True) == "--zero-based" and setting("values", None) == "--values none"
        assert setting("format", "csv") == "--format csv" and setting("other", 3) == "other=3"
        assert wording("call it", "give it") == "give it"
    assert setting("zero_based") == "zero_based"


def test_messages_of_the_readers_name_only_settings_that_exist():
    """Every name handed to `setting` is an argument of a public function, and an option of the commands."""
    folder = os.path.dirname(data.__file__)
    sources = [
        os.path.join(root, f) for root, _, files in os.walk(folder) for f in files if f.endswith(".py")
    ]
    named = set()
    for path in sources:
        with open(path, encoding="utf-8") as file:
            named |= set(re.findall(r"\bsetting\(f?[\"']([a-z_{}.]+)[\"']", file.read()))
    named = {name for name in named if "{" not in name} | {"feature_names", "label_names"}
    assert {"zero_based", "lenient", "labels_file", "format", "separator"} <= named
    arguments = {a for name in data.__all__ for a in _arguments(getattr(data, name))}
    options = {p.name for p in parameters("evaluate")}
    assert named <= arguments and named <= options


def _arguments(function) -> list[str]:
    return list(inspect.signature(function).parameters) if inspect.isfunction(function) else []


# What only a program can write, or only Python knows.
OF_PYTHON = re.compile(
    r"\b(True|False|None|eval_set|build_approximate|learn_candidates)\b|[Pp]ass |\ban array\b|"
    r"\b[a-z]+_[a-z_]+ (is|holds|was|lacks)\b|\b(optimizer_state|early_stopping|approximate|hash|sampler)="
)
WRONG = """
    hidden 0 | hidden none | hidden dense(4,length=-1) | hash foo | hash 3 | hash dwta --sampler uniform
    sampler foo | sampler top | learning-rate -1 | batch-size 0 | epochs none | epochs yes | loss foo
    optimizer foo | optimizer sgd(momentum=3) | schedule foo | input-dropout 1 | active foo | update foo
    negatives foo | ranker maybe | both-ways maybe | example-power -1 | label-weight foo
    approximate maybe | validation-fraction 2 | checkpoint STATES --checkpoint-every 5x
"""
FAILING = [
    *(f"train DATA -o MODEL --zero-based --{option.strip()}" for option in re.split(r"[|\n]", WRONG.strip())),
    "predict TRAINED DATA --zero-based --approximate yes",
    "evaluate TRAINED DATA --zero-based --approximate yes",
    "evaluate TRAINED DATA --zero-based --propensity-a 0",
    "evaluate TRAINED DATA --zero-based --propensity-b -1",
    "evaluate TRAINED DATA --zero-based --exclude input",
    "train DATA -o MODEL --zero-based --seed 99999999999999999999",
    "inspect TRAINED --tables --hash foo",
    "predict OWN DATA --zero-based",
    "advise DATA --zero-based --families foo",
    "advise DATA --zero-based --shares 7",
    "advise DATA --zero-based",
]


@pytest.fixture(scope="module")
def of_messages(tmp_path_factory):
    """Files by the words that stand for them above."""
    folder = tmp_path_factory.mktemp("messages")
    (folder / "data.svm").write_text("".join(f"{label} {feature}:1\n" for label, feature in ROWS))
    run("train", folder / "data.svm", "-o", folder / "trained", "--zero-based", *FAST, "--approximate", "no")
    hidden = Layer(8, "relu", sampler=Top(budget=3), hash=CustomHash(Signs()))
    own = SlideClassifier(hidden, epochs=1, random_state=0).fit(np.eye(4), range(4))
    own.save(folder / "own")
    return {"DATA": "data.svm", "MODEL": "m", "TRAINED": "trained", "OWN": "own"}, folder


@pytest.mark.parametrize("command", FAILING)
def test_messages_name_nothing_that_only_python_has(command, of_messages):
    names, folder = of_messages
    words = [str(folder / names[word]) if word in names else word for word in command.split()]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1, result.output
    message = result.stderr[result.stderr.index("Error: ") :].replace(str(folder), "")
    found = OF_PYTHON.search(message)
    assert found is None or " in Python" in message, message


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def svm(write):
    """A svmlight file whose feature ids start at 0."""
    return write("train.svm", "".join(f"{label} {feature}:1\n" for label, feature in ROWS))


@pytest.mark.parametrize("words", ["train none.txt", "train some.txt --test none.txt", "evaluate m none.txt"])
def test_data_without_examples_are_refused_before_the_training(write, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    write("none.txt", "0 5 4\n")
    write("some.txt", "2 5 4\n0 0:1\n1 1:1\n")
    run("train", "some.txt", "-o", "m", *SMALL)
    output = ["-o", "new", *SMALL] if words.startswith("train") else []
    message = run(*words.split(), *output, code=1).stderr
    assert "Error: none.txt: there are no examples in it. Give a file with one at least." in message
    assert not (tmp_path / "new").exists()


def test_a_zero_based_file(svm, tmp_path, write):
    refused = run("data", "describe", svm, code=1)
    assert "give --zero-based if ids start at 0" in refused.stderr and "zero_based=" not in refused.stderr
    facts = json.loads(run("data", "describe", svm, "--zero-based", "--json").stdout)
    assert facts["features"] == 5 and facts["labels"] == 3
    model = tmp_path / "m.hashslide"
    run("train", svm, "-o", model, "--zero-based", *FAST)
    assert SlideClassifier.load(model).n_features_in_ == 5
    run("evaluate", model, svm, "--zero-based")
    run("predict", model, svm, "--zero-based", "-k", "1")
    run(
        "data", "convert", svm, tmp_path / "train.txt", "--zero-based", "--n-features", "9", "--n-labels", "4"
    )
    assert (tmp_path / "train.txt").read_text().startswith("60 9 4\n")


def test_labels_of_one_title_stay_apart_and_features_may_not_be_confused(svm, write, tmp_path):
    """Published sets have several labels of the same title."""
    model = tmp_path / "m.hashslide"
    write("Y.txt", "boots\nboots\nshoes\n")
    told = run("train", svm, "-o", model, "--zero-based", *FAST[:4]).stderr
    assert "Y.txt: 2 of 3 names stand for several ids; each got its id behind it, as in 'boots [0]'" in told
    assert SlideClassifier.load(model).classes_.tolist() == ["boots [0]", "boots [1]", "shoes"]
    report = json.loads(run("evaluate", model, svm, "--zero-based", "--json").stdout)
    assert report["R@3"] == 1  # matched by name, label by label
    names = write("words.txt", "a\nb\na\nc\nd\n")
    told = run("train", svm, "-o", model, "--zero-based", "--feature-names", names, *FAST, code=1).stderr
    assert "line 3: 'a' also stands in line 1. Remedy: give every id a name of its own." in told


def test_unknown_features_are_left_out_on_request(svm, tmp_path, write):
    model = tmp_path / "m.hashslide"
    wider = write("wide.svm", "0 0:1 7:2 9:1\n1 1:1\n2 8:1\n")
    run("train", svm, "-o", model, "--zero-based", *FAST)
    for command in (["evaluate"], ["predict"]):
        refused = run(*command, model, wider, "--zero-based", code=1)
        assert "has 10 features but the model 5" in refused.stderr and "--drop-unknown" in refused.stderr
        done = run(*command, model, wider, "--zero-based", "--drop-unknown")
        assert "5 features more than are known; 3 values in 2 rows are left out" in done.stderr
    run("train", svm, "--test", wider, "-o", model, "--zero-based", "--drop-unknown", *FAST)
    assert SlideClassifier.load(model).n_features_in_ == 5
    run("train", svm, "--test", wider, "-o", model, "--zero-based", *FAST)
    assert SlideClassifier.load(model).n_features_in_ == 10
    lines = "7:1 1:1\n1:1\n"
    run("train", svm, "-o", model, "--zero-based", *FAST)
    refused = run("predict", model, input=lines, code=1)
    assert (
        "feature id 7 is unknown" in refused.stderr and "--drop-unknown leaves others out" in refused.stderr
    )
    done = run("predict", model, "--drop-unknown", "--json", input=lines)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["scores"] == second["scores"] and "1 id is unknown" in done.stderr


def test_a_table_of_numbers_and_names(write, tmp_path):
    train = write(
        "train.csv", "a,b,kind\n" + "".join(f"{i % 3},{(i + 1) % 3},kind {i % 3}\n" for i in range(60))
    )
    test = write("test.csv", "b;c;a;kind\n1;5;0;kind 0\n0;5;2;kind 9\n")
    columns = ["--features", "a,b", "--labels", "kind"]
    model = tmp_path / "m.hashslide"
    run("train", train, "-o", model, "--epochs", "20", "--hidden", "8", "-q", *columns)
    loaded = SlideClassifier.load(model)
    assert loaded.feature_names_in_.tolist() == ["a", "b"]
    assert loaded.classes_.tolist() == ["kind 0", "kind 1", "kind 2"]
    done = run(
        "evaluate",
        model,
        test,
        "--features",
        "*",
        "--labels",
        "kind",
        "--delimiter",
        ";",
        "--json",
        "-k",
        "1",
    )
    assert json.loads(done.stdout)["P@1"] == 0.5  # kind 9 is unknown and counts as missed
    assert "1 of 3 features" in done.stderr
    line = run("predict", model, test, *columns, "--delimiter", ";", "-k", "1", "--json").stdout.splitlines()[
        0
    ]
    assert json.loads(line)["labels"] == ["kind 0"]
    refused = run("predict", model, train, code=1)
    assert "no column 'features'; there are: a, b, kind" in refused.stderr
    assert "--features '*'" not in refused.stderr and "--features *: each other column" in refused.stderr


def test_a_table_with_lists_of_names(write, tmp_path):
    table = "labels,features\n" + "".join(f"l{label};x,f{feature};g\n" for label, feature in ROWS)
    train, model = write("train.csv", table), tmp_path / "m.hashslide"
    test = write("test.csv", table.replace("f4", "unheard").replace("l2", "l7"))
    run(
        *("train", train, "--test", test, "-o", model, *FAST),
        *("--separator", ";", "--values", "none"),
    )
    loaded = SlideClassifier.load(model)
    assert set(loaded.feature_names_in_) == {"g", "f0", "f1", "f2", "f3", "f4"}
    assert set(loaded.classes_) == {"x", "l0", "l1", "l2", "l7"}
    wrong = run(
        "evaluate", model, test, "--separator", ";", "--values", "none", "--label-names", train, code=1
    )
    assert "names its labels: there are no ids to name. Leave out --label-names" in wrong.stderr


def test_names_and_ids_do_not_mix(write, svm, tmp_path):
    train = write("train.csv", "labels,features\na,x\nb,y\n")
    test = write("other.txt", "1 2 2\n0 0:1\n")
    done = run("train", train, "--test", test, "-o", tmp_path / "m", "--values", "none", *FAST, code=1)
    assert "test.txt" not in done.stderr and "no option --values" in done.stderr
    done = run(
        "train",
        test,
        "--test",
        write("t.csv", "features,values,labels\nx,1,a\n"),
        "-o",
        tmp_path / "m",
        *FAST,
        code=1,
    )
    assert "the features of the test data have names, those of the train data have ids" in done.stderr


def test_published_sets(tmp_path, pubmed_small):
    d = pubmed_small
    data.save(tmp_path / "trn_X_Xf.txt", d.X_train[:200], d.Y_train[:200])
    data.save(tmp_path / "tst_X_Xf.txt", d.X_test[:40], d.Y_test[:40])
    data.save_names(tmp_path / "Y.txt", d.label_names)
    data.save_names(tmp_path / "Xf.txt", d.feature_names)
    model = tmp_path / "m.hashslide"
    run("train", tmp_path, "-o", model, *FAST)
    loaded = SlideClassifier.load(model)
    assert loaded.classes_.tolist() == d.label_names.tolist() and hasattr(loaded, "feature_names_in_")
    counts = json.loads(run("data", "describe", tmp_path, "--part", "test", "--json").stdout)
    assert counts["examples"] == 40 and counts["labels"] == d.Y_test.shape[1]
    run("data", "convert", tmp_path, tmp_path / "all.npz")
    X, Y = data.load(tmp_path / "all.npz")
    assert (d.X_train[:200] != X).nnz == 0 and (d.Y_train[:200] != Y).nnz == 0

    best = loaded.predict_topk(d.X_test[:40], 1)[0].ravel()
    lookup = {name: i for i, name in enumerate(d.label_names)}
    pairs = "".join(f"{row} {lookup[name]}\n" for row, name in enumerate(best))
    (tmp_path / "filter_labels_test.txt").write_text(pairs)
    whole = run("evaluate", model, tmp_path, "--json")
    assert "--exclude" in whole.stderr
    left = run("evaluate", model, tmp_path, "--json", "--exclude", tmp_path / "filter_labels_test.txt")
    second = loaded.predict_topk(d.X_test[:40], 2)[0][:, 1]
    truth = [set(d.label_names[d.Y_test[i].indices]) for i in range(40)]
    hits = np.mean([name in truth[i] for i, name in enumerate(second)])
    assert json.loads(left.stdout)["P@1"] == pytest.approx(hits)
    assert json.loads(whole.stdout)["P@1"] != pytest.approx(hits)


def test_data_from_a_pipe(svm):
    process = start(
        "data",
        "describe",
        "/dev/stdin",
        "--format",
        "svmlight",
        "--zero-based",
        "--json",
        stdin=subprocess.PIPE,
    )
    out, err = process.communicate(svm.read_text())
    assert process.returncode == 0, err
    assert json.loads(out)["examples"] == 60


@pytest.mark.parametrize("encode", ["utf-8-sig", "utf-16", "utf-32"])
def test_lines_in_other_encodings(model, tmp_path, encode, pubmed_small):
    words = " ".join(n for n in pubmed_small.feature_names[pubmed_small.X_test[0].indices[:5]] if n.isalpha())
    path = tmp_path / "lines.txt"
    expected = run("predict", model, "--by-name", "--json", input=f"{words}\n{words}\n").stdout
    path.write_bytes(f"{words}\r\n{words}".encode(encode))
    assert run("predict", model, path, "--by-name", "--json").stdout == expected
    path.write_bytes(f"{words}\r{words}\r".encode())
    assert run("predict", model, path, "--by-name", "--json").stdout == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"1:1\n\xff:1\n", "line 2: '\N{REPLACEMENT CHARACTER}:1' is not a feature id:value"),
        ("٣:1\n".encode(), "is not a feature id:value"),
        (b"1:1_0\n", "is not a feature id:value"),
        (b"1:0x10\n", "is not a feature id:value"),
        (b"1:1\0\n", "is not a feature id:value"),
        (b"<!DOCTYPE html>\n", "a web page"),
    ],
)
def test_lines_that_are_no_data(model, line, message):
    assert message in run("predict", model, input=line, code=1).stderr
