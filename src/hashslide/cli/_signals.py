"""Signals that end a command: an orderly exit at the first, at once at the second."""

import os
import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end: what is unfinished is undone, as after Ctrl-C.

    Attributes
    ----------
    exit_code : int
        128 plus the number of the signal, as shells count.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.strsignal(number))
        self.exit_code = 128 + number


def hear_signals() -> None:
    """Raise `Stopped` at Ctrl-C, SIGTERM and SIGHUP, unless they are ignored, as nohup does."""
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)


def exit_code(error: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped."""
    return error.exit_code if isinstance(error, Stopped) else _INTERRUPTED


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        if signal.getsignal(each) is _stop:
            signal.signal(each, _end)
    raise Stopped(number)


def _end(number: int, frame: FrameType | None) -> None:
    """Who asks a second time does not want to wait."""
    os._exit(128 + number)
