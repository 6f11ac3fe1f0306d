"""Arrays that change while they are used give an error, never a crash: so they do that in another process."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import numpy as np
from scipy import sparse
from hashslide import SlideClassifier
from hashslide.callbacks import Callback
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.ranking import Blend

n, width, n_labels = 300, 50, 40
X = sparse.random(n, width, 0.08, "csr", np.float32, random_state=0)
Y = sparse.random(n, n_labels, 0.1, "csr", np.float32, random_state=1, data_rvs=np.ones)
for matrix in (X, Y):
    matrix.sort_indices()


def fresh():
    return [Csr(m.indptr.astype(np.int64), m.indices.copy(), m.data.copy(), m.shape[1]) for m in (X, Y)]


def write(matrix, array, value):
    getattr(matrix, array)[1 if array == "indptr" else 0 :] = value


class Writes(Callback):
    def __init__(self, *what):
        self.what = what

    def on_batch_end(self, estimator, context):
        write(*self.what)


def expect(call, *case):
    print(*case, flush=True)
    try:
        call()
    except InputError as error:
        assert "has written into its arrays" in str(error), error
    else:
        sys.exit("no error")


model = dict(hidden=8, epochs=2, batch_size=100, random_state=0, n_jobs=2)


def train(case, array, value, settings):
    for i in (0, 1):
        data = fresh()
        callbacks = [Writes(data[i], array, value)]
        expect(lambda: SlideClassifier(**model, **settings, callbacks=callbacks).fit(*data), "xy"[i], *case)


def read(array, value):
    x, y = fresh()
    network = SlideClassifier(**model, approximate=True).fit(x, y).network_
    made = network.make_ranker(x, y)
    network.set_ranker(network.make_ranker(x, y), Blend(prior=0.1, margin=1.0, association=0.3))
    write(x, array, value)
    calls = {
        "predict": lambda: network.predict_topk(x, 3, 2),
        "approximate": lambda: network.predict_topk(x, 3, 2, approximate=True),
        "logits": lambda: network.logits(x, 2),
        "hidden": lambda: network.hidden(x, 2),
        "lists": lambda: network.learn_candidates(x, y, 2, False),
        "pairs": lambda: network.pair_logits(x, y, 2),
        "margins": lambda: network.ranker_parts(made, x, y),
        "ranker": lambda: network.make_ranker(x, y, 2),
        "update": lambda: network.update_ranker(x, y, 2),
    }
    for name, call in calls.items():
        expect(call, name, array, value)
    x, y = fresh()
    write(y, array, value)
    for name in ("lists", "pairs", "margins", "ranker", "update"):
        expect(calls[name], name, "y", array, value)


part = sys.argv[1]
settings = {"owner": {}, "hogwild": {"update": "hogwild"}, "own": {"active": "per_example", "hash": "dwta"}}
for array, values in {"indices": (2**31 - 1, -1, width), "indptr": (2**40, -1)}.items():
    for value in values:
        if part != "read":
            train((array, value, part), array, value, settings[part])
        elif array == "indices":
            read(array, value)
"""


@pytest.mark.parametrize("part", ["owner", "hogwild", "own", "read"])
def test_writing_into_arrays_that_are_in_use(part):
    done = subprocess.run([sys.executable, "-c", SCRIPT, part], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-200:]
