"""save and load."""

from dataclasses import replace

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, fast
from hash_helpers import Signs
from scipy import sparse

from hashslide import CustomHash, EarlyStopping, Hashed, Layer, Linear, Negatives, model_file
from hashslide.callbacks import Callback
from hashslide.errors import ModelFileError
from hashslide.estimator import SlideClassifier
from hashslide.settings import Optimizer, Sampler, Schedule, SimHash
from hashslide.settings.hash_families import HASH_FAMILIES
from hashslide.settings.plain import CLASSES

LABELS = {
    "ids": lambda Y: Y,
    "dense": lambda Y: Y.toarray().astype(np.uint8),
    "names": lambda Y: [[f"label {i} é" for i in Y[row].indices] for row in range(Y.shape[0])],
    "strings": lambda Y: np.array(["x", "yy", "zzz"])[np.arange(Y.shape[0]) % 3],
    "integers": lambda Y: np.arange(Y.shape[0]) % 5 - 2,
    "floats": lambda Y: np.arange(Y.shape[0]) % 4 * 1.0,
    "booleans": lambda Y: np.arange(Y.shape[0]) % 2 == 0,
}


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("make", LABELS.values(), ids=LABELS.keys())
def test_saved_models_are_the_same(make, mmap, small, tmp_path):
    X, Y = small[0], make(small[1])
    model = fast(optimizer="adam", schedule=Linear(warmup=0.1), label_weight=None).fit(X, Y)
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model", mmap=mmap)
    assert_equal_models(model, loaded)
    assert loaded.get_params() == model.get_params()
    times = {"seconds", "examples_per_second", "memory_bytes"}  # in which equal trainings differ
    assert loaded.history_ == [{k: v for k, v in r.items() if k not in times} for r in model.history_]
    assert loaded.multilabel_ == model.multilabel_
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    for old, new in zip(model.predict_topk(X, 3), loaded.predict_topk(X, 3), strict=True):
        np.testing.assert_array_equal(old, new)
    predictions = [m.predict(X) for m in (model, loaded)]
    assert type(predictions[0]) is type(predictions[1]) and predictions[0].dtype == predictions[1].dtype
    for m in (model, loaded):
        m.partial_fit(X, Y)
    assert_equal_models(model, loaded)


def test_everything_worth_keeping_is_in_the_file(small, tmp_path):
    X, Y = small
    weight = np.linspace(1, 2, Y.shape[1])
    model = fast(label_weight=weight, callbacks=[Callback()], hidden=np.int64(8), ranker=True)
    model.set_params(random_state=np.random.RandomState(0)).fit(X, Y)
    model.feature_names_in_ = np.array([f"word{i}" for i in range(X.shape[1])], object)
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    assert loaded.callbacks is None and loaded.random_state is None and loaded.hidden == 8
    np.testing.assert_allclose(loaded.label_weight, weight)
    np.testing.assert_array_equal(loaded.feature_names_in_, model.feature_names_in_)
    assert_equal_models(model, loaded)
    metadata = model_file.load_model(tmp_path / "model")[1]
    assert metadata["versions"].keys() == {"hashslide", "numpy", "scikit-learn"}
    assert metadata["network"]["hidden"][0]["Layer"]["width"] == 8 and metadata["parameters"]["epochs"] == 3


def test_the_optimiser_may_be_left_out(small, tmp_path):
    model = fast().fit(*small)
    model.save(tmp_path / "whole")
    model.save(tmp_path / "small", optimizer_state=False)
    assert (tmp_path / "small").stat().st_size < (tmp_path / "whole").stat().st_size
    loaded = SlideClassifier.load(tmp_path / "small").partial_fit(*small)
    assert loaded.n_iter_ == 4
    names = model_file.load_model(tmp_path / "small")[0]
    assert not any("adagrad" in name for name in names)


def test_a_loaded_model_does_not_touch_its_file(small, tmp_path):
    fast().fit(*small).save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    SlideClassifier.load(tmp_path / "model").partial_fit(*small).partial_fit(*small)
    assert (tmp_path / "model").read_bytes() == before


def edited(path, edit):
    arrays, metadata = model_file.load_model(path, mmap=False)
    edit(arrays, metadata)
    kept = {name: value for name, value in metadata.items() if name not in _RESERVED}
    model_file.save_model(path, arrays, kept)


_RESERVED = ("format", "format_version", "library_version", "string_tables")

EDITS = {
    "kind": (lambda a, m: m.update(kind="Tree"), "holds a 'Tree', not a SlideClassifier"),
    "no network": (lambda a, m: m.pop("network"), "'network'"),
    "unknown setting": (lambda a, m: m["network"].update(depth=1), "the network has no setting 'depth'"),
    "other size": (
        lambda a, m: m["network"]["hidden"][0]["Layer"].update(width=9),
        r"'input.weight' is (b?float\d\d) of shape \(3, 8\); this network needs \1 of shape \(3, 9\)",
    ),
    "huge size": (
        lambda a, m: m["network"].update(n_labels=2**31 - 1),
        "settings ask for .* weights, but its state holds .* numbers in all",
    ),
    "no weights": (lambda a, m: a.pop("network.output.weight"), "lacks the array 'output.weight'"),
    "no names": (lambda a, m: a.pop("classes"), "lacks the names of its 3 labels"),
    "few names": (
        lambda a, m: a.update(classes=np.array(["a", "b"], object)),
        "lacks the names of its 3 labels",
    ),
    "strange dtype": (lambda a, m: m.update(dense_dtype="O"), "its predictions have the dtype O"),
    "no dtype": (lambda a, m: m.update(dense_dtype="nonsense"), "nonsense"),
    "negative epochs": (
        lambda a, m: m["training"].update(planned_epochs=-5),
        "the planned epochs is -5; accepted is an integer from 0",
    ),
    "form": (lambda a, m: m.update(multilabel="no"), "multilabel is 'no'; accepted are True and False"),
    "unknown parameter": (lambda a, m: m["parameters"].update(depth=3), "has the parameter 'depth'"),
    "parameter out of range": (
        lambda a, m: m["parameters"].update(epochs=-3),
        'epochs is -3; accepted are "auto" and an integer from 1',
    ),
    "setting out of range": (
        lambda a, m: m["network"]["optimizer"]["Adagrad"].update(initial_accumulator=0),
        r"Adagrad\(initial_accumulator=0\): initial_accumulator is 0; accepted are",
    ),
    "setting lacks": (
        lambda a, m: m["network"]["optimizer"]["Adagrad"].pop("initial_accumulator"),
        "Adagrad lacks initial_accumulator",
    ),
    "no class": (
        lambda a, m: m["parameters"].update(optimizer={"Lion": {}}),
        "'Lion'. is not the name of one class of settings",
    ),
    "class of another kind": (
        lambda a, m: m["parameters"].update(optimizer={"Constant": {"warmup": 0.0}}),
        r"optimizer is Constant\(\); accepted are 'adagrad'",
    ),
    "class without fields": (
        lambda a, m: m["network"].update(optimizer={"Adagrad": 3}),
        "Adagrad holds 3; accepted are its fields",
    ),
    "stopping": (
        lambda a, m: m["parameters"].update(early_stopping={"EarlyStopping": {"patience": 2}}),
        "its early_stopping is",
    ),
    "list": (lambda a, m: m.update(parameters=[1]), "is not a whole SlideClassifier"),
    "training": (lambda a, m: m["training"].update(history=3), "is not a whole SlideClassifier"),
    "text in the history": (
        lambda a, m: m["training"].update(history=[{"loss": "low"}]),
        "its history has 'low' as loss; accepted are numbers and null",
    ),
    "list in the history": (lambda a, m: m["training"].update(history=[[1]]), "is not a whole"),
    "same names": (
        lambda a, m: a.update(classes=np.array(["a", "b", "a"], object)),
        "the names of its labels are not distinct",
    ),
    "names of another kind": (
        lambda a, m: a.update(classes=np.arange(3)),
        "its labels are int64, not of the kind 'U' that it notes",
    ),
    "too many names of features": (
        lambda a, m: a.update(feature_names=np.array(list("abcd"), object)),
        "it has 4 names of object for its 3 features",
    ),
    "weight of a label": (
        lambda a, m: a.update(label_weight=np.array([1, np.nan, 1], np.float32)),
        "label_weight holds negative, NaN or infinite",
    ),
}


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=EDITS.keys())
def test_files_that_do_not_fit_together_are_refused(edit, message, tmp_path):
    path = tmp_path / "model"
    fast().fit(np.eye(3), ["a", "b", "c"]).save(path)
    edited(path, edit)
    with pytest.raises(ModelFileError, match=message):
        SlideClassifier.load(path)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_settings_of_every_class_survive_a_file(name, tmp_path):
    kind = CLASSES[name]
    if name == "CustomHash":
        settings = {"hash": CustomHash(Signs(), bucket_size=7)}
    elif name in {cls.__name__ for cls in HASH_FAMILIES.values()}:
        settings = {"hash": kind(probes=2, rehash_growth=3.5)}
    elif issubclass(kind, Sampler):
        settings = {"sampler": kind(), "hash": "wta" if kind.looks_up else None}
    elif issubclass(kind, Optimizer):
        settings = {"optimizer": kind(weight_decay=0.25)}
    elif issubclass(kind, Schedule):
        settings = {"schedule": kind(warmup=0.25)}
    else:
        others = {"Negatives": {"negatives": Negatives(uniform=2)}}
        settings = others.get(name, {"hidden": [Layer(5, "tanh"), Hashed(4, 2, winners=1)]})
    model = fast(epochs=1, early_stopping=EarlyStopping(patience=3), **settings).fit(np.eye(9), range(9))
    model.save(tmp_path / "model")
    own = Signs() if name == "CustomHash" else None
    loaded = SlideClassifier.load(tmp_path / "model", hash=own)
    for parameter, value in settings.items():
        if name == "CustomHash":
            assert replace(loaded.hash, family=value.family) == value and loaded.hash.family is own
        else:
            assert getattr(loaded, parameter) == value
    assert repr(loaded.early_stopping) == "EarlyStopping(patience=3)"
    assert loaded.network_.config.negatives == model.network_.config.negatives


def test_tables_that_are_hardly_ever_built_again_can_be_saved(tmp_path):
    """The step of their next build is beyond 2^53."""
    family = SimHash(hashes=2, tables=2, rehash_first=1, rehash_growth=1e30)
    model = fast(hash=family, sampler="top", epochs=2).fit(np.eye(9), range(9))
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    assert loaded.network_.state("tables")["output.index.progress"].max() > 2**60
    loaded.partial_fit(np.eye(9), range(9))


NUMBERS = {
    "weights of NaN": ("output.weight", np.nan, "'network.output.weight' holds NaN or infinity"),
    "a bias of infinity": ("output.bias", np.inf, "'network.output.bias' holds NaN or infinity"),
    "a negative accumulator": ("output.weight.adagrad", -1, "sums of squares are not negative"),
    "a NaN accumulator": ("input.weight.adagrad", np.nan, "holds NaN or infinity"),
    "candidates of NaN": ("candidates.cells.centres", np.nan, "holds NaN or infinity"),
    "negative counts": ("label_counts", -1, "label_counts"),
    "counts of 2^63 - 1": ("label_counts", 2**63 - 1, "label_counts"),
    "2^63 - 1 steps and examples": ("progress", 2**63 - 1, "'progress' holds 9223372036854775807"),
    "negative steps": ("progress", -1, "progress"),
    "labels out of range": ("candidates.cells.labels", 2**31 - 1, "candidates.cells.labels"),
    "places out of range": ("candidates.cells.ranges", 2**62, "candidates.cells"),
}


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize(("name", "value", "message"), NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_that_no_training_leaves_are_refused(name, value, message, mmap, tmp_path):
    path = tmp_path / "model"
    fast(approximate=True, precision="float32").fit(np.eye(3), ["a", "b", "c"]).save(path)
    edited(path, lambda a, m: a[f"network.{name}"].reshape(-1).__setitem__(-1, value))
    with pytest.raises(ModelFileError, match=message):
        SlideClassifier.load(path, mmap=mmap)


def test_one_wrong_number_among_many_is_found_on_request(tmp_path):
    path = tmp_path / "model"
    model = fast(hidden=512, precision="float32").fit(sparse.eye(5000, format="csr"), np.arange(5000) % 3)
    model.save(path)
    edited(path, lambda a, m: a["network.input.weight"].__setitem__((1234, 5), np.nan))
    with pytest.raises(ModelFileError, match=r"'network\.input\.weight' holds NaN"):
        SlideClassifier.load(path, verify=True)
    edited(path, lambda a, m: a["network.input.weight"].fill(np.nan))
    with pytest.raises(ModelFileError, match=r"'network\.input\.weight' holds NaN"):
        SlideClassifier.load(path)


def test_floats_that_are_no_labels_are_refused(tmp_path):
    path = tmp_path / "model"
    fast().fit(np.eye(3), [1.0, 2.0, 3.0]).save(path)
    edited(path, lambda a, m: a.update(classes=np.array([1.0, np.nan, 3.0])))
    with pytest.raises(ModelFileError, match="not distinct and finite"):
        SlideClassifier.load(path)


def test_numbers_that_were_not_finite_come_back(tmp_path):
    model = fast().fit(np.eye(3), ["a", "b", "c"])
    model.history_[0]["val_P@1"] = np.nan
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    assert np.isnan(loaded.history_[0]["val_P@1"])
    loaded.save(tmp_path / "again")


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ({}, "uses_candidates"),
        (None, "is not a whole SlideClassifier"),
        ({"uses_candidates": "no"}, "uses_candidates is 'no'; accepted are True and False"),
        ({"reason": 3}, "reason is 3; accepted is text"),
        ({"probes": -1}, "probes is -1; accepted is an integer from 0"),
        ({"relative_cost": "much"}, "relative_cost is 'much'; accepted is a number"),
        ({"kept": {"P@1": 0.5}}, "k is None; accepted is an integer"),
        ({"exact": True}, "unexpected keyword argument 'exact'"),
    ],
)
def test_damaged_reports_on_approximate_prediction_are_refused(report, message, tmp_path):
    path = tmp_path / "model"
    model = fast(approximate=True).fit(np.eye(3), ["a", "b", "c"])
    model.save(path)
    edited(path, lambda a, m: m.update(approximate=report and model.approximate_.to_dict() | report))
    with pytest.raises(ModelFileError, match=message):
        SlideClassifier.load(path)
