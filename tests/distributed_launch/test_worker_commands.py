"""``hashslide train --workers``, and the same command as a rank that torchrun has started."""

import signal
import subprocess
import sys

import pytest
from commands import json_lines, run, start
from launch_helpers import checkpoint_after, is_running, process_of

from hashslide.distributed.launching.checkpoints import finished

pytest.importorskip("torch")
SETTINGS = ["--hidden", "8", "--epochs", "3", "--batch-size", "64", "--seed", "7", "--jobs", "1"]
SETTINGS += ["--protocol", "activations"]


def test_two_workers_tell_and_write_what_one_process_does(pack, tmp_path, undisturbed, small_examples):
    from hashslide import data

    data.save(tmp_path / "test.txt", *small_examples)
    options = ["--workers", 2, "--test", tmp_path / "test.txt", "--json"]
    with start("train", pack, "-o", tmp_path / "m", *SETTINGS, *options) as child:
        output, log = child.communicate()
    assert child.returncode == 0, log
    records = json_lines(output)
    assert [record["event"] for record in records] == ["epoch"] * 3 + ["done"]
    assert records[-1]["test"]["P@1"] > 0 and records[-1]["epochs"] == 3
    assert (tmp_path / "m").read_bytes() == undisturbed.read_bytes()


def test_under_torchrun_the_command_is_a_rank(pack, tmp_path, undisturbed):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "hashslide.distributed", "train", pack, "-o", tmp_path / "m", *SETTINGS]
    done = subprocess.run([*map(str, torchrun + command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m").read_bytes() == undisturbed.read_bytes()
    assert done.stderr.count("epoch 3/3") == done.stderr.count("Saved") == 1


def test_ctrl_c_ends_all_workers_and_says_how_to_go_on(pack, tmp_path, temporary, monkeypatch, undisturbed):
    monkeypatch.setenv("TMPDIR", str(temporary))
    states = ["--checkpoint", tmp_path / "states", "--checkpoint-every", "0.05s", "--workers", 2]
    with start("train", pack, "-o", tmp_path / "m", *SETTINGS, "--epochs", 5000, *states) as child:
        checkpoint_after(tmp_path / "states")
        processes = [process_of(0), process_of(1)]
        child.send_signal(signal.SIGINT)
        _, log = child.communicate()
    assert child.returncode == 130, log
    assert "--resume goes on from" in log and "All workers have ended" in log
    assert not any(map(is_running, processes)) and not (tmp_path / "m").exists()
    assert finished(tmp_path / "states")


def test_a_rank_alone_needs_no_torchrun(pack, tmp_path, undisturbed):
    result = run("train", pack, "-o", tmp_path / "m", *SETTINGS, "--quiet", obj=True)
    assert "it trains alone" in result.output
    assert (tmp_path / "m").read_bytes() == undisturbed.read_bytes()
    refused = run("train", pack, "-o", tmp_path / "m", "--workers", 2, obj=True, code=2)
    assert "Leave --workers out" in " ".join(refused.output.replace("│", " ").split())
