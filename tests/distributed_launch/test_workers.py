"""Several processes on this machine: the same bytes for any number, and what happens when one is lost."""

import signal

import pytest
from launch_helpers import checkpoint_after, is_running, job_of, signal_after

from hashslide.errors import WorkerError
from hashslide.distributed.launching.starter import start

pytest.importorskip("torch")
LONG = {"settings": {"epochs": 3000}}  # nobody waits for its end


def checkpoints(tmp_path, every="150 examples", **options):
    return {"checkpoint": tmp_path / "states", "checkpoint_every": every, **options}


def test_four_workers_make_the_file_of_one(pack, tmp_path, undisturbed):
    job = job_of(pack, tmp_path / "m.hashslide", optimizer_state=False)
    history = start(job, 4, n_jobs=1)
    assert job.output.read_bytes() == undisturbed.read_bytes()
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert all(record["seconds"] > 0 and record["memory_bytes"] > 0 for record in history)


def test_a_killed_worker_is_named_and_all_end(pack, tmp_path, temporary):
    job = job_of(pack, tmp_path / "m.hashslide", **LONG, **checkpoints(tmp_path))
    with (
        signal_after(tmp_path / "states", 1, signal.SIGKILL) as seen,
        pytest.raises(WorkerError, match=r"rank 1 on \S+ \(process \d+\) was killed by SIGKILL"),
    ):
        start(job, 2, n_jobs=1)
    assert not any(is_running(process) for process in seen["processes"])
    assert not job.output.exists() and not list(temporary.iterdir())


def test_a_stopped_worker_is_named_and_killed(pack, tmp_path, temporary):
    job = job_of(pack, tmp_path / "m.hashslide", timeout=2.0, **LONG, **checkpoints(tmp_path))
    with (
        signal_after(tmp_path / "states", 0, signal.SIGSTOP) as seen,
        pytest.raises(WorkerError, match=r"rank 0 on .* does? not answer|rank 0 on .* did not answer for 2 s"),
    ):
        start(job, 2, n_jobs=1)
    assert not any(is_running(process) for process in seen["processes"])
    assert not job.output.exists()


def test_restarts_in_the_middle_of_an_epoch_reach_the_undisturbed_bits(pack, tmp_path, temporary, undisturbed):
    """From four workers to two, and to one."""
    states, step = tmp_path / "states", ""
    for workers in (4, 2):
        job = job_of(
            pack, tmp_path / "m.hashslide", **checkpoints(tmp_path, "50 examples", resume=bool(step))
        )
        with signal_after(states, 1, signal.SIGKILL, step), pytest.raises(WorkerError, match="rank 1"):
            start(job, workers, n_jobs=1)
        step = checkpoint_after(states, step)
    assert not job.output.exists()
    start(job_of(pack, job.output, **checkpoints(tmp_path, resume=True)), 1, n_jobs=1)
    assert job.output.read_bytes() == undisturbed.read_bytes()
