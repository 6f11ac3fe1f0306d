"""Every bad argument of the estimator."""

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import fast, state

from hashslide.errors import InputError

BAD_PARAMETERS = {
    "hidden": (0, "hidden is 0; accepted are an integer from 1"),
    "hidden, matrix": (np.ones((2, 2), int), r"hidden is array\(\[1, 1\]\); accepted are an integer from 1"),
    "hidden, scalar array": (np.array(0), r"hidden is array\(0\); accepted are an integer from 1"),
    "epochs": (0, 'epochs is 0; accepted are "auto" and an integer from 1'),
    "batch_size": ("big", "batch_size is 'big'; accepted are .* an integer from 1"),
    "learning_rate": (0.0, r"learning_rate is 0.0; accepted are .* a number in \(0, inf\)"),
    "loss": ("hinge", "loss is 'hinge'; accepted are .auto., 'bce' and 'softmax'"),
    "learning_rate, array": (
        np.array([0.1, 0.2]),
        r"learning_rate is array\(\[0.1, 0.2\]\); accepted are .* a number",
    ),
    "learning_rate, text": (b"0.1", "learning_rate is b'0.1'; accepted are .* a number"),
    "optimizer": (
        "lion",
        "optimizer is 'lion'; accepted are 'adagrad', 'adam', 'sgd' and an object",
    ),
    "schedule": (
        "step",
        "schedule is 'step'; accepted are 'constant', 'linear', 'cosine' and an",
    ),
    "input_dropout": (1.0, r"input_dropout is 1.0; accepted are .* a number in \[0, 1\)"),
    "example_power, huge": (
        10**400,
        "example_power is an integer of more than 100 digits; accepted",
    ),
    "negatives": (-5, 'negatives is -5; accepted are "auto", an integer from 0'),
    "negatives, text": ("all", "negatives is 'all'; accepted are .* an object such as Negatives"),
    "hash": ("dtwa", "hash is 'dtwa'; accepted are None, 'simhash', .*'kmeans'"),
    "active": ("per_label", "active is 'per_label'; accepted are 'per_batch' and 'per_example'"),
    "update": ("locked", "update is 'locked'; accepted are 'owner' and 'hogwild'"),
    "sampler": ("most", "sampler is 'most'; accepted are .auto., 'vanilla'"),
    "ranker": (0.5, 'ranker is 0.5; accepted are "auto", True and False'),
    "both_ways": ("yes", "both_ways is 'yes'; accepted are \"auto\", True and False"),
    "label_weight": ("rare", "label_weight is 'rare'; accepted are None, 'propensity' and an array"),
    "label_weight, text": (["a", "b", "c", "d"], "label_weight holds text that is no number: .*'a'"),
    "label_weight, mapping": ({"a": 1}, "label_weight holds an object that is no number"),
    "early_stopping": ("yes", "early_stopping is 'yes'; accepted are True, False and an EarlyStopping"),
    "validation_fraction": (1.0, r"validation_fraction is 1.0; accepted is a number in \(0, 1\)"),
    "approximate": (2, 'approximate is 2; accepted are "auto", True and False'),
    "callbacks": (3, "callbacks is a int; accepted is a list"),
    "verbose": (-1, "verbose is -1; accepted is an integer from 0"),
    "n_jobs": (0, "n_jobs is 0; accepted are None, a positive number"),
    "n_jobs, array": (np.array([1, 2]), "n_jobs is array.*; accepted are None, a positive number"),
    "random_state": ("seed", "random_state is 'seed'"),
}


@pytest.mark.parametrize(("name", "case"), BAD_PARAMETERS.items())
def test_bad_parameters_are_refused_before_anything_changes(name, case):
    value, message = case
    name = name.split(",")[0]
    model = fast().fit(np.eye(3), ["a", "b", "c"])
    before = dict(vars(model))
    model.set_params(**{name: value})
    with pytest.raises(InputError, match=message):
        model.fit(np.eye(4), ["a", "b", "c", "d"])
    assert vars(model) == before | {name: getattr(model, name)}


def with_nan():
    X = np.eye(3)
    X[1, 1] = np.nan
    return X


FIT_ERRORS = {
    "NaN": ((with_nan(), [0, 1, 2]), {}, "X contains NaN at row 1, column 1"),
    "mixed names": (
        (pd.DataFrame(np.eye(2), columns=["a", 1]), [0, 1]),
        {},
        "the column names of X are not acceptable",
    ),
    "rows": ((np.eye(3), [0, 1]), {}, "X and Y have inconsistent numbers of samples: 3 and 2"),
    "no rows": ((np.ones((0, 3)), []), {}, r"0 sample\(s\)"),
    "no target": ((np.eye(3), None), {}, "requires y to be passed"),
    "weights": ((np.eye(3), [0, 1, 2], [1, -1, 1]), {}, r"sample_weight\[1\] is -1, negative"),
    "classes": ((np.eye(3), [0, 1, 2]), {"classes": [0, 1]}, "y holds the label 2, which is not among"),
    "eval_set": (
        (np.eye(3), [0, 1, 2]),
        {"eval_set": np.eye(3)},
        "eval_set is a ndarray; accepted is one pair",
    ),
    "eval rows": (
        (np.eye(3), [0, 1, 2]),
        {"eval_set": (np.eye(3), [1])},
        "X and y of eval_set have inconsistent",
    ),
    "eval columns": (
        (np.eye(3), [0, 1, 2]),
        {"eval_set": (np.eye(2), [1, 2])},
        "eval_set X has 2 features, but X has 3",
    ),
    "eval NaN": ((np.eye(3), [0, 1, 2]), {"eval_set": (with_nan(), [0, 1, 2])}, "eval_set X contains NaN"),
    "eval empty": (
        (np.eye(3), [0, 1, 2]),
        {"eval_set": (np.ones((0, 3)), [])},
        "required by .* in eval_set X",
    ),
}


@pytest.mark.parametrize(("arguments", "named", "message"), FIT_ERRORS.values(), ids=FIT_ERRORS.keys())
def test_bad_data_are_refused_before_anything_changes(arguments, named, message):
    model = fast()
    _ = model._lock  # made at its first use
    before = dict(vars(model))
    with pytest.raises(InputError, match=message):
        model.fit(*arguments, **named)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (0, "k is 0; accepted is an integer from 1"),
        (1.5, "k is 1.5; accepted is an integer"),
        (np.array([1, 2]), r"k is array\(\[1, 2\]\); accepted is an integer"),
    ],
)
def test_a_bad_k_is_refused(k, message, text):
    with pytest.raises(InputError, match=message):
        text[1].predict_topk(text[0].X_test, k)


def test_too_little_data_to_hold_any_out():
    with pytest.raises(InputError, match=r"validation_fraction=0.5 of n_samples=1 leaves none to train on"):
        fast(early_stopping=True, validation_fraction=0.5).fit([[1.0]], ["a"])


def test_diverging_training_says_what_to_do(small):
    with pytest.raises(InputError, match=r"the loss became .* Lower learning_rate, or scale the features"):
        fast(optimizer="sgd", learning_rate=1e30).fit(*small)


@pytest.mark.parametrize("name", ["probabilities", "approximate"])
def test_choices_of_a_prediction_are_true_or_false(name, text):
    with pytest.raises(InputError, match=f"{name} is 'no'; accepted are True and False"):
        text[1].predict_topk(text[0].X_test, **{name: "no"})


def test_mixed_column_names_are_refused_before_anything_changes():
    y, mixed = ["x", "y", "z"], pd.DataFrame(np.eye(3), columns=["a", 1, "b"])
    frame = pd.DataFrame(np.eye(3)[:, :2], columns=["a", "b"])
    model = fast().fit(frame, y)
    before, arrays = dict(vars(model)), state(model)
    calls = [
        lambda: model.fit(mixed, y),
        lambda: model.partial_fit(mixed, y),
        lambda: model.predict_topk(mixed, 1),
        lambda: model.fit(frame, y, eval_set=(mixed, y)),
    ]
    for call in calls:
        with pytest.raises(InputError, match=r"the column names of .*X are not acceptable: .*'int', 'str'"):
            call()
    assert vars(model) == before and model.predict_topk(frame, 1)[0].shape == (3, 1)
    for name, array in state(model).items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("weight", [["a", "b"], {"a": 1}])
def test_bad_label_weights_of_partial_fit_are_refused_before_anything_changes(weight):
    model = fast().fit(np.eye(2), ["a", "b"]).set_params(label_weight=weight)
    before = dict(vars(model))
    with pytest.raises(InputError, match="label_weight holds"):
        model.partial_fit(np.eye(2), ["a", "c"])
    assert vars(model) == before and model.network_.config.n_labels == 2
