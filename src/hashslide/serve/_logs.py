"""The log: one JSON object for each event, one line for each object."""

import asyncio
import json
import sys
import time
import traceback
from contextlib import suppress
from typing import Any, TextIO

from pydantic_core import PydanticSerializationError, to_json

__all__ = ["Log"]


def __dir__() -> list[str]:
    return __all__


_DELAY = 0.1  # seconds


class Log:
    """Writes events as lines of JSON.

    Parameters
    ----------
    stream : file, optional
        By default standard error, whatever it is at that time. What it does not take is forgotten: a full
        disk ends no server.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._second, self._stamp = 0, ""

    def write(self, event: str, level: str = "info", **facts: Any) -> None:
        """Write an event, after all that was noted before."""
        self._lines.append(self._line(event, level, facts))
        self.flush()

    def failure(self, event: str, error: BaseException, **facts: Any) -> None:
        """Write an exception that nobody has expected, with where it came from."""
        trace = "".join(traceback.format_exception(error))
        self.write(event, "error", error=f"{type(error).__name__}: {error}", traceback=trace, **facts)

    def note(self, event: str, **facts: Any) -> None:
        """Write an event soon, together with others: a write for each would cost more than the request."""
        self._lines.append(self._line(event, "info", facts))
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_DELAY, self.flush)

    def flush(self) -> None:
        """Write what was noted."""
        lines, self._lines = self._lines, []
        stream = self._stream or sys.stderr
        with suppress(OSError, ValueError):
            stream.write("".join(lines))
            stream.flush()

    def _line(self, event: str, level: str, facts: dict[str, Any]) -> str:
        now = time.time()
        if int(now) != self._second:
            self._second, self._stamp = int(now), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        stamp = f"{self._stamp}.{int(now % 1 * 1000):03d}Z"
        line = {"time": stamp, "level": level, "event": event} | facts
        try:
            return to_json(line).decode() + "\n"
        except PydanticSerializationError:  # names of files need not be Unicode: json writes escapes for them
            return json.dumps(line, default=str) + "\n"
