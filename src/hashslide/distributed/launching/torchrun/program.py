"""The process of a rank that the starter has torchrun start, as a module with the name of a folder."""

import os
import sys
import traceback
from pathlib import Path

from hashslide.distributed.launching.job import Job
from hashslide.distributed.launching.joining import joined
from hashslide.distributed.launching.rank import run_rank
from hashslide.distributed.launching.torchrun.notes import JOB, EndNote, StartNote, write_note
from hashslide.errors import HashslideError, WorkerError

__all__ = ["main"]


def __dir__() -> list[str]:
    return __all__


def main(folder: Path) -> int:
    """Do the job in a folder as the rank that the environment names; return the exit code."""
    rank = int(os.environ["RANK"])
    write_note(folder, StartNote.of(rank))
    try:
        job = Job.load(folder / JOB)
        with joined(job.timeout) as exchange:
            model = run_rank(job, exchange, verify=False)  # the starter has
        note = EndNote(rank, "done", history=tuple(model.history_) if model is not None else ())
    except WorkerError as error:
        note = EndNote(rank, "lost", str(error))
    except HashslideError as error:
        note = EndNote(rank, "refused", str(error))
    except Exception as error:
        traceback.print_exc()
        note = EndNote(rank, "failed", f"{type(error).__name__}: {error}")
    write_note(folder, note)
    return int(note.kind != "done")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
