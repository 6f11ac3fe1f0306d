"""Exit codes: every option of every command with values that it cannot use, and files that are none."""

import gzip
import os

import numpy as np
import pytest
import typer
from commands import run
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

from hashslide import SlideClassifier, data
from hashslide.cli import app

BAD_VALUES = ("", "nonsense", "-1", "nan", "1e999", "FOLDER")


def walk(group, path=()):
    """Yield each command, as words and as the framework's object."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, (*path, name))
        else:
            yield (*path, name), command.make_context(name, [], resilient_parsing=True).command


COMMANDS = dict(walk(typer.main.get_command(app)))
OPTIONS = [
    (words, max(option.opts, key=len))
    for words, command in COMMANDS.items()
    for option in command.params
    if option.param_type_name == "option" and not option.is_flag and option.name != "help"
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a model and data of a few rows."""
    folder = tmp_path_factory.mktemp("tiny")
    X, Y = csr_matrix(np.eye(6)), csr_matrix(np.eye(6))
    for part in ("train", "test"):
        data.save(folder / f"{part}.txt", X, Y)
    SlideClassifier(hidden=4, epochs=1, random_state=0).fit(X, Y).save(folder / "model")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Let relative names of files lead to a folder of the test."""
    monkeypatch.chdir(tmp_path)


def arguments_of(words: tuple[str, ...], tiny) -> list[str]:
    """Return arguments with which a command works, and works briefly."""
    model, source = str(tiny / "model"), str(tiny)
    return {
        ("train",): [source, "-o", "out", "--epochs", "1", "--hidden", "4", "--quiet"],
        ("tune",): [source, "-o", "out", "--trials", "1", "--epochs", "1", "--quiet"],
        ("evaluate",): [model, source],
        ("predict",): [model, str(tiny / "test.txt")],
        ("inspect",): [model],
        ("advise",): [source],
        ("data", "describe"): [source],
        ("data", "convert"): [str(tiny / "train.txt"), "out.npz"],
    }.get(words, [])


def ends_well(words) -> int:
    """Run a command; it ends with one of the codes of the documentation, and says why."""
    result = CliRunner().invoke(app, list(words))
    told = f"{words}: {result.exception!r}\n{result.output}"
    assert result.exception is None or isinstance(result.exception, SystemExit), told
    assert result.exit_code in (0, 1, 2) and "Traceback" not in result.output, told
    if result.exit_code == 1:
        assert result.stderr.splitlines()[-1].startswith("Error: "), told
    if result.exit_code == 2:
        assert "─ Error ─" in result.stderr, told
    return result.exit_code


def test_the_walk_finds_the_commands():
    assert {("train",), ("tune",), ("predict",), ("evaluate",), ("inspect",), ("advise",)} < COMMANDS.keys()
    assert ("train", "--epochs") in [(words[0], option) for words, option in OPTIONS] and len(OPTIONS) > 40


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_wrong_usage_of_every_command(words, tiny):
    fine = arguments_of(words, tiny)
    assert ends_well([*words, *fine, "--nonsense"]) == 2
    assert ends_well([*words, *fine, "one", "argument", "more"]) == 2
    if fine and words != ("predict",):
        assert ends_well(words) == 2
    assert ends_well([*words, "--help"]) == 0


@pytest.mark.parametrize(("words", "option"), OPTIONS, ids=lambda value: str(value).strip("()-', "))
def test_values_that_no_option_can_use(words, option, tiny):
    fine = arguments_of(words, tiny)
    assert ends_well([*words, *fine, option]) == 2, "a value is missing"
    for value in BAD_VALUES:
        ends_well([*words, *fine, option, str(tiny / "empty") if value == "FOLDER" else value])
    if any(
        mark in option
        for mark in ("-k", "epochs", "jobs", "seed", "examples", "seconds", "block", "propensity")
    ):
        assert ends_well([*words, *fine, option, "nonsense"]) in (1, 2)


CONTENTS = {
    "empty": b"",
    "blank": b"\n\n",
    "binary": bytes(range(256)) * 8,
    "text": b"this is no data file\n",
    "page": b"<!DOCTYPE html><html><body>404</body></html>\n",
    "gzip cut": gzip.compress(b"6 6 6\n" + b"0 1:1\n" * 6, mtime=0)[:-9],
    "wide text": "wide\n".encode("utf-16"),
}
SUFFIXES = (".txt", ".txt.gz", ".svm", ".npz", ".parquet", ".csv", ".what", "")


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_files_that_are_no_data(content, tiny, tmp_path):
    for suffix in SUFFIXES:
        path = tmp_path / f"file{suffix}"
        path.write_bytes(content)
        for words in (
            ("data", "describe", path),
            ("evaluate", tiny / "model", path),
            ("train", path, "-o", "m"),
        ):
            if content != b"\n\n":
                assert ends_well(map(str, words)) == 1
        for words in (("predict", tiny / "model", path), ("predict", path, tiny), ("inspect", path)):
            ends_well(map(str, words))
    os.mkdir(tmp_path / "folder.txt")
    assert ends_well(["data", "describe", str(tmp_path / "folder.txt")]) == 1


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize("option", ["--label-names", "--feature-names"])
def test_files_that_are_no_names(content, option, tiny, tmp_path):
    (tmp_path / "names").write_bytes(content)
    fine = ("-o", "m", "--epochs", "1", "--hidden", "4", "--quiet")
    assert ends_well(map(str, ("train", tiny, *fine, option, tmp_path / "names"))) == 1
    assert ends_well(map(str, ("train", tiny, *fine, option, tmp_path))) == 1
    assert ends_well(map(str, ("evaluate", tiny / "model", tiny, option, tmp_path / "names"))) == 1


def test_data_without_labels_or_rows(tiny, tmp_path):
    (tmp_path / "bare.txt").write_text("2 6 6\n 0:1\n 1:1\n")
    (tmp_path / "none.txt").write_text("0 6 6\n")
    assert run("evaluate", tiny / "model", tmp_path / "bare.txt", "--json").exit_code == 0
    assert run("predict", tiny / "model", tmp_path / "none.txt").stdout == ""
    for command in (
        ("evaluate", tiny / "model", tmp_path / "none.txt"),
        ("train", tmp_path / "none.txt", "-o", "m"),
    ):
        assert "there are no examples in it" in run(*command, code=1).stderr
