"""Ranks for the measurements: processes that join one gloo group and each run a function of this package.

    results = run(2, "benchmarks.machines.steps:timed", {"pack": "train.pack"}, threads=1)

The function is called with the exchange of the rank and the arguments; what it returns is JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .hosts import DEVICE, Hosts

TIMEOUT_S = 60.0


def run(
    size: int, function: str, arguments: dict[str, Any], *, threads: int = 1, hosts: Hosts | None = None
) -> list[Any]:
    """Run a function on some ranks; return what each of them returns.

    Parameters
    ----------
    size
        How many ranks.
    function
        Its module and name, such as "benchmarks.machines.steps:timed".
    arguments
        Of it, besides the exchange: what JSON can hold.
    threads
        Of each rank.
    hosts
        Rank r runs on host r; None: all on this machine.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job").write_text(json.dumps({"function": function, "arguments": arguments}))
        device = "lo" if hosts is None else DEVICE
        own = {"GLOO_SOCKET_IFNAME": device, "OMP_NUM_THREADS": str(threads), "TORCH_CPP_LOG_LEVEL": "FATAL"}
        processes = []
        for rank in range(size):
            command = [sys.executable, "-m", __name__, str(folder), str(rank), str(size)]
            command = command if hosts is None else hosts.command(rank, command)
            processes.append(subprocess.Popen(command, env=os.environ | own))
        try:
            codes = [process.wait() for process in processes]
        finally:
            for process in processes:
                process.kill()
        if any(codes):
            raise RuntimeError(f"the ranks ended with {codes}")
        return [json.loads((folder / f"result-{rank}").read_text()) for rank in range(size)]


def main(folder: Path, rank: int, size: int) -> None:
    """Be one of the ranks."""
    import torch

    from hashslide.distributed.gloo import GlooExchange

    torch.set_num_threads(1)  # its own operations do nothing here but send
    job = json.loads((folder / "job").read_text())
    module, _, function = job["function"].partition(":")
    exchange = GlooExchange.join(
        TIMEOUT_S, init_method=f"file://{folder / 'store'}", rank=rank, world_size=size
    )
    result = getattr(importlib.import_module(module), function)(exchange, **job["arguments"])
    (folder / f"result-{rank}").write_text(json.dumps(result))
    exchange.barrier()  # nobody leaves while another one waits for its messages


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
