"""`hashslide train` as a user starts it, and what it prints."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-m", "hashslide"]


def train(pack: Path, model: Path, *options: object) -> list[dict[str, Any]]:
    """Train; return the records of the epochs.

    Parameters
    ----------
    pack, model
        The data, and the file to write.
    options
        Of the command.

    Raises
    ------
    RuntimeError
        It fails.
    """
    command = [*PROGRAM, "train", str(pack), "-o", str(model), "--json", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "epoch"]


def started(pack: Path, model: Path, *options: object) -> subprocess.Popen[str]:
    """Start a training, in a session of its own."""
    command = [*PROGRAM, "train", str(pack), "-o", str(model), "--json", *map(str, options)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def digest(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def ranks_below(process: int, size: int) -> dict[int, int]:
    """Return the processes of the ranks that a training has started, by their number; all, or none yet."""
    found = {}
    for pid in below(process):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        of_rank = [int(entry[5:]) for entry in environment if entry.startswith(b"RANK=")]
        if of_rank:
            found[of_rank[0]] = pid
    return found if len(found) == size else {}


def below(process: int) -> list[int]:
    """Return all processes that a process, and those that it has started, have started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                status = (path / "stat").read_text()
            except OSError:
                continue
            parent = int(status.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.name))
    found, waiting = [], [process]
    while waiting:
        own = children.get(waiting.pop(), [])
        found += own
        waiting += own
    return found


def is_alive(process: int) -> bool:
    """Tell whether a process still runs."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
