"""The process that loads models, has workers answer from them, and replaces both while requests go on.

The model is loaded here, once; workers are forked from this process and share its memory. A new model gets
workers of its own. When all of them answer, the old ones take no more connections, and end as their clients
leave.
"""

import gc
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from hashslide._core import available_cpus
from hashslide._os_errors import StrPath, as_path, explain
from hashslide.errors import HashslideError, InputError
from hashslide.serve._logs import Log
from hashslide.serve._metrics import Metrics, count_in_shared_files
from hashslide.serve._models import ServedModel
from hashslide.serve._processes.worker import RETIRE, STOP, work
from hashslide.serve.settings import ServerSettings

__all__ = ["run"]


def __dir__() -> list[str]:
    return __all__


_TICK = 0.2  # seconds between two looks at the model file
_PAUSE = 1.0  # seconds before a worker is started again that has not lived longer than that
_BACKLOG = 2048
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
Signature = tuple[int, int, int] | None


def run(
    model: StrPath,
    settings: ServerSettings | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve a model until SIGTERM or Ctrl-C; requests that have been made are answered before the end.

    The log goes to standard error, as lines of JSON. With ``watch``, or at SIGHUP, the file is loaded again
    when it has been replaced. A damaged file is refused, with one line in the log, and the old model goes on.

    Parameters
    ----------
    model : path-like
    settings : ServerSettings, optional
    announce : callable, optional
        Called with the address when the server answers.

    Raises
    ------
    InputError
        The address cannot be listened on, or this is not the main thread.
    ModelFileError
        The file is missing, damaged or of another kind.
    """
    settings = settings or ServerSettings()
    if threading.current_thread() is not threading.main_thread():
        raise InputError(
            "run hears signals, which only the main thread can. Call it there, or use create_app."
        )
    with tempfile.TemporaryDirectory(prefix="hashslide-metrics-") as folder:
        _Supervisor(as_path(model), settings, Log(), folder).run(announce or (lambda address: None))


@dataclass(eq=False)
class _Worker:
    pid: int
    slot: int
    generation: int
    ready: int  # a pipe from which a byte comes when the worker answers; -1 afterwards
    started: float
    is_leaving: bool = False


class _Interrupted(BaseException):
    """A signal came while a model was loaded."""


class _Supervisor:
    def __init__(self, path: Path, settings: ServerSettings, log: Log, folder: str) -> None:
        self._path, self._log, self._folder = path, log, folder
        self._settings = settings
        if settings.jobs is None:
            self._settings = settings.replaced(jobs=max(1, available_cpus() // settings.workers))
        self._workers: list[_Worker] = []
        self._generation = 0
        self._heard: set[int] = set()
        self._is_loading = False
        self._start_at = 0.0  # when missing workers are started

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until the end."""
        self._listener = _listen(self._settings.host, self._settings.port)
        with self._listener, self._hearing_signals(), suppress(_Interrupted):
            self._signature = _signature(self._path)
            self._load()
            self._lifeline, self._end_of_us = os.pipe()
            try:
                count_in_shared_files(self._folder, "supervisor")
                self._metrics = Metrics()
                self._start_missing()
                self._await_first()
                announce(_address(self._listener))
                self._oversee()
            finally:
                self._stop()

    def _oversee(self) -> None:
        while not self._heard & {signal.SIGTERM, signal.SIGINT}:
            self._sleep(_TICK)
            self._reap()
            wants_reload = signal.SIGHUP in self._heard
            self._heard.discard(signal.SIGHUP)
            signature = _signature(self._path)
            is_new = signature is not None and signature != self._signature
            if wants_reload or (self._settings.watch and is_new):
                self._signature = signature
                self._reload()
            if time.monotonic() >= self._start_at:
                self._start_missing()
            self._retire_old()

    def _load(self) -> None:
        self._is_loading = True
        try:
            model = ServedModel.load(self._path, self._settings.jobs)
            model.warm()
        finally:
            self._is_loading = False
        self._model = model
        self._generation += 1
        gc.collect()
        gc.freeze()  # collections in the workers leave the shared memory alone
        self._log.write("model loaded", path=str(self._path), version=model.version, labels=model.n_labels)

    def _reload(self) -> None:
        try:
            self._load()
        except (HashslideError, OSError, MemoryError) as error:
            reason = str(error) if isinstance(error, HashslideError) else explain(error)
            self._log.write(
                "model refused", "error", path=str(self._path), error=reason, serving=self._model.version
            )
            self._metrics.reload("refused")
            return
        self._metrics.reload("loaded")
        for (
            worker
        ) in self._workers:  # those who are on their way out already shall not wait for idle clients any more
            if worker.is_leaving:
                _send(worker.pid, STOP)
        self._start_missing()

    @property
    def _current(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.generation == self._generation]

    def _start_missing(self) -> None:
        for _ in range(self._settings.workers - len(self._current)):
            self._start()

    def _start(self) -> None:
        slot = min(set(range(len(self._workers) + 1)) - {worker.slot for worker in self._workers})
        ready, tell_ready = os.pipe()
        self._log.flush()
        blocked = signal.pthread_sigmask(
            signal.SIG_BLOCK, _SIGNALS
        )  # until the worker has handlers of its own
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside OpenBLAS's idle threads
            pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(tell_ready)
            self._workers.append(_Worker(pid, slot, self._generation, ready, time.monotonic()))
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for descriptor in (self._end_of_us, *self._wakeup, ready):
                os.close(descriptor)
            count_in_shared_files(self._folder, f"worker{slot}")
            work(self._model, self._settings, self._log, self._listener, self._lifeline, tell_ready)
            code = 0
        except BaseException as error:
            self._log.failure("worker failed", error, pid=os.getpid())
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _await_first(self) -> None:
        """Wait until a worker answers."""
        while not any(self._is_ready(worker) for worker in self._workers):
            if self._heard & {signal.SIGTERM, signal.SIGINT}:
                raise _Interrupted
            self._sleep(_TICK)
            self._reap()
            if not self._workers:
                raise InputError("no worker could start; the log says why.")

    def _retire_old(self) -> None:
        current = self._current
        old = [worker for worker in self._workers if worker.generation != self._generation]
        if len(current) < self._settings.workers or not all(self._is_ready(worker) for worker in current):
            return
        for worker in old:
            if not worker.is_leaving:
                worker.is_leaving = True
                _send(worker.pid, RETIRE)

    def _is_ready(self, worker: _Worker) -> bool:
        if worker.ready >= 0 and select.select([worker.ready], [], [], 0)[0] and os.read(worker.ready, 1):
            os.close(worker.ready)
            worker.ready = -1
        return worker.ready < 0

    def _reap(self) -> None:
        """Forget workers that have ended; one that was to go on is started again."""
        for worker in list(self._workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            self._is_ready(worker)
            if worker.ready >= 0:
                os.close(worker.ready)
            self._workers.remove(worker)
            mark_process_dead(f"worker{worker.slot}", self._folder)  # type: ignore[no-untyped-call]
            if not worker.is_leaving:
                code = os.waitstatus_to_exitcode(status)
                self._log.write("worker ended", "error", pid=worker.pid, exit_code=code)
                is_short = time.monotonic() - worker.started < _PAUSE
                self._start_at = time.monotonic() + (_PAUSE if is_short else 0)

    def _stop(self) -> None:
        self._heard -= {signal.SIGTERM, signal.SIGINT}
        for worker in self._workers:
            worker.is_leaving = True
            _send(worker.pid, STOP)
        patience = time.monotonic() + self._settings.timeout + 5
        while self._workers:
            self._sleep(_TICK)
            self._reap()
            if self._heard & {signal.SIGTERM, signal.SIGINT} or time.monotonic() > patience:
                for worker in self._workers:
                    _send(worker.pid, signal.SIGKILL)
        for descriptor in (self._lifeline, self._end_of_us):
            os.close(descriptor)
        self._log.write("stopped")

    def _sleep(self, seconds: float) -> None:
        """Wait for a signal, for a worker that is ready, or for the time."""
        waiting = [worker.ready for worker in self._workers if worker.ready >= 0]
        readable = select.select([self._wakeup[0], *waiting], [], [], seconds)[0]
        if self._wakeup[0] in readable:
            with suppress(BlockingIOError):
                os.read(self._wakeup[0], 4096)

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        self._wakeup = os.pipe()
        for descriptor in self._wakeup:
            os.set_blocking(descriptor, False)
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in self._wakeup:
                os.close(descriptor)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard.add(number)
        if self._is_loading and number in (signal.SIGTERM, signal.SIGINT):
            raise _Interrupted


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    InputError
        The name is unknown, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}. Choose another port or address; port 0 "
            "takes any that is free."
        ) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _signature(path: Path) -> Signature:
    """Return what changes when a file is replaced; None if there is none at the moment."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
