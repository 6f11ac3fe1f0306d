"""``hashslide data pack`` and ``train --checkpoint --resume``: to the file of the undisturbed training."""

import gzip
import json
import shutil

import pytest
from commands import run, start

from hashslide import SlideClassifier, data
from hashslide.callbacks.checkpoint import checkpoint_files

SETTINGS = ["--epochs", "3", "--hidden", "16", "--hash", "simhash(tables=5)", "--seed", "7", "--quiet"]


@pytest.fixture(scope="module")
def packed(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "train.pack"
    run("data", "pack", folder, "-o", path)
    return path


@pytest.mark.parametrize("kind", ["folder", "pack"])
def test_the_model_is_that_of_the_undisturbed_training(folder, packed, tmp_path, kind):
    source = {"folder": folder, "pack": packed}[kind]
    run("train", source, "-o", tmp_path / "whole", *SETTINGS)
    states = ["--checkpoint", tmp_path / "states", "--checkpoint-every", "500 examples", "--resume"]
    run("train", source, "-o", tmp_path / "m", *SETTINGS, *states)
    whole = (tmp_path / "whole").read_bytes()
    assert (tmp_path / "m").read_bytes() == whole
    last, before = checkpoint_files(tmp_path / "states")
    last.unlink()
    assert SlideClassifier.load(before)._position.batch > 0
    run("train", source, "-o", tmp_path / "again", "--jobs", 1, *SETTINGS, *states)
    assert (tmp_path / "again").read_bytes() == whole


def test_what_cannot_be_resumed(folder, tmp_path):
    states = ["--checkpoint", tmp_path / "states", "--checkpoint-every", "1 epoch"]
    run("train", folder, "-o", tmp_path / "m", *SETTINGS, *states)
    other = run("train", folder, "-o", tmp_path / "x", *SETTINGS, *states, "--resume", "--epochs", 4, code=1)
    assert "was trained with --epochs 3" in other.output
    other = run("train", folder, "-o", tmp_path / "x", *SETTINGS, *states, "--resume", "--seed", 8, code=1)
    assert "was not trained with --seed 8" in other.output
    for option in (["--resume"], ["--checkpoint-every", "1min"]):
        lacking = run("train", folder, "-o", tmp_path / "x", *SETTINGS, *option, code=2)
        assert "--checkpoint FOLDER" in " ".join(lacking.output.replace("│", " ").split())
    assert not (tmp_path / "x").exists()


def test_a_pack_of_standard_input_and_of_several_files(folder, tmp_path):
    text = gzip.decompress((folder / "train.txt.gz").read_bytes()).decode()
    command = ("data", "pack", "-", "--format", "xmc", "-o", tmp_path / "piped.pack", "--json")
    with start(*command, stdin=-1) as child:
        facts = json.loads(child.communicate(text)[0])
    X, _ = data.load(folder / "train.txt.gz")
    assert facts["examples"] == X.shape[0] and facts["values"] == X.nnz
    run("data", "pack", folder, folder / "test.txt.gz", "-o", tmp_path / "both.pack")
    n = sum(data.load(folder / f"{part}.txt.gz")[0].shape[0] for part in ("train", "test"))
    assert len(data.Pack.open(tmp_path / "both.pack")) == n
    lost = run("data", "pack", tmp_path / "both.pack", "-o", tmp_path / "both.pack", code=1)
    assert "it would be lost" in lost.output


def test_other_commands_read_packs_too(folder, packed, model, tmp_path):
    facts = json.loads(run("data", "describe", packed, "--json").output)
    assert facts["examples"] == len(data.Pack.open(packed))
    assert json.loads(run("evaluate", model, packed, "--json").output)["P@1"] > 0
    refused = run("tune", packed, "-o", tmp_path / "x", code=1)
    assert "is a pack. Search settings on a part of the data" in refused.output
    shutil.copy(folder / "labels.txt.gz", packed.parent)
    result = run("train", packed, "-o", tmp_path / "m", "--test", folder, "--epochs", 1, "--hidden", 8)
    assert "names of labels: found" in result.output and "P " in result.output
    assert isinstance(SlideClassifier.load(tmp_path / "m").classes_[0], str)
