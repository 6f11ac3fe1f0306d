"""Training with several processes here: torchrun is started, watched, and explained when it fails."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hashslide._core import available_cpus
from hashslide.distributed.launching.job import Job, check_workers
from hashslide.distributed.launching.preparing import check_job
from hashslide.distributed.launching.torchrun.failures import explain, remedy, signal_name
from hashslide.distributed.launching.torchrun.notes import JOB, AgentNote, EndNote, StartNote, read_notes
from hashslide.errors import InputError, WorkerError
from hashslide.network import effective_threads

__all__ = ["start"]


def __dir__() -> list[str]:
    return __all__


_PERIOD = 0.1  # seconds between two looks
_GRACE = 1.5  # seconds for processes to end by themselves


def start(job: Job, workers: int, n_jobs: int | None = None) -> list[dict[str, Any]]:
    """Train with some processes on this machine; return the records of the epochs.

    Parameters
    ----------
    job : Job
    workers : int
        Processes; they divide the number of shards.
    n_jobs : int, optional
        Threads of each process; by default the CPUs are divided among them.

    Raises
    ------
    InputError
        The job is not acceptable, or torch is missing; nothing has been started.
    WorkerError
        A process has died, or does not answer in time. All others have ended.
    HashslideError
        What has ended the training in one of the processes.
    KeyboardInterrupt
        From Ctrl-C; all processes have ended.
    """
    check_workers(workers, job.shards)
    if find_spec("torch") is None:
        raise InputError(
            "training on several workers needs torch, which is missing. "
            'Run: pip install "hashslide[distributed]"'
        )
    threads = max(1, available_cpus() // workers) if n_jobs is None else effective_threads(n_jobs)
    check_job(job)
    with tempfile.TemporaryDirectory(prefix="hashslide-ranks-") as name:
        folder = Path(name)
        job.save(folder / JOB)
        agent = _start_agent(workers, folder, threads)
        try:
            stopped = _wait(agent, folder)
            code = agent.poll()
        finally:
            _end(agent, folder)
        ends = read_notes(folder, EndNote)
        if code is not None and code < 0:
            raise WorkerError(f"torchrun was ended by {signal_name(-code)}. {remedy(job)}")
        if code or len(ends) < workers or any(end.kind != "done" for end in ends):
            raise explain(workers, read_notes(folder, StartNote), ends, _exit_codes(folder), stopped, job)
        return [dict(record) for record in ends[0].history]


def _start_agent(workers: int, folder: Path, threads: int) -> "subprocess.Popen[bytes]":
    """Start torchrun in a session of its own, so that Ctrl-C reaches this process alone."""
    program = [
        sys.executable,
        "-m",
        "hashslide.distributed.launching.torchrun.agent",
        str(workers),
        str(folder),
    ]
    own = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # where this process finds its modules
    own |= {"OMP_NUM_THREADS": str(threads), "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "2"}
    quiet = {"TORCH_CPP_LOG_LEVEL": "FATAL"}  # we explain what has failed
    local = {"GLOO_SOCKET_IFNAME": "lo"}  # all ranks are here
    environment = local | os.environ | own | quiet
    return subprocess.Popen(program, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)


def _wait(agent: "subprocess.Popen[bytes]", folder: Path) -> set[int]:
    """Wait until torchrun has ended; return the ranks that had to be killed.

    When a rank has failed, those that still do not end are stopped or stuck.
    """
    deadline = float("inf")
    while agent.poll() is None:
        time.sleep(_PERIOD)
        if deadline == float("inf") and any(note.kind != "done" for note in read_notes(folder, EndNote)):
            deadline = time.monotonic() + _GRACE
        if time.monotonic() > deadline:
            alive = {note.rank for note in read_notes(folder, StartNote) if _is_alive(note.pid)}
            ended = {note.rank for note in read_notes(folder, EndNote)}
            _kill(folder)
            return alive - ended
    return set()


def _is_alive(pid: int) -> bool:
    """Tell whether a process is there, and no mere entry that its parent has yet to read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end(agent: "subprocess.Popen[bytes]", folder: Path) -> None:
    """End what still runs: torchrun ends its ranks, and those that do not obey are killed."""
    if agent.poll() is None:
        agent.terminate()
        with suppress(subprocess.TimeoutExpired):
            agent.wait(_GRACE)
    if agent.returncode != 0:
        _kill(folder)  # also those whose torchrun has died
    agent.kill()
    agent.wait()


def _kill(folder: Path) -> None:
    for note in read_notes(folder, StartNote):
        with suppress(ProcessLookupError):
            os.kill(note.pid, signal.SIGKILL)


def _exit_codes(folder: Path) -> dict[int, int]:
    notes: list[AgentNote] = read_notes(folder, AgentNote)
    return {int(rank): code for note in notes for rank, code in note.exit_codes.items()}
