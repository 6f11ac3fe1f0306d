"""One queue and one thread that scores what waits in it, together: nobody waits for a batch to fill."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from hashslide.serve._models import Options, Prediction, Query, ServedModel
from hashslide.serve._refusals import Overloaded

__all__ = ["Answer", "Scorer"]


def __dir__() -> list[str]:
    return __all__


@dataclass(slots=True)
class Answer:
    """What the scorer says to a request.

    Attributes
    ----------
    predictions : list of Prediction
        One for each query.
    waited, scored : float
        Seconds in the queue, and seconds of the batch in which the request was scored.
    """

    predictions: list[Prediction]
    waited: float
    scored: float


@dataclass(slots=True, eq=False)
class _Job:
    queries: Sequence[Query]
    options: Options
    future: "asyncio.Future[Answer]"
    since: float = field(default_factory=time.perf_counter)


class Scorer:
    """Scores requests of one event loop on a thread of its own.

    Whatever waits when the thread is free is scored together, up to a limit: under light load each request is
    scored at once, under heavy load batches grow. Requests whose answer nobody wants any more are left out.

    Parameters
    ----------
    model : ServedModel
    max_batch : int
        Inputs that are scored together, at most; a larger request is a batch by itself.
    queue : int
        Inputs that may wait.
    on_batch : callable
        Called on the scorer's thread with the inputs and the seconds of each batch, and the inputs that wait.
    on_error : callable
        Called on the scorer's thread with an exception that no request is known to have caused.
    """

    def __init__(
        self,
        model: ServedModel,
        max_batch: int,
        queue: int,
        on_batch: Callable[[int, float, int], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.model, self._max_batch, self._room = model, max_batch, queue
        self._on_batch, self._on_error = on_batch, on_error
        self._arrived: list[_Job] = []  # since the event loop last handed over
        self._handed_over: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._n_waiting = 0
        self._seconds_per_input = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="scorer", daemon=True)

    def start(self) -> None:
        """Begin to score, for the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """Score what waits, and end."""
        self._hand_over()
        self._handed_over.put(None)
        self._thread.join()

    @property
    def n_waiting(self) -> int:
        """Inputs that wait or are being scored."""
        return self._n_waiting

    def check_room(self, n: int = 1) -> None:
        """Refuse inputs for which there is no room.

        Raises
        ------
        Overloaded
        """
        if self._n_waiting + n > self._room:
            raise Overloaded(self._n_waiting * self._seconds_per_input)

    async def score(self, queries: Sequence[Query], options: Options) -> Answer:
        """Return the answer to the queries of a request, when their turn has come.

        Raises
        ------
        Overloaded
            The queue is full.
        """
        n = len(queries)
        self.check_room(n)
        loop = asyncio.get_running_loop()
        job = _Job(queries, options, loop.create_future())
        if not self._arrived:  # those that arrive in the same turn of the event loop go together
            loop.call_soon(self._hand_over)
        self._arrived.append(job)
        self._n_waiting += n
        try:
            return await job.future
        finally:
            self._n_waiting -= n

    def _hand_over(self) -> None:
        if self._arrived:
            self._handed_over.put(self._arrived)
            self._arrived = []

    def _run(self) -> None:
        for batch in self._batches():
            begin = time.perf_counter()
            n = sum(len(job.queries) for job in batch)
            outcomes: list[tuple[_Job, Answer | BaseException]] = []
            by_options: dict[Options, list[_Job]] = {}
            for job in batch:
                by_options.setdefault(job.options, []).append(job)
            for jobs in by_options.values():
                outcomes += self._score_together(jobs)
            seconds = time.perf_counter() - begin
            self._seconds_per_input += 0.1 * (seconds / n - self._seconds_per_input)
            self._on_batch(n, seconds, max(0, self._n_waiting - n))
            self._deliver(outcomes)

    def _batches(self) -> Iterator[list[_Job]]:
        """Yield what waits whenever the thread is free, until the end."""
        waiting: deque[_Job] = deque()
        is_open = True
        while is_open or waiting:
            while is_open and not (waiting and self._handed_over.empty()):
                jobs = self._handed_over.get()
                is_open = jobs is not None
                waiting.extend(jobs or [])
            batch: list[_Job] = []
            n = 0
            while waiting and (not batch or n + len(waiting[0].queries) <= self._max_batch):
                job = waiting.popleft()
                if not job.future.cancelled():
                    batch.append(job)
                    n += len(job.queries)
            if batch:
                yield batch

    def _score_together(self, jobs: list[_Job]) -> list[tuple[_Job, Answer | BaseException]]:
        """Score jobs with the same options; one that fails does not take the others with it."""
        begin = time.perf_counter()
        try:
            predictions = self.model.answer([query for job in jobs for query in job.queries], jobs[0].options)
        except Exception as error:
            if len(jobs) > 1:
                return [outcome for job in jobs for outcome in self._score_together([job])]
            self._on_error(error)
            return [(jobs[0], error)]
        seconds = time.perf_counter() - begin
        found = iter(predictions)
        return [(job, Answer([next(found) for _ in job.queries], begin - job.since, seconds)) for job in jobs]

    def _deliver(self, outcomes: list[tuple[_Job, Answer | BaseException]]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_settle, outcomes)


def _settle(outcomes: list[tuple[_Job, Answer | BaseException]]) -> None:
    for job, outcome in outcomes:
        if job.future.done():  # its request has ended meanwhile
            continue
        if isinstance(outcome, BaseException):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
