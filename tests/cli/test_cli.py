"""The command as a whole: help, inspect, info, data, errors, exit codes."""

import json
import os
import re
import shlex
import subprocess

import numpy as np
import pytest
from commands import SMALL, all_commands, run, start

from hashslide import build_info, data
from hashslide.model_file import save_model


@pytest.mark.parametrize(
    "command",
    ["train", "evaluate", "predict", "inspect", "info", "data list", "data describe", "data convert"],
)
def test_help_teaches_by_examples(command):
    text = run(*command.split(), "--help").stdout
    assert "Examples" in text
    assert f"hashslide {command}" in text.split("Examples")[1]


def test_help_of_the_whole():
    assert run("--help").stdout == run("-h").stdout
    assert "Exit codes: 0 done" in run("--help").stdout
    for command in ("train", "evaluate", "predict", "inspect", "info", "data"):
        assert re.search(rf"│ {command} +\w+", run("--help").stdout)


def test_version():
    assert run("--version").stdout.strip() == build_info()["version"]


def test_info():
    facts = json.loads(run("info", "--json").stdout)
    assert facts["isa"] == build_info()["isa"]
    assert re.search(rf"isa +{facts['isa']}", run("info").stdout)


def test_inspect(model):
    facts = json.loads(run("inspect", model, "--json").stdout)
    assert facts["metadata"]["network"]["hidden"][0]["Layer"]["width"] == 32
    tensors = {tensor["name"]: tensor for tensor in facts["tensors"]}
    assert tensors["network.output.weight"]["shape"] == [3654, 32]
    dtype = tensors["network.output.weight"]["dtype"]
    bytes_each, size = {"float32": (4, "467.7 kB"), "bfloat16": (2, "233.9 kB")}[dtype]
    assert tensors["network.output.weight"]["bytes"] == 3654 * 32 * bytes_each
    text = run("inspect", model).stdout
    assert re.search(r"n_labels +3,654", text)
    assert re.search(rf"network\.output\.weight +{dtype} +\(3654, 32\) +{size}", text)
    assert re.search(r"^ +3 +\d", text.split("\nhistory\n")[1], re.MULTILINE)


def test_inspect_tells_of_candidates(folder, tmp_path):
    run("train", folder, "-o", tmp_path / "m", *SMALL, "--approximate", "yes", "-q")
    text = run("inspect", tmp_path / "m").stdout.split("\napproximate\n")[1]
    assert re.search(r"^ *uses_candidates +(yes|no) *$", text, re.MULTILINE)
    assert re.search(r"^ *relative_cost +[\d.]+ *$", text, re.MULTILINE)


def test_inspect_verifies(model, tmp_path):
    assert "all tensors match their checksums" in run("inspect", model, "--verify").stdout
    assert json.loads(run("inspect", model, "--verify", "--json").stdout)["verified"]
    damaged = bytearray(model.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "m").write_bytes(damaged)
    run("inspect", tmp_path / "m")
    assert re.search(
        "tensor '.*' has the checksum", run("inspect", tmp_path / "m", "--verify", code=1).stderr
    )


def test_inspect_prints_any_name_as_it_is(tmp_path):
    metadata = {"[/a]": {"[red]": "[b]x"}, "[/c]": [{"[/d]": "[/e]"}]}
    save_model(tmp_path / "m", {"[/f]": np.zeros(1)}, metadata)
    text = run("inspect", tmp_path / "m").stdout
    assert all(part in text for part in ("[/a]", "[red]", "[b]x", "[/c]", "[/d]", "[/e]", "[/f]"))


def test_data_list():
    sets = json.loads(run("data", "list", "--json").stdout)
    assert {
        "name": "pubmed-mesh",
        "part": "test",
        "examples": 3040,
        "features": 28_551,
        "labels": 11_336,
    } in [{key: value for key, value in entry.items() if key != "file"} for entry in sets]
    assert re.search(r"pubmed-mesh +train +27,268 +28,551 +11,336", run("data", "list").stdout)


@pytest.mark.parametrize("suffix", [".svmlight", ".libsvm.gz", ".xmc", ".feather"])
def test_a_folder_may_hold_any_format(folder, suffix, tmp_path):
    data.convert(folder / "test.txt.gz", tmp_path / f"test{suffix}")
    facts = json.loads(run("data", "describe", tmp_path, "--part", "test", "--json").stdout)
    path = tmp_path / f"test{suffix}"
    assert facts == {"file": str(path)} | data.describe(*data.load(path))


def test_data_describe(folder):
    facts = json.loads(run("data", "describe", folder, "--part", "test", "--json").stdout)
    assert facts == {"file": str(folder / "test.txt.gz")} | data.describe(*data.load(folder / "test.txt.gz"))
    assert re.search(r"examples +1,500", run("data", "describe", folder).stdout)


def test_data_convert(folder, tmp_path):
    source = folder / "test.txt.gz"
    expected = data.load(source)
    facts = json.loads(run("data", "convert", source, tmp_path / "a.npz", "--json").stdout)
    assert facts["examples"] == 300 and facts["bytes"] == (tmp_path / "a.npz").stat().st_size
    message = run("data", "convert", tmp_path / "a.npz", tmp_path / "a.txt.gz").stderr
    assert "300 examples, 9,157 features, 3,654 labels" in message
    for found, wanted in zip(data.load(tmp_path / "a.txt.gz"), expected, strict=True):
        assert (found != wanted).nnz == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train NONE -o OUT", "there is no file or folder NONE, and the built-in data sets are pubmed-mesh"),
        ("train EMPTY -o OUT", "the folder EMPTY has no train.txt.gz"),
        ("train FOLDER -o EMPTY", "cannot write EMPTY: it is a folder"),
        ("train FOLDER -o NONE/m", "there is no folder NONE. Create it first"),
        ("train FOLDER -o OUT --epochs 0", "--epochs is 0; accepted are auto and an integer from 1"),
        ("train FOLDER -o OUT --epochs lots", "epochs is 'lots'; accepted are"),
        ("train FOLDER -o OUT --learning-rate fast", "--learning-rate is 'fast'; accepted are"),
        (
            "train FOLDER -o OUT --schedule linear(warmup=1)",
            "schedule=Linear(warmup=1): warmup is 1; accepted",
        ),
        ("train FOLDER -o OUT --validation-fraction 2", "fraction is 2.0; accepted is a number in (0, 1)"),
        ("train FOLDER -o OUT --label-names FOLDER/features.txt.gz", "9157 names for 3654 ids"),
        ("train FOLDER -o OUT --feature-names NONE", "NONE: No such file or directory. Check the name"),
        ("train FOLDER/m.hashslide -o OUT", "unknown suffix. Known are .txt"),
        ("evaluate NONE FOLDER", "cannot read NONE: No such file or directory"),
        (
            "evaluate FOLDER/train.txt.gz FOLDER",
            "It looks like a gzip file. Give a model that hashslide saved",
        ),
        ("evaluate MODEL NONE", "there is no file or folder NONE"),
        ("evaluate MODEL WIDE", "has 30,000 features but the model 9,157"),
        ("evaluate MODEL FOLDER --propensity-a -1", "a is -1.0; accepted is a number in (0, inf)"),
        ("predict MODEL WIDE", "has 30,000 features but the model 9,157"),
        ("predict MODEL NONE --by-name", "NONE: No such file or directory"),
        ("inspect FOLDER", "is not a usable model file: it is a folder"),
        ("data describe NONE", "there is no file or folder NONE"),
        ("data convert FOLDER/test.txt.gz OUT.what", "unknown suffix"),
        ("data convert FOLDER/test.txt.gz NONE/out.npz", "there is no folder NONE. Create it first"),
    ],
)
def test_errors_are_one_sentence_and_change_nothing(folder, model, tmp_path, command, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "wide.txt").write_text("1 30000 3654\n0 29999:1\n")
    names = {"FOLDER": folder, "MODEL": model, "EMPTY": tmp_path / "empty", "WIDE": tmp_path / "wide.txt"}
    names |= {"NONE": tmp_path / "none", "OUT": tmp_path / "out"}

    def fill(text: str) -> str:
        return re.sub("|".join(names), lambda match: str(names[match[0]]), text)

    before = sorted(os.listdir(tmp_path))
    result = run(*shlex.split(fill(command)), code=1)
    assert fill(message) in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert result.stdout == ""
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train FOLDER", "Missing option '--output'"),
        ("train FOLDER -o OUT --jobs 0", "Invalid value for '--jobs'"),
        ("train FOLDER -o OUT --validation FOLDER --validation-fraction 0.1", "not both"),
        ("evaluate MODEL FOLDER -k 0", "'0' is not a list of positive numbers such as 1,3,5"),
        ("evaluate MODEL FOLDER -k 1,x", "'1,x' is not a list of positive numbers"),
        ("predict MODEL -k 0", "Invalid value for '-k'"),
        ("nonsense", "No such command 'nonsense'"),
        ("data describe FOLDER --part all", "Invalid value for '--part'"),
    ],
)
def test_wrong_usage_exits_with_2(folder, model, tmp_path, command, message):
    names = {"FOLDER": folder, "MODEL": model, "OUT": tmp_path / "out"}
    arguments = re.sub("|".join(names), lambda match: str(names[match[0]]), command)
    output = run(*shlex.split(arguments), code=2).output
    assert message in re.sub(r"[\s│]+", " ", output)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", [["info"], ["predict", "m.hashslide", "-"]], ids=" ".join)
def test_an_instruction_set_that_is_not_there_is_a_sentence(model, monkeypatch, command):
    monkeypatch.setenv("HASHSLIDE_ISA", "avx1024")
    process = start(*command, cwd=model.parent, stdin=subprocess.PIPE)
    output, error = process.communicate("0:1\n", timeout=600)
    assert (process.returncode, output) == (1, "")
    assert error.startswith("Error: HASHSLIDE_ISA is 'avx1024'") and error.count("\n") == 1


@pytest.mark.parametrize("name", all_commands())
def test_lists_of_commands_say_what_the_commands_say(name):
    shown, command = all_commands()[name]
    assert command.name == shown.name == name.split()[-1]
    assert command.help.split("\n\n")[0].replace("\n", " ") == shown.help
