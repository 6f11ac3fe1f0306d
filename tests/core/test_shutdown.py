"""The interpreter ends cleanly while daemon threads are in the core."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
import numpy as np
from scipy import sparse
from hashslide import SlideClassifier
from hashslide.callbacks import Callback

X = sparse.random(400, 60, 0.2, "csr", np.float32, random_state=0)
Y = sparse.random(400, 3000, 0.01, "csr", np.float32, random_state=1, data_rvs=np.ones)
long_X, long_Y = sparse.vstack([X] * 100, "csr"), sparse.vstack([Y] * 100, "csr")
model = SlideClassifier(hidden=32, epochs=1, random_state=0, n_jobs=2).fit(X, Y)
started = threading.Event()


class Family:
    n_tables, n_buckets = 2, 8

    def draw(self, round):
        pass

    def hash(self, vectors):
        started.set()
        return np.abs(vectors[:, :2] * 5).astype(int) % 8

    def probe(self, queries, n):
        return np.repeat(self.hash(queries)[:, :, None], n, axis=2)


class Started(Callback):
    def on_batch_end(self, estimator, context):
        started.set()


def fit():
    settings = dict(hidden=256, epochs=10**6, batch_size=4000, random_state=0, n_jobs=2)
    SlideClassifier(**settings, callbacks=[Started()]).fit(long_X, long_Y)


def predict():
    while True:
        started.set()
        model.predict_topk(long_X, 5)


def short_calls():
    while True:
        model.predict_topk(X[:2], 5)
        started.set()


def hold_a_model(mine=model):
    started.set()
    threading.Event().wait()


def own_family():
    SlideClassifier(hidden=8, epochs=10**6, random_state=0, hash=Family()).fit(long_X, long_Y)


def wait_for_the_lock():
    with model._lock.writing:
        started.set()
        threading.Event().wait()


threading.Thread(target=globals()[sys.argv[1]], daemon=True).start()
started.wait()
if sys.argv[1] == "wait_for_the_lock":
    started.clear()
    threading.Thread(target=predict, daemon=True).start()
    started.wait()
"""


WHAT = ["fit", "predict", "short_calls", "hold_a_model", "own_family", "wait_for_the_lock"]


@pytest.mark.parametrize("what", WHAT)
def test_a_daemon_thread_does_not_disturb_the_end(what):
    done = subprocess.run([sys.executable, "-c", SCRIPT, what], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
