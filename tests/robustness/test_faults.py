"""The n-th call of the system fails, for every n: an error of ours, the old file as it was, and nothing left.

A library that is preloaded (faults.cpp) makes one call of write, fsync, ... fail in a process of its own.
"""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, os, sys, warnings
from pathlib import Path
import numpy as np
from scipy import sparse
from hashslide import SlideClassifier, _atomic, data
from hashslide.callbacks import Checkpoint
from hashslide.errors import HashslideError
from hashslide.model_file import load_model, save_model

folder, number, action = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
faults = ctypes.CDLL(None)
rng = np.random.default_rng(0)
X = sparse.random(60, 40, 0.2, "csr", np.float32, random_state=0)
Y = sparse.random(60, 30, 0.1, "csr", np.float32, random_state=1, data_rvs=np.ones)
path = folder / "m"


def model(**settings):
    return SlideClassifier(hidden=8, epochs=2, batch_size=20, random_state=0, n_jobs=2, **settings)


def every_call(act, check):
    act()
    act()
    for function in sys.argv[4:]:
        print(function, fail_each(function.encode(), act, check))


def fail_each(function, act, check):
    # Let the first, second, ... call fail, then ever fewer of the many, until none is left that could.
    n = made = 0
    while True:
        n, made = n + 1 + n // 40, made + 1
        before = path.read_bytes() if path.exists() else None
        faults.faults_arm(function, n, number)
        try:
            act()
            error = None
        except (HashslideError, MemoryError, OSError) as problem:
            error = problem
        if not faults.faults_disarm():
            assert error is None, error
            return made - 1
        check(error, before)


def whole(error, before):
    # A writer either says that it failed and changes nothing, or writes all.
    assert error is None or isinstance(error, HashslideError), repr(error)
    assert (error is None) == (path.read_bytes() != before), error
    assert os.listdir(folder) == [path.name], (error, os.listdir(folder))


def save_arrays():
    save_model(path, {"a": rng.normal(size=5000), "names": np.array(["x", "y"])}, {})


if action in ("save", "save-named"):
    if action == "save-named":
        _atomic._Temporary._open_unnamed = lambda self, mode: None
    every_call(save_arrays, whole)
elif action.startswith("data"):
    path = folder / action.replace("data-", "x.")
    def save():
        part = X.copy()
        part.data += rng.normal()
        data.save(path, part, Y)
    every_call(save, whole)
elif action.startswith("read"):
    path = folder / action.replace("read-", "x.")
    data.save(path, X, Y)
    def check(error, before):
        assert error is None or isinstance(error, OSError) and error.errno == number, repr(error)
    every_call(lambda: data.load(path), check)
elif action.startswith("load"):
    model().fit(X, Y).save(path)
    def check(error, before):
        assert error is None or isinstance(error, HashslideError), repr(error)
        assert path.read_bytes() == before and os.listdir(folder) == ["m"]
    every_call(lambda: SlideClassifier.load(path, mmap=action == "load-mapped", verify=True), check)
elif action == "checkpoint":
    def check(error, before):
        assert error is None or isinstance(error, HashslideError), repr(error)
        for state in (Path(folder) / "states").glob("*"):
            SlideClassifier.load(state, verify=True)
    states = Checkpoint(Path(folder) / "states", 1)
    every_call(lambda: model().set_params(callbacks=[states]).fit(X, Y), check)
elif action == "train":
    def check(error, before):
        assert isinstance(error, MemoryError), repr(error)
    every_call(lambda: model(hash="dwta", active="per_example", approximate=True).fit(X, Y), check)
elif action == "train-on":
    # The model stays one that predicts and can be saved, whatever is missing from the update.
    model().fit(X, Y).save(path)
    def act():
        global loaded
        loaded = SlideClassifier.load(path, mmap=False)
        loaded.n_jobs = 2
        loaded.partial_fit(X, Y)
    def check(error, before):
        assert isinstance(error, (MemoryError, HashslideError)), repr(error)
        loaded.predict_topk(X, 3)
        loaded.save(folder / "again")
        SlideClassifier.load(folder / "again", verify=True).predict_topk(X, 3)
    every_call(act, check)
elif action == "predict":
    fitted = model(approximate=True).fit(X, Y)
    expected = fitted.predict_topk(X, 3)
    def act():
        fitted.predict_topk(X, 3)
        fitted.predict_topk(X[:1], 3)
        fitted.predict_topk(X, 3, approximate=True)
    def check(error, before):
        assert isinstance(error, MemoryError), repr(error)
        for wanted, found in zip(expected, fitted.predict_topk(X, 3)):
            assert (wanted == found).all()
    every_call(act, check)
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.cpp")
    subprocess.run(["c++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True)
    return path


CASES = [
    ("save", errno.ENOSPC, "write fsync fchmod rename link open"),
    ("save-named", errno.EDQUOT, "write fsync fchmod rename open"),
    ("data-txt.gz", errno.ENOSPC, "write"),
    ("data-npz", errno.ENOSPC, "write"),
    ("data-parquet", errno.ENOSPC, "write"),
    ("read-txt.gz", errno.EIO, "read"),
    ("read-parquet", errno.EIO, "read"),
    ("read-npz", errno.EIO, "read"),
    ("load-mapped", errno.ENOMEM, "mmap new open read"),
    ("load-read", errno.EIO, "mmap read"),
    ("checkpoint", errno.ENOSPC, "write rename"),
    ("train", errno.ENOMEM, "mmap new"),
    ("train-on", errno.ENOMEM, "mmap new"),
    ("predict", errno.ENOMEM, "new"),
]


@pytest.mark.parametrize(("action", "number", "functions"), CASES, ids=[case[0] for case in CASES])
def test_every_call_may_fail(tmp_path, library, action, number, functions):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(number), action, *functions.split()]
    environment = os.environ | {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    child = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    failed = dict(line.split() for line in child.stdout.splitlines())
    assert list(failed) == functions.split() and all(int(n) > 0 for n in failed.values())
