"""One model in several threads and processes: training, growth, predictions, copies, callbacks, forks."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest
from estimator_helpers import fast
from scipy import sparse

from hashslide import SlideClassifier
from hashslide.callbacks import Callback

N_LABELS = 4  # so few that each has many examples


def batch(first_label, n=60, seed=0):
    """Examples of two labels that all batches share and of three with names from first_label on."""
    rng = np.random.default_rng(seed)
    X = sparse.random(n, 40, 0.2, "csr", np.float32, random_state=seed)
    ids = [rng.choice(N_LABELS, 3, replace=False) for _ in range(n)]
    return X, [["a", "b"] + [f"l{first_label + i:05d}" for i in row] for row in ids]


def run_all(functions):
    """Run each function on its own thread; raise what one of them raises."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("settings", [{}, {"update": "hogwild"}, {"approximate": True}])
def test_eight_threads_train_one_model_while_others_read_it(settings, tmp_path):
    """It grows in every call; every prediction goes together with the names of its moment."""
    model = fast(n_jobs=2, **settings).fit(*batch(0))
    X = batch(0)[0]
    ends = threading.Event()
    trained = []

    def train(i):
        for j in range(3):
            model.partial_fit(*batch(100 * (3 * i + j + 1), seed=i))
        trained.append(i)
        if len(trained) == 8:
            ends.set()

    def read(call):
        while not ends.is_set():
            call()

    def predict():
        names, scores = model.predict_topk(X, 10**6)
        assert names.shape == scores.shape and np.isfinite(scores).all()
        assert all(len(set(row)) == len(row) for row in names[:3].tolist())

    def save():
        path = tmp_path / f"m{threading.get_ident()}"
        model.save(path)
        SlideClassifier.load(path).predict_topk(X, 3)

    def copies():
        for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert len(other.classes_) == other.network_.config.n_labels
            other.predict_topk(X[:5], 3)

    readers = (predict, lambda: model.predict(X[:1]), save, copies, lambda: model.decision_function(X[:3]))
    run_all([lambda i=i: train(i) for i in range(8)] + [lambda call=c: read(call) for c in readers])
    assert len(model.classes_) == model.network_.config.n_labels == 2 + 25 * N_LABELS
    assert model.n_iter_ == 3 + 24
    assert model.network_.step == 27 * 2
    assert model.network_.n_examples_seen == 25 * 60


def test_threads_that_fit_the_same_model_take_turns():
    model = fast(epochs=5)
    X, y = batch(0)
    run_all([lambda: model.fit(X, y)] * 4)
    alone = fast(epochs=5).fit(X, y)
    np.testing.assert_array_equal(model.predict_topk(X, 5)[1], alone.predict_topk(X, 5)[1])


class UsesTheModel(Callback):
    """Does from within training, on the same thread, whatever a callback may do."""

    def __init__(self, path):
        self.path, self.calls = path, 0

    def on_batch_end(self, estimator, context):
        self.calls += 1
        estimator.predict_topk(batch(0)[0][:2], 3)
        estimator.save(self.path)
        estimator.score(*batch(0))
        copy.deepcopy(estimator)
        context.network.snapshot()


def test_callbacks_use_the_model_that_is_trained(tmp_path):
    callback = UsesTheModel(tmp_path / "m")
    fast(callbacks=[callback]).fit(*batch(0)).partial_fit(*batch(50))
    assert callback.calls == 4 * 2
    SlideClassifier.load(tmp_path / "m").predict(batch(0)[0])


def test_copies_are_models_of_their_own():
    model = fast().fit(*batch(0))
    X = batch(0)[0]
    expected = model.predict_topk(X, 3)[1]
    deep, pickled, shallow = copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)
    for other in (deep, pickled):
        other.partial_fit(*batch(90))
        np.testing.assert_array_equal(model.predict_topk(X, 3)[1], expected)
    assert shallow.network_ is model.network_
    np.testing.assert_array_equal(shallow.predict_topk(X, 3)[1], expected)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forks_while_a_thread_trains():
    """Each child has a whole model, whatever the other thread was doing, and may use all threads."""
    model = fast(n_jobs=2).fit(*batch(0))
    X, ends = batch(0)[0], threading.Event()

    def train():
        i = 0
        while not ends.is_set():
            i += 1
            model.partial_fit(*batch(100 * min(i, 12), seed=i % 5))

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    names, scores = model.predict_topk(X, 10**6)
                    if names.shape == scores.shape and np.isfinite(scores).all():
                        model.partial_fit(*batch(0))
                        code = 0
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        ends.set()
        thread.join(60)


def fork_in_a_thread(results):
    child = os.fork()
    if child == 0:
        os._exit(0)
    results.append(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_threads_fork_while_the_main_thread_trains():
    results = []

    class Forks(Callback):
        def on_batch_end(self, estimator, context):
            thread = threading.Thread(target=fork_in_a_thread, args=(results,))
            thread.start()
            thread.join(60)

    fast(callbacks=[Forks()]).fit(*batch(0))
    assert results == [0] * 6
