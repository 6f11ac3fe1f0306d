"""Real servers for tests: in a thread around a model in memory, or as the command in a process."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from hashslide.serve import ServerSettings
from hashslide.serve._app import application
from hashslide.serve._logs import Log
from hashslide.serve._models import ServedModel
from hashslide.serve._processes.connection import Connection

PROGRAM = "from hashslide.cli import main; main()"
PATIENCE = 60  # seconds; no test waits so long unless something is broken


class Server:
    """A server under test.

    Attributes
    ----------
    address : str
    client : httpx.Client
    """

    def __init__(self, address: str, lines):
        self.address, self._lines = address.rstrip("/"), lines
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE)

    @property
    def port(self) -> int:
        return httpx.URL(self.address).port

    def log(self, event: str | None = None) -> list[dict]:
        """The events so far."""
        events = [json.loads(line) for line in self._lines()]
        return [one for one in events if event is None or one["event"] == event]

    def logged(self, event: str, n: int = 1, **facts) -> list[dict]:
        """Wait until so many events with these facts have been logged."""

        def found():
            return [one for one in self.log(event) if facts.items() <= one.items()]

        wait_for(lambda: len(found()) >= n, f"{n} times {event} {facts}")
        return found()

    def predict(self, *inputs, **options) -> dict:
        answer = self.client.post("/v1/predict", json={"inputs": list(inputs), **options})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def raw(self, data: bytes, *, close: bool = False) -> bytes:
        """Send bytes on a new connection and return all that comes back until the server closes it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(data)
            if close:
                return b""
            received = b""
            while part := connection.recv(65536):
                received += part
            return received


def wait_for(condition, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def in_thread(model: ServedModel, **settings):
    """A server in a thread of this process; its model can be tampered with."""
    output = io.StringIO()
    app = application(model, ServerSettings(**settings), Log(output))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_for(lambda: server.started or not thread.is_alive(), "the server")
        served = Server(
            f"http://127.0.0.1:{listener.getsockname()[1]}", lambda: output.getvalue().splitlines()
        )
        served.app = app
        try:
            yield served
        finally:
            server.should_exit = True
            thread.join()
            served.client.close()


class Process(Server):
    """The command ``hashslide serve`` in a process of its own."""

    def __init__(self, folder: Path, *arguments):
        self._errors = folder / f"log-{time.monotonic_ns()}.jsonl"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "serve", *map(str, arguments), "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=hear_signals,
            )
        first = self.process.stdout.readline()
        assert " at http" in first, (first, self._errors.read_text())
        super().__init__(first.split(" at ")[1].split()[0], lambda: self._errors.read_text().splitlines())

    def workers(self) -> list[int]:
        """The processes that answer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.client.close()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def process(folder: Path, *arguments):
    """A server in a process, which is gone afterwards."""
    server = Process(folder, *arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        server.client.close()
        server.process.stdout.close()


def hear_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def replace(path: Path, content: bytes) -> None:
    """Put new content in the place of a file, in one step."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    os.replace(temporary, path)
