"""What a server counts, in the form that Prometheus reads."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["CONTENT_TYPE", "FOLDER", "Metrics", "count_in_shared_files"]


def __dir__() -> list[str]:
    return __all__


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client reads the folder from there
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_INPUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def count_in_shared_files(folder: str, slot: str) -> None:
    """Let the metrics that this process makes be summed over all processes of a folder.

    Parameters
    ----------
    folder : str
    slot : str
        What no other running process has. The next process with the same slot goes on with its counts, so
        that the files of dead workers do not pile up.
    """
    os.environ[FOLDER] = folder
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


class Metrics:
    """The counts of one process, or of all that share a folder."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "hashslide_requests", "Answers by route and status.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "hashslide_request_seconds", "Time of a request.", ["route"], registry=registry, buckets=_SECONDS
        )
        self._of_requests: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._batch_inputs = Histogram(
            "hashslide_batch_inputs", "Inputs scored together.", registry=registry, buckets=_INPUTS
        )
        self._batch_seconds = Histogram(
            "hashslide_batch_seconds", "Time of scoring a batch.", registry=registry, buckets=_SECONDS
        )
        self._waiting = Gauge(
            "hashslide_waiting_inputs", "Inputs in the queue.", registry=registry, multiprocess_mode="livesum"
        )
        self._reloads = Counter(
            "hashslide_reloads", "Model files loaded while serving.", ["result"], registry=registry
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        children = self._of_requests.get((route, status))
        if children is None:  # looking them up by their labels takes longer than to count
            children = self._requests.labels(route, status), self._seconds.labels(route)
            self._of_requests[route, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def batch(self, inputs: int, seconds: float, waiting: int) -> None:
        """Count a batch, and note how many inputs wait at its end."""
        self._batch_inputs.observe(inputs)
        self._batch_seconds.observe(seconds)
        self._waiting.set(waiting)

    def reload(self, result: str) -> None:
        """Count a reload: "loaded" or "refused"."""
        self._reloads.labels(result).inc()

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
