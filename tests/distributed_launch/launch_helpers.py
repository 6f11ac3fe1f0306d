"""Jobs for several workers, and what can happen to the processes of one."""

import json
import os
import signal
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from hashslide.distributed.launching.checkpoints import MANIFEST, finished
from hashslide.distributed.launching.job import Job
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS

SETTINGS = {"hidden": 8, "epochs": 3, "batch_size": 64, "random_state": 7}


def job_of(pack, output, *, settings=None, **options) -> Job:
    model = SlideClassifier(**SETTINGS | (settings or {}))
    names = PARAMETERS.keys() - {"callbacks", "n_jobs"}
    given = {"protocol": "activations", "timeout": 60.0} | options
    return Job(pack=pack, output=output, parameters={name: getattr(model, name) for name in names}, **given)


def process_of(rank: int) -> int:
    """Wait until a rank of the training in the folder of temporary files has begun; return its process."""
    while True:
        for path in Path(tempfile.gettempdir()).glob(f"hashslide-ranks-*/StartNote-{rank}.json"):
            return json.loads(path.read_text())["pid"]
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def checkpoint_after(folder: Path, name: str = "") -> str:
    """Wait for a checkpoint later than one of this name; return its name."""
    while True:
        found = [path.name for path in finished(folder)] if folder.is_dir() else []
        if found and found[0] > name:
            return found[0]
        time.sleep(0.01)


@contextmanager
def signal_after(folder: Path, rank: int, number: signal.Signals, name: str = ""):
    """Send a rank a signal when there is a checkpoint later than one of this name; give what was seen."""
    seen: dict[str, object] = {}

    def act() -> None:
        seen["step"] = checkpoint_after(folder, name)
        seen["processes"] = [process_of(0), process_of(1)]
        os.kill(process_of(rank), number)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    yield seen
    thread.join()


def break_file(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


__all__ = ["MANIFEST", "SETTINGS", "break_file", "checkpoint_after", "is_running", "job_of", "signal_after"]
