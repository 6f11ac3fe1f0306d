"""A process that answers."""

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from hashslide.serve._app import application
from hashslide.serve._logs import Log
from hashslide.serve._models import ServedModel
from hashslide.serve._processes.connection import Connection
from hashslide.serve._service import Service
from hashslide.serve.settings import ServerSettings

__all__ = ["RETIRE", "STOP", "work"]


def __dir__() -> list[str]:
    return __all__


STOP = signal.SIGTERM  # answer what has been asked, then end
RETIRE = signal.SIGUSR1  # the same, but let go of idle clients only when they have stayed silent for long
_KEEP_ALIVE = 10  # seconds
_OTHER_DESCRIPTORS = 128  # of a worker: files, pipes, and connections that are being refused
_SWITCH_INTERVAL = 0.0005  # seconds after which the scorer may take over from the event loop, or the reverse


def work(
    model: ServedModel, settings: ServerSettings, log: Log, listener: socket.socket, lifeline: int, ready: int
) -> None:
    """Answer requests until a signal comes, or the process at the other end of the lifeline has ended.

    Parameters
    ----------
    model : ServedModel
    settings : ServerSettings
    log : Log
    listener : socket
        Shared by all workers.
    lifeline, ready : int
        Descriptors of pipes: the first is closed by the end of the supervisor; to the second a byte is
        written when the worker answers.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _allow_descriptors(settings.connections + _OTHER_DESCRIPTORS)
    app = application(model, settings, log)
    for name in ("uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_Handler(log)], False
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(settings.timeout)),
    )
    _Worker(config, app.service, lifeline, ready).run(sockets=[listener])


def _allow_descriptors(n: int) -> None:
    """Raise this process's own limit of open files to n, as far as it may."""
    own, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n if most == resource.RLIM_INFINITY else min(n, most)
    if own != resource.RLIM_INFINITY and own < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class _Worker(uvicorn.Server):
    """uvicorn's server, which leaves in two ways."""

    def __init__(self, config: uvicorn.Config, service: Service, lifeline: int, ready: int) -> None:
        super().__init__(config)
        self._service, self._lifeline, self._ready = service, lifeline, ready
        self._is_patient = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(self._lifeline, self._supervisor_ended)
        os.write(self._ready, b"1")
        os.close(self._ready)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, answer what has been asked, and end."""
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self._service.is_closing = True  # answers ask the clients to close from now on
        for server in self.servers:
            server.close()
        end = asyncio.get_running_loop().time() + _KEEP_ALIVE + 1
        while self._is_patient and self.server_state.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear the supervisor only: Ctrl-C of a terminal reaches all processes, and it tells us."""
        signal.signal(STOP, self._hear)
        signal.signal(RETIRE, self._hear)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        yield

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._is_patient = number == RETIRE
        self.should_exit = True

    def _supervisor_ended(self) -> None:
        self._is_patient, self.should_exit = False, True


class _Handler(logging.Handler):
    """Writes what libraries log into our log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._log.failure(record.getMessage().strip(), error, logger=record.name)
        else:
            self._log.write(record.getMessage(), "error", logger=record.name)
