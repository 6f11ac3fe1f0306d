"""What the shell completes: the generated script runs in bash, which asks the real command."""

import os
import shutil
import subprocess
import sys

import pytest
import typer
from commands import PROGRAM, all_commands

from hashslide.cli import app

# The first argument is the generated script, the others are the words before the cursor.
SCRIPT = """
eval "$1"; shift
COMP_WORDS=(hashslide "$@") COMP_CWORD=$#
_hashslide_completion hashslide
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A function from the words before the cursor to what bash offers, in a folder with two files."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    folder = tmp_path_factory.mktemp("shell")
    command = folder / "hashslide"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{PROGRAM}" "$@"\n')
    command.chmod(0o755)
    (folder / "pubs").mkdir()
    (folder / "pub.txt").touch()

    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=True
        )
        return done.stdout

    script = run("bash", "-c", "hashslide --show-completion; true")
    assert "-o default" in script  # bash completes file names where the command offers nothing
    return lambda *words: run("bash", "-c", SCRIPT, "bash", script, *words).split()


def test_commands(complete):
    assert complete("") == [name for name in typer.main.get_command(app).commands]
    assert complete("tr") == ["train"]
    assert complete("data", "") == ["list", "describe", "convert", "pack"]


def test_options_and_their_values(complete):
    assert {"--epochs", "--output", "-o", "--json", "--help"} <= set(complete("train", "-"))
    assert complete("train", "x", "--optimizer", "a") == ["adagrad", "adam"]
    assert complete("data", "describe", "--part", "te") == ["test"]


def test_data_are_built_in_sets_and_files(complete):
    assert complete("data", "describe", "pub") == ["pubmed-mesh", "pub.txt", "pubs/"]
    assert complete("data", "convert", "pubm") == ["pubmed-mesh"]
    assert complete("data", "describe", "pubs") == []  # the shell's own completion of file names


@pytest.mark.parametrize(
    ("command", "parameter"),
    [
        ("train", "source"),
        ("train", "test"),
        ("train", "validation"),
        ("tune", "source"),
        ("tune", "evaluation"),
        ("predict", "source"),
        ("evaluate", "source"),
        ("advise", "source"),
    ],
)
def test_every_command_offers_data(command, parameter):
    _, real = all_commands()[command]
    (found,) = (p for p in real.params if p.name == parameter)
    assert [item.value for item in found.shell_complete(None, "pubm")] == ["pubmed-mesh"]


def test_models_are_files(complete):
    assert complete("inspect", "pub") == []
