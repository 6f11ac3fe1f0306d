"""Labels of any characters on outputs of any encoding; outputs that are closed, full or not listened to."""

import gzip
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import PROGRAM, run
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier, data
from hashslide.cli._console import visible

LABELS = [
    "élan",
    "日本\u2028語",
    "line\nbreak",
    "tab\there",
    "\x1b[31mred\x1b[0m",
    "\u202eturned",
    "[bold]x[/bold]",
]
ESCAPED = [
    "élan",
    "日本\\u2028語",
    "line\\nbreak",
    "tab\\there",
    "\\x1b[31mred\\x1b[0m",
    "\\u202eturned",
    LABELS[-1],
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A folder with a model whose labels have odd names, and data."""
    folder = tmp_path_factory.mktemp("odd")
    X = np.eye(7)
    model = SlideClassifier(hidden=4, epochs=2, random_state=0).fit(X, [[label] for label in LABELS])
    model.save(folder / "m.hashslide")
    data.save(folder / "test.txt", csr_matrix(X), csr_matrix(np.eye(7)))
    data.save_names(folder / "labels.txt", ["élan", *"bcdefg"])
    return folder


MANY = """
import json, sys
from hashslide.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["hashslide", *arguments]
    try:
        main()
    except SystemExit as end:
        print(f"\\n== {end.code}", flush=True)
"""


def in_encoding(encoding: str, *commands) -> tuple[list[tuple[str, int]], str]:
    """Run commands with outputs of an encoding; return each output with its exit code, and all messages."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    environment = os.environ | {"PYTHONIOENCODING": encoding, "TERM": "dumb"}
    result = subprocess.run(
        [sys.executable, "-c", MANY, words], env=environment, capture_output=True, check=False
    )
    codec = encoding.split(":")[0]
    assert b"Traceback" not in result.stderr and result.returncode == 0, result.stderr
    parts = re.split(r"\n== (\d+)\n", result.stdout.decode(codec))
    return list(zip(parts[::2], map(int, parts[1::2]), strict=False)), result.stderr.decode(codec)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252:strict", "utf-8"])
def test_labels_are_escaped_where_the_encoding_lacks_them(odd, encoding):
    command = ("predict", odd / "m.hashslide", odd / "test.txt", "-k", 7)
    ((plain, plain_code), (as_json, json_code)), messages = in_encoding(
        encoding, command, (*command, "--json")
    )
    assert (plain_code, json_code, messages) == (0, 0, "")
    codec = encoding.split(":")[0]
    found = set(re.findall(r"^ +[\d.]+  (.*)$", plain, re.MULTILINE))
    assert found == {label.encode(codec, "backslashreplace").decode(codec) for label in ESCAPED}
    lines = [json.loads(line) for line in as_json.splitlines()]
    assert len(lines) == 7 and all(sorted(line["labels"]) == sorted(LABELS) for line in lines)


def test_everything_else_can_be_printed_in_ascii(odd, tmp_path):
    data.convert(odd / "test.txt", tmp_path / "train.txt")
    data.save_names(tmp_path / "labels.txt", ["élan", *"bcdefg"])
    commands = [
        "--help",
        "train --help",
        "info",
        "data list",
        "inspect MODEL",
        "evaluate MODEL DATA",
        "tràin",
    ]
    commands += ["predict NONÉ", f"train {tmp_path} -o {tmp_path}/é.hs --epochs 1 --hidden 4"]
    names = {"MODEL": odd / "m.hashslide", "DATA": odd / "test.txt"}
    split = [[names.get(word, word) for word in command.split()] for command in commands]
    results, messages = in_encoding("ascii:strict", *split)
    assert [code for _, code in results] == [0] * 6 + [2, 1, 0]
    assert "NON\\xc9" in messages and "\\xe9.hs" in messages


def test_what_cannot_be_seen_is_escaped():
    assert list(map(visible, LABELS)) == ESCAPED
    assert visible("a\x00\x7f\x9b\r\ud800\ufeff") == "a\\x00\\x7f\\x9b\\r\\ud800\\ufeff"
    assert visible("Žluťoučký kůň 🐎👩‍🚀 a\u00a0b\u3000c") == "Žluťoučký kůň 🐎👩‍🚀 a\u00a0b\u3000c"


def test_odd_names_in_tables_and_messages_stay_on_one_line(odd, tmp_path):
    os.mkdir(tmp_path / "a\nb\x1b[31m")
    message = run("data", "describe", tmp_path / "a\nb\x1b[31m", code=1).stderr
    assert "a\\nb\\x1b[31m has no train.txt.gz" in message and len(message.splitlines()) == 1
    message = run("predict", tmp_path / "none\n", odd / "test.txt", code=1).stderr
    assert len(message.splitlines()) == 1
    assert "\x1b" not in run("inspect", odd / "m.hashslide").output


def test_k_beyond_the_labels_is_said(odd):
    result = run("predict", odd / "m.hashslide", odd / "test.txt", "-k", 50)
    assert "Note: the model has 7 labels, so that -k 50 prints all of them." in result.stderr
    assert result.stdout.count("  ") >= 49
    assert run("predict", odd / "m.hashslide", odd / "test.txt", "-k", 10**20).stdout == result.stdout
    assert run("predict", odd / "m.hashslide", odd / "test.txt", "-k", 7).stderr == ""
    result = run("evaluate", odd / "m.hashslide", odd / "test.txt", "-k", "1,50", "--json")
    assert "Note: the model has 7 labels; places beyond them count as wrong." in result.stderr
    assert json.loads(result.stdout)["R@50"] <= 1


@pytest.mark.parametrize("arguments", [("predict", "-k", "7"), ("data", "list")])
def test_a_reader_that_has_seen_enough_is_no_error(odd, arguments):
    command, *options = arguments
    files = [odd / "m.hashslide", odd / "test.txt"] if command == "predict" else []
    words = [sys.executable, "-c", PROGRAM, command, *map(str, files), *options]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(words, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate()[1].replace(b"Use the name wherever", b"")[:9] in (b"", b" a comman")
    assert process.returncode == 1


@pytest.mark.parametrize("arguments", [("predict",), ("evaluate", "--json")])
def test_a_full_device_is_an_error_of_one_sentence(odd, arguments):
    command, *options = arguments
    files = [odd / "m.hashslide"] + ([odd / "test.txt"] if command != "inspect" else [])
    words = [sys.executable, "-c", PROGRAM, command, *map(str, files), *options]
    with open("/dev/full", "w") as full:
        result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ") and "Exception ignored" not in result.stderr


def test_a_full_log_ends_no_training(odd, tmp_path):
    words = ["train", odd / "test.txt", "-o", tmp_path / "m.hashslide", "--epochs", 1, "--hidden", 8]
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], stderr=full, check=False)
    assert done.returncode == 0 and SlideClassifier.load(tmp_path / "m.hashslide").n_iter_ == 1


def test_brackets_in_a_help_are_shown():
    assert "pip install 'hashslide[arrow]'" in run("data", "convert", "--help").output


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), (">&- 2>&-", 0)])
def test_closed_outputs_are_no_error(odd, closed, code):
    words = f'"{sys.executable}" -c "{PROGRAM}" predict "{odd}/m.hashslide" "{odd}/test.txt" {closed}'
    result = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (code, "")


def test_a_closed_input_is_said(odd):
    words = f'"{sys.executable}" -c "{PROGRAM}" predict "{odd}/m.hashslide" <&-'
    result = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr[:32]) == (1, "Error: standard input is closed.")


def test_damaged_lines_are_said(odd, tmp_path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"0:1\n" * 9999)[:-20])
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"0:1\n" * 9999, mtime=0)[:20] + b"\xff" * 99)
    for name in ("cut.gz", "bad.gz"):
        message = run("predict", odd / "m.hashslide", tmp_path / name, "--lines", "xmc", code=1).stderr
        assert f"{name}: the compressed data is damaged" in message
    (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbf0:1\n")
    assert run("predict", odd / "m.hashslide", tmp_path / "marked.txt", "--lines", "xmc").exit_code == 0
