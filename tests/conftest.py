"""Shared fixtures: real data, read once a session."""

import os
import signal

import pytest
from data_helpers import slice_of

from hashslide import SlideClassifier, data

# Started in the background by a script, Ctrl-C is ignored, and so it would be by the commands under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Triton runs its kernels in its interpreter, as there is no GPU; it asks when it is imported.
os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture(scope="session")
def pubmed() -> data.Dataset:
    """The whole built-in set pubmed-mesh. Do not change its arrays."""
    return data.builtin("pubmed-mesh")


@pytest.fixture(scope="session")
def pubmed_small(pubmed) -> data.Dataset:
    """A real slice: 1,500 training and 300 test examples with the features and labels of the former.

    9,157 features and 3,654 labels, each of which occurs in training. Do not change its arrays.
    """
    return slice_of(pubmed, 1500, 300)


@pytest.fixture(scope="session")
def text(pubmed_small) -> tuple[data.Dataset, SlideClassifier]:
    """The slice and a model of it. Do not change them."""
    d = pubmed_small
    model = SlideClassifier(hidden=32, random_state=0).fit(d.X_train, d.Y_train, classes=d.label_names)
    return d, model


@pytest.fixture
def small(pubmed_small) -> tuple:
    """A quarter of the slice, for many fits."""
    return pubmed_small.X_train[:400], pubmed_small.Y_train[:400]
