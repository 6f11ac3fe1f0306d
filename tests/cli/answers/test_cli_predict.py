"""``hashslide predict``, from files, lines and names."""

import signal
import subprocess

import numpy as np
import pytest
from commands import SMALL, json_lines, run, start

from hashslide import data


def test_predict_a_file(model, classifier, folder):
    names, scores = classifier.predict_topk(data.load(folder / "test.txt.gz")[0], 3, probabilities=True)
    lines = json_lines(run("predict", model, folder, "-k", 3, "--json").stdout)
    assert [line["example"] for line in lines] == list(range(300))
    assert [line["labels"] for line in lines] == names.tolist()
    np.testing.assert_allclose([line["scores"] for line in lines], scores, rtol=1e-6)
    text = run("predict", model, folder / "test.txt.gz", "-k", 3).stdout.splitlines()
    assert text[:2] == ["example 0", f"    {scores[0, 0]:.4f}  {names[0, 0]}"]
    assert len(text) == 300 * 4


def test_predict_logits(model, classifier, folder):
    scores = classifier.predict_topk(data.load(folder / "test.txt.gz")[0], 2)[1]
    lines = json_lines(run("predict", model, folder, "-k", 2, "--json", "--logits").stdout)
    np.testing.assert_allclose([line["scores"] for line in lines], scores, rtol=1e-6)


@pytest.mark.parametrize("form", ["xmc", "svmlight"])
def test_predict_lines_of_standard_input(model, folder, tmp_path, form):
    X, Y = data.load(folder / "test.txt.gz")
    path = tmp_path / {"xmc": "test.txt", "svmlight": "test.svm"}[form]
    data.save(path, X, Y)
    expected = run("predict", model, folder, "--json").stdout
    assert run("predict", model, "--lines", form, "--json", input=path.read_text()).stdout == expected
    assert run("predict", model, path, "--lines", form, "--json", "--block", 7).stdout == expected


def test_predict_lines_without_labels_in_any_order(model):
    expected = json_lines(run("predict", model, "--json", input=" 3:1 17:0.5\n").stdout)
    for line in ("17:0.5 3:1", "4,9 3:1 17:0.5", "3:0.25 17:0.5 3:0.75"):
        assert json_lines(run("predict", model, "--json", input=line).stdout) == expected


def test_predict_by_name(model, folder):
    names = data.load_names(folder / "features.txt.gz")
    at = [names.tolist().index(name) for name in ("insulin", "rats")]
    ids = f"{at[0]}:{0.5**0.5} {at[1]}:{0.5**0.5}"
    expected = json_lines(run("predict", model, "--json", input=ids).stdout)
    for line in ("insulin rats", "rats\tinsulin\n", "rats:2 insulin:2", "rats insulin nosuchword"):
        answer = json_lines(run("predict", model, "--by-name", "--json", input=line).stdout.splitlines()[0])
        assert answer[0]["labels"] == expected[0]["labels"]
        np.testing.assert_allclose(answer[0]["scores"], expected[0]["scores"], rtol=1e-5)
    plain = json_lines(
        run("predict", model, "--by-name", "--no-normalize", "--json", input="insulin rats").stdout
    )
    scaled = json_lines(run("predict", model, "--normalize", "--json", input=f"{at[0]}:1 {at[1]}:1").stdout)
    assert plain != expected
    np.testing.assert_allclose(scaled[0]["scores"], expected[0]["scores"], rtol=1e-5)


def test_predict_by_name_says_what_is_unknown(model, tmp_path):
    (tmp_path / "questions.txt").write_text("insulin nosuchword neitherthis\n", encoding="utf-8")
    result = run("predict", model, tmp_path / "questions.txt", "--by-name")
    assert "Warning: 2 names are unknown to the model and left out." in result.stderr


def test_predict_survives_bytes_that_are_no_text(model, tmp_path):
    (tmp_path / "q").write_bytes(b"insulin \xff\xfe\n")
    result = run("predict", model, tmp_path / "q", "--by-name")
    assert result.stdout.startswith("example 0\n") and "1 name is unknown" in result.stderr


def test_an_empty_line_gets_the_labels_that_are_likely_beforehand(model, folder):
    counts = np.asarray(data.load(folder / "train.txt.gz")[1].sum(axis=0)).ravel()
    most_frequent = data.load_names(folder / "labels.txt.gz")[counts.argmax()]
    lines = json_lines(run("predict", model, "--json", "-k", 1, input="\n\n").stdout)
    assert [line["labels"] for line in lines] == [[most_frequent]] * 2
    assert run("predict", model, input="").stdout == ""


def test_predict_answers_at_once_in_a_dialogue(model):
    with start("predict", model, "--by-name", "--block", 1, "-k", 1, stdin=subprocess.PIPE) as child:
        for number in range(2):
            child.stdin.write("insulin\n")
            child.stdin.flush()
            assert child.stdout.readline() == f"example {number}\n"
            assert child.stdout.readline().strip()
        child.communicate()
    assert child.returncode == 0


def test_predict_ends_quietly_when_its_reader_does(model, folder):
    with start("predict", model, folder, "-k", 2000) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""


def test_interruption_of_other_commands(model):
    with start("predict", model, "--by-name", "--block", 1, stdin=subprocess.PIPE) as child:
        child.stdin.write("insulin\n")
        child.stdin.flush()
        assert child.stdout.readline() == "example 0\n"
        child.send_signal(signal.SIGINT)
        child.wait()
        assert child.stderr.read() == "Interrupted.\n"
    assert child.returncode == 130


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "3:1\nfoo 4:1\n",
            "-, line 2: 'foo' is not a feature id:value. Write features as 7:0.25, or ask in names",
        ),
        ("3:x", "line 1: '3:x' is not a feature"),
        ("3:nan", "line 1: '3:nan' is not a feature"),
        ("3:1e39", "line 1: '3:1e39' is not a feature"),
        ("-3:1", "line 1: '-3:1' is not a feature"),
        ("9157:1", "line 1: feature id 9157 is unknown. The model knows 0 to 9156"),
        ("1 9157 3654\n99999:1", "line 2: feature id 99999 is unknown"),
    ],
)
def test_lines_that_are_no_examples(model, lines, message):
    assert message in run("predict", model, input=lines, code=1).stderr


def test_svmlight_lines_count_from_1(model):
    result = run("predict", model, "--lines", "svmlight", input="0:1", code=1)
    assert "feature id 0 is unknown. The model knows 1 to 9157" in result.stderr


def test_a_model_without_feature_names_cannot_be_asked_by_name(folder, tmp_path):
    (tmp_path / "train.txt.gz").symlink_to(folder / "train.txt.gz")
    run("train", tmp_path, "-o", tmp_path / "m", *SMALL, "-q")
    assert "the model has no feature names" in run("predict", tmp_path / "m", "--by-name", code=1).stderr
