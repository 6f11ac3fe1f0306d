"""Signals end a command in good order: nothing unfinished stays, and the exit code says which it was."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import run, start

from hashslide import data
from hashslide.callbacks.checkpoint import checkpoint_files
from hashslide.estimator import SlideClassifier

ENDINGS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def start_training(folder, path, *options):
    """Start to train for very long; return the process once a checkpoint has been saved."""
    child = start("train", folder, "-o", path, "--epochs", "100000", "--hidden", "8", *options)
    deadline = time.monotonic() + 120
    while "--checkpoint" in options and not list(path.parent.glob("states/*")):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    return child


@pytest.mark.parametrize(("number", "code"), ENDINGS.items(), ids=[s.name for s in ENDINGS])
def test_training_ends_in_order(folder, tmp_path, number, code):
    path = tmp_path / "m.hashslide"
    with start_training(
        folder, path, "--checkpoint", tmp_path / "states", "--checkpoint-every", "1 epoch", "--quiet"
    ) as child:
        child.send_signal(number)
        _, errors = child.communicate(timeout=600)
    assert child.returncode == code
    assert "with --resume goes on from" in errors and "Traceback" not in errors
    assert os.listdir(tmp_path) == ["states"]
    assert SlideClassifier.load(checkpoint_files(tmp_path / "states")[0], verify=True).n_iter_ > 0


def test_a_second_signal_ends_at_once_and_leaves_nothing(folder, tmp_path):
    path = tmp_path / "m.hashslide"
    with start_training(
        folder, path, "--checkpoint", tmp_path / "states", "--checkpoint-every", "1 epoch", "--quiet"
    ) as child:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            child.send_signal(number)
        _, errors = child.communicate(timeout=600)
    assert child.returncode in (143, 130, -signal.SIGINT, -signal.SIGTERM) and "Traceback" not in errors
    assert os.listdir(tmp_path) == ["states"]
    for state in checkpoint_files(tmp_path / "states"):
        SlideClassifier.load(state, verify=True)


def test_ignored_signals_stay_ignored(folder, tmp_path):
    """Under nohup, or in the background of a shell without job control."""

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    path = tmp_path / "m.hashslide"
    options = ["-o", path, "--epochs", "3", "--hidden", "8", "--json"]
    with start("train", folder, *options, preexec_fn=ignore) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=600)
    assert child.returncode == 0 and path.exists()


LIMITED = """
import resource, sys
import numpy as np
from hashslide.cli import app
from hashslide.model_file import save_model
save_model(sys.argv[-2], {"a": np.zeros(2**26)}, {})
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
app()
"""


def test_too_little_memory_for_a_model_is_named(tmp_path):
    command = [sys.executable, "-c", LIMITED, "inspect", str(tmp_path / "m"), "--verify"]
    child = subprocess.run(command, capture_output=True, text=True)
    assert child.returncode == 1
    assert f"cannot read {tmp_path / 'm'}: Cannot allocate memory. Close other programs" in child.stderr


def test_too_little_memory_for_data_is_named(monkeypatch, folder):
    def fail(*_, **__):
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr(data, "load_named", fail)
    message = run("data", "describe", folder, code=1).stderr
    assert message.startswith("Error: there is not enough memory. Close other programs")
    assert message.endswith("Unable to allocate 3 TiB\n")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EMFILE, "Close files in this process, or raise its limit of open files"),
        (errno.EACCES, "Change the permissions of the file or its folder"),
        (errno.EIO, "The disk or the connection to it fails"),
        (12345, "See what the operating system says about it"),
    ],
)
def test_errors_of_the_system_have_fitting_remedies(monkeypatch, folder, number, remedy):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number), "some.file")

    monkeypatch.setattr(data, "load_named", fail)
    message = run("data", "describe", folder, code=1).stderr
    assert message.startswith("Error: some.file: ") and remedy in message
