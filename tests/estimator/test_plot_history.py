"""The figure of a training, from the records of its epochs."""

import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from hashslide import SlideClassifier
from hashslide.errors import InputError


@pytest.fixture(scope="module")
def trained(pubmed_small) -> SlideClassifier:
    d = pubmed_small
    model = SlideClassifier(16, epochs=3, approximate=False, random_state=0)
    return model.fit(d.X_train[:300], d.Y_train[:300], eval_set=(d.X_test, d.Y_test))


@pytest.fixture
def axes():
    return Figure().subplots()


def test_metrics_against_epochs(trained, axes):
    assert trained.plot_history(ax=axes) is axes
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert set(lines) == {"P@1", "P@3", "P@5", "nDCG@5"}
    assert_array_equal(lines["P@3"], [(e["epoch"], e["val_P@3"]) for e in trained.history_])
    assert axes.get_xlabel() == "epoch" and axes.get_legend() is not None


def test_one_figure_against_time(trained, axes):
    trained.plot_history("seconds", "val_P@1", ax=axes)
    (line,) = axes.lines
    assert_array_equal(line.get_xdata(), np.cumsum([e["seconds"] for e in trained.history_]))
    assert axes.get_ylabel() == "P@1" and axes.get_legend() is None


def test_without_validation_the_loss_is_drawn(pubmed_small, axes):
    model = SlideClassifier(16, epochs=2, approximate=False).fit(
        pubmed_small.X_train[:100], pubmed_small.Y_train[:100]
    )
    model.plot_history(ax=axes)
    assert axes.get_ylabel() == "loss"
    assert_array_equal(axes.lines[0].get_ydata(), [e["loss"] for e in model.history_])


def test_a_new_figure_is_pyplots(trained, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot

    drawn = trained.plot_history()
    assert pyplot.gcf() is drawn.figure
    pyplot.close(drawn.figure)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "time"}, "x is 'time'; accepted are 'epoch' and 'seconds'"),
        ({"y": "P@1"}, "y names 'P@1'; the records have epoch, loss"),
        ({"y": []}, "y is empty"),
        ({"y": 3}, "y is 3"),
        ({"y": ["loss", 3]}, "y names 3"),
        ({"ax": "here"}, "ax is 'here'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(trained, axes, arguments, message):
    with pytest.raises(InputError, match=message):
        trained.plot_history(**{"ax": axes} | arguments)
    assert not axes.lines


def test_without_matplotlib_the_remedy_is_named(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'hashslide\[plot\]'"):
        trained.plot_history()


def test_unfitted_is_refused():
    with pytest.raises(NotFittedError):
        SlideClassifier().plot_history()
