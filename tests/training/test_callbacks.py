import io
import json
import pickle

import numpy as np
import pytest
from rich.console import Console
from sklearn.base import clone

from hashslide.callbacks import Callback, Checkpoint, EarlyStopping, History, Progress
from hashslide.callbacks.checkpoint import checkpoint_files, checkpoint_name
from hashslide.callbacks.progress import describe
from hashslide.errors import InputError, OutputError
from hashslide.estimator import SlideClassifier


@pytest.fixture
def data(pubmed_small):
    """Real training and validation data, small enough for many fits."""
    d = pubmed_small
    return d.X_train[:400], d.Y_train[:400], (d.X_test[:100], d.Y_test[:100])


def fit(data, *callbacks, epochs=4, **settings):
    X, Y, held_out = data
    settings = {"hidden": 8, "batch_size": 100, "random_state": 0, **settings}
    return SlideClassifier(epochs=epochs, callbacks=list(callbacks), **settings).fit(X, Y, eval_set=held_out)


def weights(model):
    return model.network_.state()["output.weight"].copy()


class Interrupt(Callback):
    """Acts like Ctrl-C."""

    def __init__(self, epoch, batch):
        self.at = (epoch, batch)

    def on_batch_end(self, estimator, context):
        if (context.epoch, context.batch) == self.at:
            raise KeyboardInterrupt


class Script(Callback):
    """Replaces a figure by given values, and keeps the weights of each epoch."""

    def __init__(self, name, values):
        self.name, self.values, self.weights = name, values, []

    def on_epoch_end(self, estimator, context):
        context.logs[self.name] = self.values[context.epoch]
        self.weights.append(weights(estimator))


def test_every_hook_may_be_left_out(data):
    assert fit(data, Callback()).n_iter_ == 4


def test_history_keeps_all_records(data, tmp_path):
    history = History(tmp_path / "log.jsonl")
    models = [fit(data, history, epochs=2), fit(data, history, epochs=1)]
    assert history.records == [*models[0].history_, *models[1].history_]
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history.records


@pytest.mark.parametrize(
    ("values", "best", "stopped"),
    [
        ([1, 2, 3, 4, 5, 6], 6, 6),
        ([3, 2, 1, 0, 9, 9], 1, 3),
        ([1, 5, 5, 4, 9, 9], 2, 4),
        ([1, 5, 4, 6, 5, 5], 4, 6),
    ],
)
def test_early_stopping_returns_to_the_best_epoch(values, best, stopped, data):
    script, stopping = Script("val_nDCG@5", values), EarlyStopping(patience=2)
    model = fit(data, script, stopping, epochs=6)
    assert (stopping.best_epoch_, stopping.best_value_) == (best, values[best - 1])
    assert model.n_iter_ == stopped
    np.testing.assert_array_equal(weights(model), script.weights[best - 1])


def test_early_stopping_on_the_loss_wants_it_small(data):
    script, stopping = Script("loss", [5.0, 4.0, 4.5, 4.2, 1.0]), EarlyStopping("loss", patience=2)
    fit(data, script, stopping, epochs=5)
    assert (stopping.best_epoch_, len(script.weights)) == (2, 4)


def test_early_stopping_wants_an_improvement_of_min_delta(data):
    stopping = EarlyStopping(patience=2, min_delta=0.5)
    fit(data, Script("val_nDCG@5", [1.0, 1.4, 1.45, 2.0]), stopping)
    assert stopping.best_epoch_ == 1


def test_early_stopping_restores_the_best_weights_after_an_interrupt(data):
    script, stopping = Script("val_nDCG@5", [1, 2, 1, 1]), EarlyStopping()
    X, Y, held_out = data
    model = SlideClassifier(hidden=8, batch_size=100, epochs=4, callbacks=[script, stopping, Interrupt(2, 3)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, eval_set=held_out)
    np.testing.assert_array_equal(weights(model), script.weights[1])


def test_early_stopping_holds_no_weights_afterwards(data):
    stopping = EarlyStopping()
    fit(data, stopping)
    assert len(pickle.dumps(stopping)) < 1000


def test_a_figure_that_is_not_recorded_is_refused(data):
    X, Y, _ = data
    model = SlideClassifier(hidden=8, epochs=2, callbacks=[EarlyStopping("val_P@9")])
    with pytest.raises(
        InputError, match=r"monitors 'val_P@9', but an epoch's record holds .*'loss'.*eval_set"
    ):
        model.fit(X, Y)


def test_checkpoints_hold_the_model_of_their_epoch(data, tmp_path):
    script = Script("unused", [0] * 4)
    fit(data, script, Checkpoint(tmp_path, every=2))
    files = {epoch: tmp_path / checkpoint_name(epoch, 0) for epoch in (2, 4)}
    assert sorted(tmp_path.iterdir()) == list(files.values())
    for epoch, path in files.items():
        model = SlideClassifier.load(path)
        np.testing.assert_array_equal(weights(model), script.weights[epoch - 1])
        assert model.n_iter_ == epoch


def test_checkpoints_are_written_after_so_many_examples(data, tmp_path):
    fit(data, Checkpoint(tmp_path, "250 examples", keep=None))
    n = 4 * len(range(0, data[0].shape[0], 100))
    batches = n // 4
    due = [((batch - 1) // batches, (batch - 1) % batches + 1) for batch in range(3, n, 3)] + [(4, 0)]
    assert [path.name for path in reversed(checkpoint_files(tmp_path))] == [
        checkpoint_name(*at) for at in due
    ]
    fit(data, Checkpoint(tmp_path, "250 examples", keep=3))
    assert len(checkpoint_files(tmp_path)) == 3


def test_checkpoints_are_written_when_time_has_passed(data, tmp_path, monkeypatch):
    hours = iter(range(10**6))
    monkeypatch.setattr("hashslide.callbacks.checkpoint.time.monotonic", lambda: 3600.0 * next(hours))
    fit(data, Checkpoint(tmp_path, "1h", keep=None), epochs=2)
    assert len(checkpoint_files(tmp_path)) > 2


def test_training_goes_on_from_a_checkpoint_as_if_never_interrupted(data, tmp_path):
    X, Y, _ = data
    whole = fit(data)
    with pytest.raises(KeyboardInterrupt):
        fit(data, Checkpoint(tmp_path, 1), Interrupt(2, 2))
    model = SlideClassifier.load(checkpoint_files(tmp_path)[0])
    for _ in range(2):
        model.partial_fit(X, Y)
    assert model.n_iter_ == 4
    assert [r["learning_rate"] for r in model.history_] == [r["learning_rate"] for r in whole.history_]
    for name, array in whole.network_.state().items():
        np.testing.assert_array_equal(model.network_.state()[name], array, err_msg=name)


def test_a_checkpoint_that_cannot_be_written_fails_before_the_training(data, tmp_path):
    history = History()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the folder"):
        fit(data, history, Checkpoint(tmp_path / "file" / "states"))
    assert history.records == []


def test_progress_writes_a_line_for_each_epoch(data):
    file = io.StringIO()
    model = fit(data, Progress(file), epochs=2)
    of_epochs = [line for line in file.getvalue().splitlines() if ", because " not in line]
    assert of_epochs == [describe(record, 2) for record in model.history_]


def test_the_line_of_an_epoch():
    record = {
        "epoch": 3,
        "loss": 12.34567,
        "val_P@1": 0.81234,
        "val_nDCG@5": 0.5,
        "examples_per_second": 12345.6,
        "active": 1804.2,
        "memory_bytes": 1.234e9,
    }
    assert describe(record, 10) == (
        "epoch 3/10  loss 12.35  P@1 0.8123  nDCG@5 0.5000  12,346 examples/s  active 1,804  memory 1.23 GB"
    )


def test_progress_moves_a_bar_on_a_terminal(data, monkeypatch):
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, highlight=False, width=150)
    monkeypatch.setattr("rich.console.Console", lambda **settings: terminal)
    model = fit(data, Progress(), epochs=2)
    text = file.getvalue()
    assert all(describe(record, 2)[:20] in text for record in model.history_)
    assert "/4" in text and "━" in text and "\x1b[" in text


def test_progress_leaves_nothing_behind(data):
    progress = Progress(io.StringIO())
    with pytest.raises(KeyboardInterrupt):
        fit(data, progress, Interrupt(1, 1))
    assert progress._bar is None and progress._console is None


def test_verbose_writes_to_standard_error(data, capsys):
    fit(data, verbose=1, epochs=1)
    captured = capsys.readouterr()
    assert "\nepoch 1/1  loss " in captured.err and captured.out == ""
    fit(data, epochs=1)
    assert capsys.readouterr().err == ""


def test_callbacks_can_be_cloned():
    model = SlideClassifier(callbacks=[EarlyStopping(), Checkpoint("m"), History(), Progress()])
    assert [type(c) for c in clone(model).callbacks] == [type(c) for c in model.callbacks]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (Callback(), "callbacks is a Callback; accepted is a list"),
        ([Callback], "the callback <class .*Callback'> is not acceptable; pass instances"),
        ([print], "the callback <built-in function print> is not acceptable"),
    ],
)
def test_bad_callbacks_are_refused(callbacks, message, data):
    with pytest.raises(InputError, match=message):
        SlideClassifier(callbacks=callbacks).fit(*data[:2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=0), "patience is 0"),
        (lambda: EarlyStopping(min_delta=-1), "min_delta is -1"),
        (lambda: Checkpoint("m", every=0), "every is 0"),
        (lambda: Checkpoint("m", every="5 minutes"), "every is '5 minutes'; accepted are a time"),
        (lambda: Checkpoint("m", every="0 examples"), "every is '0 examples'"),
        (lambda: Checkpoint("m", every="1.5 epochs"), "every is '1.5 epochs'"),
        (lambda: Checkpoint("m", keep=0), "keep is 0"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
