"""No command destroys what it reads."""

import os
import shutil
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from commands import SMALL, all_commands, run

from hashslide import data
from hashslide.cli._outputs import OUTPUTS, Command
from hashslide.errors import InputError

READ = {
    "model",
    "label_names",
    "labels_file",
    "feature_names",
    "exclude",
    "token_file",
    "names_file",
}  # the other parameters that are paths


@pytest.fixture
def files(folder, tmp_path):
    """A copy of the folder of data, with other names for its files."""
    for path in folder.glob("*.gz"):
        shutil.copy(path, tmp_path)
    (tmp_path / "soft").symlink_to("train.txt.gz")
    os.link(tmp_path / "train.txt.gz", tmp_path / "hard")
    return tmp_path


COMMANDS = [
    "train train.txt.gz -o train.txt.gz",
    "train train.txt.gz -o ./train.txt.gz",
    "train train.txt.gz -o soft",
    "train train.txt.gz -o hard",
    "train . -o train.txt.gz",
    "train . -o test.txt.gz",
    "train . -o labels.txt.gz",
    "train train.txt.gz -o features.txt.gz",
    "train train.txt.gz --test test.txt.gz -o test.txt.gz",
    "train train.txt.gz --validation test.txt.gz -o test.txt.gz",
    "train train.txt.gz --label-names names -o names",
    "tune . -o test.txt.gz",
    "tune train.txt.gz --eval test.txt.gz -o test.txt.gz",
    "data convert train.txt.gz train.txt.gz",
    "data convert train.txt.gz linked.npz",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_an_input_is_refused(files, monkeypatch, command):
    monkeypatch.chdir(files)
    shutil.copy("labels.txt.gz", "names")
    os.link("train.txt.gz", "linked.npz")
    before = {path: path.read_bytes() for path in files.iterdir()}
    message = run(*command.split(), code=1).stderr
    assert message.startswith("Error: ") and "reads: it would be lost. Give another name." in message
    assert {path: path.read_bytes() for path in files.iterdir()} == before


def test_plots_too(files, monkeypatch, model):
    monkeypatch.chdir(files)
    shutil.copy(model, "m.png")
    shutil.copy("train.txt.gz", "d.png")
    for command in ("inspect m.png . --tables --hash kmeans --plot m.png", "advise d.png --plot d.png"):
        assert "it would be lost" in run(*command.split(), code=1).stderr


def test_the_built_in_set_is_protected():
    path = data.builtin_path("pubmed-mesh") / "train.txt.gz"
    before = path.stat()
    assert "it would be lost" in run("train", "pubmed-mesh", "-o", path, code=1).stderr
    assert path.stat().st_ino == before.st_ino and path.stat().st_mtime == before.st_mtime


def test_outputs_beside_the_data_are_fine(files, monkeypatch):
    monkeypatch.chdir(files)
    run("train", ".", "-o", "m.hashslide", *SMALL)
    run("train", ".", "-o", "m.hashslide", *SMALL)  # over an old model
    run("data", "convert", "train.txt.gz", "train.npz")


def test_the_library_refuses_it_too(files):
    with pytest.raises(InputError, match="are one file, which would be lost"):
        data.convert(files / "train.txt.gz", files / "train.txt.gz")


def test_every_parameter_that_is_a_path_is_known_to_be_read_or_written():
    """Whoever adds an option for a file decides which: outputs are checked by their names."""

    found = [command for _, command in all_commands().values()]
    assert len(found) >= 9
    for command in found:
        assert isinstance(command, Command), f"{command.name} is not checked"
        for name, hint in get_type_hints(command.callback).items():
            if Path in (hint, *get_args(hint)):
                assert name in {*OUTPUTS, *READ, "checkpoint"}, f"{command.name}: {name}"
