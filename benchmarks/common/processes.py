"""Measurements in processes of their own, and on which machine they ran."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
# An OpenMP thread that spins takes the core that its partner waits for as soon as anything else runs:
# PyTorch's small steps then take more than ten times as long.
WAIT_POLICY = {"OMP_WAIT_POLICY": "PASSIVE"}


def run_job(
    python: str,
    module: str,
    job: dict[str, Any],
    path: Path,
    threads: int,
    output: IO[bytes] | None = None,
    limit: float | None = None,
) -> int:
    """Let another Python run a module on a job, which is handed over in a file; return the exit status.

    Parameters
    ----------
    python
        The interpreter.
    module
        A module of this package whose command takes the file's path, such as "rivals.one_run".
    job
        What JSON can hold.
    path
        Where the file is written; the module writes its results beside it.
    threads
        How many threads the module's libraries may use.
    output
        Takes what the module prints; None: this process's own streams.
    limit
        After how many seconds the module is ended, which raises ``subprocess.TimeoutExpired``; None: never.
    """
    path.write_text(json.dumps(job))
    package = __package__.partition(".")[0]
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)) | WAIT_POLICY
    command = [python, "-m", f"{package}.{module}", str(path)]
    done = subprocess.run(command, stdout=output, stderr=output, env=environment, timeout=limit, check=False)
    return done.returncode


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a module's function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def wall_seconds(function: Callable[[], object], repeats: int) -> list[float]:
    """Return the wall time of each of `repeats` calls, after one unmeasured call."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return times


def peak_mb() -> float:
    """Return the largest resident size that this process has had so far, in MB (10^6 bytes)."""
    # On Linux ru_maxrss survives exec, so that a child starts with its parent's peak; VmHWM does not.
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {"cpu": cpu_model(), "cpus": os.cpu_count(), "os": platform.platform()}


def cpu_model() -> str:
    """Return the processor's name as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
