"""What the processes of a training on one machine leave for the starter in its folder."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["JOB", "AgentNote", "EndNote", "StartNote", "read_notes", "write_note"]


def __dir__() -> list[str]:
    return __all__


JOB = "job.hashslide"  # the name of its file


@dataclass(frozen=True)
class StartNote:
    """A rank has begun."""

    rank: int
    pid: int
    host: str

    @classmethod
    def of(cls, rank: int) -> "StartNote":
        """Return the note of this process."""
        return cls(rank, os.getpid(), socket.gethostname())


@dataclass(frozen=True)
class EndNote:
    """A rank ends by itself.

    Attributes
    ----------
    rank : int
    kind : {"done", "refused", "lost", "failed"}
        The training is over; something was not acceptable; another rank has been lost; anything else.
    message : str
    history : list of dict
        The records of the epochs, from rank 0.
    """

    rank: int
    kind: str
    message: str = ""
    history: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class AgentNote:
    """Torchrun has ended: the exit code of each rank that has failed; negative: the number of a signal."""

    exit_codes: dict[str, int]


def write_note(folder: Path, note: StartNote | EndNote | AgentNote) -> None:
    """Write a note, whole or not at all."""
    name = type(note).__name__ + (f"-{note.rank}" if not isinstance(note, AgentNote) else "")
    hidden = folder / f".{name}"
    hidden.write_text(json.dumps(asdict(note)))
    hidden.replace(folder / f"{name}.json")


def read_notes(folder: Path, kind: type[Any]) -> list[Any]:
    """Return all notes of a kind, by rank."""
    paths = folder.glob(f"{kind.__name__}*.json")
    found = [kind(**json.loads(path.read_text())) for path in paths]
    return sorted(found, key=lambda note: getattr(note, "rank", 0))
