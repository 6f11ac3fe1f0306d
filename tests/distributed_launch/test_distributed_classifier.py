"""DistributedSlideClassifier: an ordinary classifier, after a training by other processes."""

import numpy as np
import pytest
from launch_helpers import SETTINGS
from sklearn.base import clone

from hashslide import SlideClassifier
from hashslide.callbacks import Checkpoint
from hashslide.data import Pack
from hashslide.distributed import DistributedSlideClassifier
from hashslide.distributed.exchange import Alone
from hashslide.distributed.launching import engines
from hashslide.distributed.launching.rank import run_rank


@pytest.fixture
def in_this_process(monkeypatch):
    """One rank does the job here: the processes are tested elsewhere. The jobs are noted."""
    jobs = []

    def start(job, workers, engine, n_jobs):
        jobs.append((job, workers, engine))
        return run_rank(job, Alone(), n_jobs).history_

    monkeypatch.setattr("hashslide.distributed.classifier.start", start)
    return jobs


def make(**parameters):
    return DistributedSlideClassifier(**SETTINGS | {"protocol": "activations", "n_jobs": 1} | parameters)


def test_parameters_are_those_of_both_classes():
    own = {"workers", "protocol", "engine", "shards", "timeout", "n_fetch", "n_push", "wire", "overlap"}
    model = make(workers=4, ranker=False)
    assert set(model.get_params()) == set(SlideClassifier().get_params()) | own
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(epochs=9, workers=1).epochs == 9
    assert "ranker=False" in repr(model) and "shards" not in repr(model)
    with pytest.raises(TypeError, match="epoch"):
        DistributedSlideClassifier(epoch=3)


def test_it_is_an_ordinary_classifier_afterwards(in_this_process, small_examples, undisturbed, tmp_path):
    X, Y = small_examples
    names = np.array([f"label {i}" for i in range(Y.shape[1])], object)
    model = make(workers=4).fit(X, Y, classes=names, eval_set=(X[:50], Y[:50]))
    expected = SlideClassifier.load(undisturbed)
    ids, scores = expected.predict_topk(X[:20], k=3)
    labels, own_scores = model.predict_topk(X[:20], k=3)
    assert np.array_equal(scores, own_scores) and np.array_equal(names[ids], labels)
    assert [round(record["val_P@1"], 6) for record in model.history_] and model.n_iter_ == 3
    assert all(record["seconds"] > 0 for record in model.history_)
    model.save(tmp_path / "m.hashslide")
    again = SlideClassifier.load(tmp_path / "m.hashslide")
    assert np.array_equal(again.predict_topk(X[:20], k=3)[0], labels)
    before = model.network_.step
    model.partial_fit(X[:64], Y[:64])
    assert model.network_.step > before


def test_a_pack_of_the_same_examples_gives_the_same_model(in_this_process, pack, small_examples):
    X, Y = small_examples
    of_matrices, of_pack = make().fit(X, Y), make(protocol="auto").fit(Pack.open(pack))
    for name, array in of_pack.network_.state().items():
        assert np.array_equal(array, of_matrices.network_.state()[name]), name
    assert in_this_process[0][1:] == (2, "torchrun")
    assert of_pack.n_features_in_ == X.shape[1] and of_pack.multilabel_


def test_one_class_for_each_example(in_this_process):
    rng = np.random.default_rng(0)
    y = np.array(["left", "middle", "right"])[rng.integers(0, 3, 200)]
    X = np.eye(3)[np.searchsorted(["left", "middle", "right"], y)] + rng.normal(0, 0.1, (200, 3))
    model = make(batch_size=16, epochs=5, random_state=np.random.RandomState(4)).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.predict_proba(X[:2]).shape == (2, 3)
    assert list(model.classes_) == ["left", "middle", "right"] and not model.multilabel_


def test_checkpoints_and_names_of_features(in_this_process, small_examples, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, Y = small_examples
    frame = pandas.DataFrame(X[:, :40].toarray(), columns=[f"f{i}" for i in range(40)])
    state = Checkpoint(tmp_path / "states", "1 epoch", keep=1)
    model = make(callbacks=[state]).fit(frame, Y, resume_from=tmp_path / "states")
    assert list(model.feature_names_in_) == list(frame.columns)
    assert [path.name for path in (tmp_path / "states").iterdir()] == ["epoch-0003-batch-00000000"]
    again = make(callbacks=[state]).fit(frame, Y, resume_from=tmp_path / "states")
    assert np.array_equal(again.predict_topk(frame[:5])[1], model.predict_topk(frame[:5])[1])
    assert callable(engines.start)
