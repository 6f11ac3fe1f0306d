"""Servers in processes of their own, and load on them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVE = [sys.executable, "-c", "from hashslide.cli import main; main()", "serve"]
# FastAPI and uvicorn as hashslide uses them, around an endpoint that does nothing.
EMPTY = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.post("/v1/predict")
async def empty() -> dict:
    return {}

stack = {"http": "httptools", "loop": "uvloop", "log_config": None, "access_log": False}
uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[1]), **stack)).run()
"""
PATIENCE = 60  # seconds


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes
    ----------
    address
        Without a slash at the end.
    process
        Its first process.
    log
        The file of its log.
    """

    address: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str) -> str:
        """Return what the server answers."""
        with urllib.request.urlopen(self.address + path, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def processes(self) -> list[int]:
        """Return its first process and those that this one has started."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def count(self, status: int) -> float:
        """Return how many predictions were answered with a status."""
        line = f'hashslide_requests_total{{route="/v1/predict",status="{status}"}} '
        found = [text for text in self.get("/metrics").splitlines() if text.startswith(line)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0


@contextmanager
def serving(folder: Path, *arguments: object) -> Iterator[Server]:
    """Run ``hashslide serve`` with arguments."""
    log = folder / f"log-{time.monotonic_ns()}.jsonl"
    with log.open("wb") as errors:
        command = [*SERVE, *map(str, arguments), "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    with _ending(process):
        assert process.stdout is not None
        first = process.stdout.readline()
        if " at " not in first:
            raise RuntimeError(log.read_text())
        yield Server(first.split(" at ")[1].split("/ ")[0], process, log)


@contextmanager
def serving_nothing(folder: Path, port: int = 8097) -> Iterator[Server]:
    """Run an endpoint that does nothing, on the same stack."""
    process = subprocess.Popen([sys.executable, "-c", EMPTY, str(port)], text=True)
    with _ending(process):
        server = Server(f"http://127.0.0.1:{port}", process, folder / "none")
        for _ in range(PATIENCE * 10):
            try:
                server.get("/openapi.json")
                break
            except OSError:
                time.sleep(0.1)
        yield server


@contextmanager
def _ending(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


@dataclass(frozen=True)
class Load:
    """What wrk saw.

    Attributes
    ----------
    good, refused
        Answers for each second: 2xx, and all others.
    p50, p99
        Milliseconds.
    """

    good: float
    refused: float
    p50: float
    p99: float


SCRIPT = """
local bodies = {{ {bodies} }}
local i = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  i = i % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[i])
end
{delay}
"""


def load(
    server: Server, bodies: list[str], connections: int, seconds: int, rate: float | None = None
) -> Load:
    """Ask on some connections for some seconds, without a pause or at a rate.

    Parameters
    ----------
    server
    bodies
        Of the requests, one after the other.
    connections
    seconds
    rate
        Requests for each second, about: each connection waits between two requests.
    """
    delay = ""
    if rate is not None:
        mean = 1000 * connections / rate
        delay = f"function delay() return math.random(0, {round(2 * mean)}) end"
    quoted = ", ".join(f"[==[{body}]==]" for body in bodies)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(bodies=quoted, delay=delay))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name]
        done = subprocess.run(
            [*command, f"{server.address}/v1/predict"], capture_output=True, text=True, check=True
        )
    text = done.stdout
    total, duration = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    bad = int(refused[1]) if refused else 0
    return Load(
        (int(total) - bad) / float(duration), bad / float(duration), _latency(text, 50), _latency(text, 99)
    )


def _latency(text: str, percentile: int) -> float:
    number, unit = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def proportional_bytes(pids: list[int]) -> int:
    """Return the memory of processes, in which what n of all processes share counts 1/n for each of them."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def replace(path: Path, content: bytes) -> None:
    """Put new content in the place of a file, in one step."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    os.replace(temporary, path)
