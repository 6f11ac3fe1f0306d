"""Ctrl-C at each call of the core, before and after it: the model is whole and goes on."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
from estimator_helpers import fast

import hashslide.network
from hashslide import SlideClassifier, _core

N = 40  # examples


class Interrupter:
    """Stands in for the core: raises KeyboardInterrupt at its n-th call, before or after it is made."""

    def __init__(self):
        self.arm(None)

    def arm(self, n, after=False):
        self.left, self.after, self.fired = n, after, False

    def call(self, function, *args):
        if self.left is None:
            return function(*args)
        self.left -= 1
        if self.left != 0:
            return function(*args)
        self.fired = True
        if self.after:
            function(*args)
        raise KeyboardInterrupt

    def module(self):
        names = {name: getattr(_core, name) for name in dir(_core) if not name.startswith("__")}

        def network(*args):
            return Core(self, self.call(_core.Network, *args))

        network.from_state = lambda *args: Core(self, self.call(_core.Network.from_state, *args))
        return SimpleNamespace(**names | {"Network": network})


class Core:
    """A network of the core whose calls are counted."""

    def __init__(self, interrupter, network):
        self.__dict__.update(_interrupter=interrupter, _network=network)

    def __getattr__(self, name):
        interrupter, value = self._interrupter, interrupter_get(self._interrupter, self._network, name)
        return (lambda *args: interrupter.call(value, *args)) if callable(value) else value

    def __setattr__(self, name, value):
        self._interrupter.call(setattr, self._network, name, value)


def interrupter_get(interrupter, network, name):
    value = getattr(network, name)
    return value if callable(value) else interrupter.call(getattr, network, name)


@pytest.fixture
def interrupter(monkeypatch):
    interrupter = Interrupter()
    monkeypatch.setattr(hashslide.network._network, "_core", interrupter.module())
    return interrupter


def assert_whole(model, X, path):
    """It predicts in every way, and so does what is saved of it; both go on."""
    model.save(path)
    loaded = SlideClassifier.load(path)
    assert loaded.classes_.tolist() == model.classes_.tolist()
    is_approximate = model.network_.has_candidates
    assert loaded.network_.has_candidates == is_approximate
    for approximate in (False, True) if is_approximate else (False,):
        ours, theirs = (m.predict_topk(X, 4, approximate=approximate) for m in (model, loaded))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    if is_approximate:
        assert loaded.approximate_ == model.approximate_
        assert loaded.network_.candidate_settings == model.network_.candidate_settings


def labels(first):
    return [[f"l{first + (i * 7 + j) % 12:03d}" for j in range(3)] for i in range(N)]


ACTIONS = {
    "fit": lambda model, X: model.fit(X, labels(0)),
    "fit again": lambda model, X: model.fit(X, labels(50)),
    "grow": lambda model, X: model.partial_fit(X, labels(6)),
    "build": lambda model, X: model.build_approximate(X, labels(0)),
    "tune": lambda model, X: model.tune_approximate(X, labels(0), k=3, share=0.3),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("action", ACTIONS)
def test_every_call_of_the_core_may_be_interrupted(interrupter, pubmed_small, tmp_path, action, after):
    X = pubmed_small.X_train[:N]
    settings = {"approximate": True, "epochs": 1, "ranker": True, "label_weight": "propensity"}
    n = 0
    while True:
        model = fast(**settings)
        if action != "fit":
            ACTIONS["fit"](model, X)
        n += 1
        interrupter.arm(n, after)
        with contextlib.suppress(KeyboardInterrupt):
            ACTIONS[action](model, X)
        fired = interrupter.fired
        interrupter.arm(None)
        if hasattr(model, "network_"):
            assert_whole(model, X, tmp_path / "m")
        ACTIONS["grow"](model, X)
        assert_whole(model, X, tmp_path / "m")
        if not fired:
            break
    assert n > (3 if action in ("build", "tune") else 6)
