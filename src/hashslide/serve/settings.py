"""What a server may do, and how much of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from hashslide._checks import check_bool, check_float, check_int
from hashslide._os_errors import StrPath, as_path, explain
from hashslide.errors import InputError

__all__ = ["ServerSettings", "read_tokens"]


def __dir__() -> list[str]:
    return __all__


_TOKEN = re.compile(r"[!-~]{8,}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_RANGES = {
    "port": (0, 65535),
    "workers": (1, 1024),
    "connections": (1, 1_000_000),
    "max_batch": (1, 65536),
    "queue": (1, 1_000_000),
    "max_inputs": (1, 65536),
    "max_k": (1, 1_000_000),
    "max_words": (1, 100_000_000),
    "max_body": (64, 2**40),
}


@dataclass(frozen=True)
class ServerSettings:
    """How `create_app` and `run` answer requests.

    Parameters
    ----------
    host : str, default "127.0.0.1"
        Address to listen on; by default only programs on this machine reach the server.
    port : int, default 8080
        0: the system chooses one.
    workers : int, default 1
        Processes that answer; they share the memory of one model.
    tokens : tuple of str
        Who sends one of them as ``Authorization: Bearer TOKEN`` gets an answer, others get 401. Without
        tokens, everybody gets one.
    hosts : tuple of str
        Names other than localhost under which the server may be asked while it listens on the loopback
        address and wants no token: no web page shall ask in its visitor's browser by a name that leads here.
    connections : int, default 512
        Open connections of a worker; who comes beyond is told to come again, with 503.
    max_batch : int, default 128
        Inputs that are scored together, at most.
    queue : int, default 1024
        Inputs of a worker that wait for the scorer, at most; requests beyond are answered with 503.
    max_inputs, max_k, max_words : int
        Inputs of a request (128), labels for each of them (100), and words or features of each (10,000).
    max_body : int, default 1 MiB
        Bytes of the body of a request.
    timeout : float, default 30
        Seconds that a request may take, and that its client may take to send it.
    watch : bool, default False
        Load the model file anew when it is replaced.
    log_requests, log_queries : bool
        Write a line for each request (True), with what was asked in it (False).
    jobs : int, optional
        Threads of each worker that score; by default the CPUs are shared out among the workers.

    Raises
    ------
    InputError
        A value is not acceptable.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    tokens: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    connections: int = 512
    max_batch: int = 128
    queue: int = 1024
    max_inputs: int = 128
    max_k: int = 100
    max_words: int = 10_000
    max_body: int = 2**20
    timeout: float = 30.0
    watch: bool = False
    log_requests: bool = True
    log_queries: bool = False
    jobs: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_int(name, getattr(self, name), low, high)
        check_float("timeout", self.timeout, 0, 86400, "(]")
        for name in ("watch", "log_requests", "log_queries"):
            check_bool(name, getattr(self, name))
        if self.jobs is not None:
            check_int("jobs", self.jobs, 1, 65536)
        if self.queue < self.max_inputs:
            raise InputError(
                f"queue is {self.queue}, less than the {self.max_inputs} inputs of a request; accepted is at "
                "least as much. Raise queue, or lower max_inputs."
            )
        for token in self.tokens:
            if not isinstance(token, str) or not _TOKEN.fullmatch(token):
                raise InputError(
                    "a token is not acceptable; accepted are 8 or more visible ASCII characters."
                )

    def known_hosts(self) -> frozenset[str] | None:
        """Return the names under which the server may be asked, in lower case; None: under any."""
        is_loopback = self.host in _LOOPBACK or self.host.startswith("127.")
        if self.tokens or not is_loopback:
            return None
        return frozenset(name.lower() for name in (*_LOOPBACK, self.host, *self.hosts))

    def replaced(self, **changes: Any) -> Self:
        """Return the same with other values."""
        return replace(self, **changes)

    def limits(self) -> Iterator[tuple[str, int]]:
        """Yield the names and values of what bounds a request."""
        for field in fields(self):
            if field.name.startswith("max_") and field.name != "max_batch":
                yield field.name, getattr(self, field.name)


def read_tokens(path: StrPath) -> tuple[str, ...]:
    """Return the tokens of a file, one on each line.

    Parameters
    ----------
    path : path-like
        Empty lines, and lines that begin with ``#``, are left out.

    Raises
    ------
    InputError
        The file cannot be read, has no token, or a line is not a token; the message does not tell it.
    """
    try:
        text = as_path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = explain(error) if isinstance(error, OSError) else "it is not text in UTF-8."
        raise InputError(f"cannot read the tokens in {path}: {reason}") from None
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1)]
    tokens = [(i, line) for i, line in lines if line and not line.startswith("#")]
    if not tokens:
        raise InputError(f"{path} has no token. Write one on a line, 8 or more characters without blanks.")
    for i, token in tokens:
        if not _TOKEN.fullmatch(token):
            raise InputError(
                f"{path}, line {i}: this is not a token; accepted are 8 or more visible ASCII characters "
                "without blanks."
            )
    return tuple(token for _, token in tokens)
