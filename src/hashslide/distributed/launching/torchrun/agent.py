"""Torchrun under a program of our own: it tells the starter which rank has failed, and ends with the starter.

Run by the starter as ``python -m hashslide.distributed.launching.torchrun.agent WORKERS FOLDER``.
"""

import logging
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from hashslide.distributed.launching.torchrun.notes import AgentNote, write_note

__all__ = ["main"]


def __dir__() -> list[str]:
    return __all__


_PERIOD = 0.5  # seconds between two looks at whether the starter lives


def main(workers: int, folder: Path) -> None:
    """Run the ranks of the job in a folder, on this machine."""
    logging.disable()  # the starter explains what has failed
    starter = os.getppid()
    threading.Thread(target=_end_with, args=(starter,), daemon=True).start()
    options = ["--standalone", f"--nproc-per-node={workers}", "--max-restarts=0"]
    options += ["--monitor-interval=0.1", f"--log-dir={folder}"]
    program = ["-m", "hashslide.distributed.launching.torchrun.program", str(folder)]
    try:
        torchrun.run(torchrun.parse_args([*options, *program]))
    except ChildFailedError as error:
        codes = {str(rank): failure.exitcode for rank, failure in error.failures.items()}
        write_note(folder, AgentNote(codes))
        sys.exit(1)
    except SignalException:  # from the starter, or as it is no more
        if os.getppid() != starter:
            shutil.rmtree(folder, ignore_errors=True)
        sys.exit(1)


def _end_with(starter: int) -> None:
    """Ask torchrun to end its ranks when the starter is no more."""
    while os.getppid() == starter:
        time.sleep(_PERIOD)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
