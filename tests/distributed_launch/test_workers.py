"""Several processes on this machine: what happens when one is lost, and how the others go on."""

import signal

import pytest
from launch_helpers import checkpoint_after, is_running, job_of, signal_after

from hashslide.distributed.launching.torchrun.starter import start
from hashslide.errors import WorkerError

pytest.importorskip("torch")
LONG = {"settings": {"epochs": 3000}}  # nobody waits for its end


def checkpoints(tmp_path, every="150 examples", **options):
    return {"checkpoint": tmp_path / "states", "checkpoint_every": every, **options}


def test_a_stopped_worker_is_named_and_killed(pack, tmp_path, temporary):
    job = job_of(pack, tmp_path / "m.hashslide", timeout=2.0, **LONG, **checkpoints(tmp_path))
    with (
        signal_after(tmp_path / "states", 0, signal.SIGSTOP) as seen,
        pytest.raises(WorkerError, match=r"rank 0 on .* (does not answer|did not answer for 2 s)"),
    ):
        start(job, 2, n_jobs=1)
    assert not any(is_running(process) for process in seen["processes"])
    assert not job.output.exists()


def test_killed_trainings_reach_the_undisturbed_bits(pack, tmp_path, temporary, undisturbed):
    """Killed in the middle of epochs, they go on with two workers instead of four, and with one."""
    states, output, step = tmp_path / "states", tmp_path / "m.hashslide", ""
    message = r"rank 1 on \S+ \(process \d+\) was killed by SIGKILL"
    for workers in (4, 2):
        job = job_of(pack, output, **checkpoints(tmp_path, "50 examples", resume=bool(step)))
        with signal_after(states, 1, signal.SIGKILL, step) as seen, pytest.raises(WorkerError, match=message):
            start(job, workers, n_jobs=1)
        step = checkpoint_after(states, step)
        assert not any(is_running(process) for process in seen["processes"])
        assert not output.exists() and not list(temporary.iterdir())
    history = start(job_of(pack, output, **checkpoints(tmp_path, resume=True)), 1, n_jobs=1)
    assert output.read_bytes() == undisturbed.read_bytes()
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert all(record["seconds"] > 0 and record["memory_bytes"] > 0 for record in history)
