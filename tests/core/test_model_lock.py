"""The lock of a model: who waits for whom."""

import os
import threading
import time

import pytest

from hashslide._core import ModelLock
from hashslide.errors import ModelBusyError

MODES = ("reading", "training", "writing")
SOON, LONG = 0.15, 30


def takes(lock, mode):
    """Whether another thread gets the lock at once; it then lets it go again."""
    got = threading.Event()

    def take():
        with getattr(lock, mode):
            got.set()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return got.wait(SOON), thread


@pytest.mark.parametrize(
    ("held", "wanted", "together"),
    [
        ("reading", "reading", True),
        ("reading", "training", True),
        ("reading", "writing", False),
        ("training", "reading", True),
        ("training", "training", False),
        ("training", "writing", False),
        ("writing", "reading", False),
        ("writing", "training", False),
        ("writing", "writing", False),
    ],
)
def test_who_waits_for_whom(held, wanted, together):
    lock = ModelLock()
    with getattr(lock, held):
        got, thread = takes(lock, wanted)
        assert got is together
    thread.join(LONG)
    assert not thread.is_alive()
    for mode in MODES:
        assert takes(lock, mode)[0]


@pytest.mark.parametrize(
    ("outer", "inner"), [("training", m) for m in MODES] + [("writing", m) for m in MODES]
)
def test_the_owner_may_enter_again(outer, inner):
    lock = ModelLock()
    with getattr(lock, outer):
        with getattr(lock, inner):
            pass
        assert not takes(lock, "training")[0]
    with lock.reading, lock.reading:
        pass


@pytest.mark.parametrize("inner", ["training", "writing"])
def test_a_reader_that_would_wait_for_itself_is_refused(inner):
    lock = ModelLock()
    with (
        lock.reading,
        pytest.raises(ModelBusyError, match="in the middle of a prediction"),
        getattr(lock, inner),
    ):
        pass
    with lock.training, lock.reading, pytest.raises(ModelBusyError), lock.writing:
        pass
    assert takes(lock, "writing")[0]


def test_an_exception_lets_the_lock_go():
    lock = ModelLock()
    for mode in MODES:
        with pytest.raises(KeyError), getattr(lock, mode):
            raise KeyError
    assert takes(lock, "writing")[0]


def busy(lock, mode, counts, until, hold=0.001):
    while time.monotonic() < until:
        with getattr(lock, mode):
            time.sleep(hold)
            counts[mode, threading.get_ident()] = counts.get((mode, threading.get_ident()), 0) + 1


def test_nobody_starves():
    """Readers that overlap always, and writers that never rest."""
    lock, counts = ModelLock(), {}
    until = time.monotonic() + 0.6
    threads = [
        threading.Thread(target=busy, args=(lock, mode, counts, until))
        for mode in ("reading", "reading", "reading", "writing", "writing", "training")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert len(counts) == len(threads)
    assert min(counts.values()) >= 5, counts


def test_writers_exclude_each_other_and_readers():
    lock, inside, most = ModelLock(), [], []

    def use(mode):
        for _ in range(200):
            with getattr(lock, mode):
                inside.append(mode)
                most.append(tuple(inside))
                inside.remove(mode)

    threads = [threading.Thread(target=use, args=(m,)) for m in ("reading", "reading", "writing", "writing")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert all(len(now) == 1 for now in most if "writing" in now)


def in_child(child):
    """Run a function in a forked child; return whether it returned True."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            code = 0 if child() else 2
        finally:
            os._exit(code)
    return os.waitpid(process, 0)[1] == 0


pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.mark.parametrize("mode", ["reading", "training"])
def test_what_other_threads_held_is_free_in_a_child(mode):
    lock, holds, ends = ModelLock(), threading.Event(), threading.Event()

    def hold():
        with getattr(lock, mode):
            holds.set()
            ends.wait(LONG)

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait(LONG)
    try:
        assert in_child(lambda: all(takes(lock, m)[0] for m in MODES))
    finally:
        ends.set()
        thread.join()
    assert takes(lock, "writing")[0]


def test_a_fork_waits_for_a_change_to_end():
    lock, holds, steps = ModelLock(), threading.Event(), []

    def change():
        with lock.writing:
            holds.set()
            steps.append("half")
            time.sleep(SOON)
            steps.append("whole")

    thread = threading.Thread(target=change)
    thread.start()
    holds.wait(LONG)
    assert in_child(lambda: steps == ["half", "whole"] and takes(lock, "writing")[0])
    thread.join()


def test_a_fork_in_the_middle_of_an_own_change():
    lock = ModelLock()

    def child():
        return not takes(lock, "reading")[0]

    with lock.writing:
        assert in_child(child)
    with lock.reading:
        assert in_child(lambda: takes(lock, "reading")[0])
