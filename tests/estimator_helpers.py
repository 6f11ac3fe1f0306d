"""What the tests of the estimator share."""

import numpy as np

from hashslide.estimator import SlideClassifier


def fast(**settings):
    """A model that is trained within milliseconds."""
    quick = {"hidden": 8, "epochs": 3, "batch_size": 50, "ranker": False, "random_state": 0}
    return SlideClassifier(**quick | settings)


def state(model):
    """Copies of all arrays of a model."""
    return {name: array.copy() for name, array in model.network_.state().items()}


def assert_equal_models(a, b):
    """The same arrays, to the last bit."""
    states = state(a), state(b)
    assert states[0].keys() == states[1].keys()
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)
