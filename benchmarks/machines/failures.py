"""What happens when a worker is killed, when it stops, and when its network falls silent?

    python -m benchmarks.machines.failures pubmed-mesh --restarts 20

Trainings of several workers are disturbed in their middle. The table says how long it took until every
process of the training was gone, and what the command said last. `--restarts` trainings are killed twice at
random moments; half of them begin with 4 workers and go on with 2. All have to end with the bits of the
undisturbed training. The silent network needs root; where hosts cannot be made, that is said.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

from ..common.harness import say, table
from .commands import below, digest, is_alive, ranks_below, started, train
from .hosts import DEVICE, Hosts, address, missing
from .steps import pack_of

PORT = 29_533


def when_ranks_train(training: subprocess.Popen[str], workers: int, into: float) -> dict[int, int]:
    """Return the processes of the ranks, some seconds after they have begun."""
    while training.poll() is None:
        ranks = ranks_below(training.pid, workers)
        if ranks:
            time.sleep(into)
            return ranks
        time.sleep(0.05)
    raise RuntimeError(f"the training ended by itself: {training.communicate()[1][-2000:]}")


def wait_for_an_epoch(training: subprocess.Popen[str]) -> None:
    """Return when rank 0 has told of the first epoch."""
    for line in training.stdout or ():
        if '"epoch"' in line:
            return
    raise RuntimeError(f"the training ended by itself: {training.communicate()[1][-2000:]}")


def disturbed(
    pack: Path, folder: Path, workers: int, timeout: float, number: signal.Signals
) -> tuple[float, str]:
    """Send a signal to the last rank; return after how long all was over, and what the command said."""
    options = ["--workers", workers, "--epochs", 1000, "--timeout", timeout, "--protocol", "activations"]
    training = started(pack, folder / "m", *options)
    wait_for_an_epoch(training)
    ranks = ranks_below(training.pid, workers)
    everybody = below(training.pid)
    begun = time.monotonic()
    os.kill(ranks[workers - 1], number)
    said = training.communicate()[1]
    while any(is_alive(process) for process in everybody):
        time.sleep(0.02)
    return time.monotonic() - begun, said.strip().splitlines()[-1]


def silent(pack: Path, folder: Path, workers: int, timeout: float) -> tuple[float, str]:
    """Let the last of some hosts fall silent; return when the others were gone, and what was said."""
    with Hosts(workers, 1.25e8, 1e-4) as hosts:
        processes = []
        for rank in range(workers):
            command = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={workers}"]
            command += [f"--node-rank={rank}", "--nproc-per-node=1", f"--master-addr={address(0)}"]
            command += [f"--master-port={PORT}", "-m", "hashslide.distributed", "train", str(pack)]
            command += ["-o", str(folder / "m"), "--epochs", "1000", "--timeout", str(timeout), "--json"]
            environment = os.environ | {"GLOO_SOCKET_IFNAME": DEVICE, "OMP_NUM_THREADS": "1"}
            processes.append(
                subprocess.Popen(
                    hosts.command(rank, command),
                    env=environment,
                    stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
        try:
            wait_for_an_epoch(processes[0])
            begun = time.monotonic()
            hosts.silence(workers - 1)
            said = processes[0].communicate(timeout=timeout + 60)[1]
            for process in processes[1:-1]:
                process.wait(timeout + 60)
            seconds = time.monotonic() - begun
        finally:
            for process in processes:
                for pid in [*below(process.pid), process.pid]:
                    if is_alive(pid):
                        os.kill(pid, signal.SIGKILL)
                process.wait()
    lines = [line for line in said.splitlines() if line.startswith("Error: ")]
    return seconds, lines[-1] if lines else said.strip().splitlines()[-1]


def restarts(pack: Path, folder: Path, n: int, epochs: int) -> list[list[str]]:
    """Kill trainings again and again; return for each whether it ended with the right bits."""
    common = ["--epochs", epochs, "--seed", 3, "--protocol", "activations"]
    begun = time.monotonic()
    train(pack, folder / "whole", *common, "--workers", 2)
    whole_seconds, wanted = time.monotonic() - begun, digest(folder / "whole")
    rows, rng = [], random.Random(0)
    for number in range(n):
        states = folder / "states"
        shutil.rmtree(states, ignore_errors=True)
        saved = ["--checkpoint", states, "--checkpoint-every", "4000 examples", "--resume"]
        kills, workers = 0, 4 if number % 2 else 2
        first = workers
        while True:
            training = started(pack, folder / "m", *common, *saved, "--workers", workers)
            if kills < 2:
                ranks = when_ranks_train(training, workers, rng.uniform(0.2, 0.7) * whole_seconds)
                with suppress(ProcessLookupError):  # it may just have ended
                    os.kill(rng.choice(list(ranks.values())), signal.SIGKILL)
            said = training.communicate()[1]
            if training.returncode == 0:
                break
            kills, workers = kills + 1, 2
            if kills > 5:
                raise RuntimeError(said[-2000:])
        is_same = digest(folder / "m") == wanted
        rows.append([str(number + 1), str(first), str(kills), "yes" if is_same else "NO"])
        say(" ".join(rows[-1]))
    return rows


def main() -> None:
    """Disturb trainings and print what happened."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", default="pubmed-mesh", help="a folder, or a built-in set")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=10.0, help="of the trainings, in seconds")
    parser.add_argument("--runs", type=int, default=3, help="of each disturbance")
    parser.add_argument("--restarts", type=int, default=6, help="trainings that are killed and resumed")
    parser.add_argument("--epochs", type=int, default=4, help="of those")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = pack_of(options.data, folder)
        own = (pack, folder, options.workers, options.timeout)
        arms: dict[str, Callable[[], tuple[float, str]]] = {
            "kill -9": lambda: disturbed(*own, signal.SIGKILL),
            "kill -STOP": lambda: disturbed(*own, signal.SIGSTOP),
        }
        why = missing()
        if why is None:
            arms["silent network"] = lambda: silent(*own)
        else:
            say(f"Skipped: the silent network, because {why}.")
        for what, arm in arms.items():
            found = [arm() for _ in range(options.runs)]
            seconds = [seconds for seconds, _ in found]
            rows.append([what, f"{median(seconds):.1f}", f"{max(seconds):.1f}", found[-1][1]])
            say(" | ".join(rows[-1]))
        again = restarts(pack, folder, options.restarts, options.epochs) if options.restarts else []
    print(f"{options.workers} workers, a time-out of {options.timeout:g} s\n")
    print(table(["disturbance", "all gone after s", "at most", "last line"], rows))
    if again:
        print("\n" + table(["training", "workers at first", "killed", "the same bits"], again))
        sys.exit(any(row[-1] != "yes" for row in again))


if __name__ == "__main__":
    main()
