import dataclasses
import math

import numpy as np
import pytest

from hashslide import _core
from hashslide.config import (
    AUTO,
    FEW_FEATURES,
    LEARNING_RATE,
    MIN_BATCH_SIZE,
    SMALL_DROPOUT,
    SMALL_EXAMPLES,
    TINY_EPOCHS,
    TINY_EXAMPLES,
    NetworkConfig,
    Problem,
    Settings,
    auto_settings,
)
from hashslide.errors import InputError


def test_the_core_has_the_same_attributes():
    core = {name for name in dir(_core.NetworkConfig) if not name.startswith("_")}
    assert core == {field.name for field in dataclasses.fields(NetworkConfig)}


def test_every_attribute_reaches_the_core():
    changed = {
        "activation": "tanh",
        "loss": "softmax",
        "optimizer": "adam",
        "momentum": 0.25,
        "beta1": 0.5,
        "beta2": 0.75,
        "prior_correction": 0.5,
        "input_dropout": 0.125,
        "hidden_dropout": 0.375,
        "seed": 2**64 - 1,
    }
    for i, field in enumerate(dataclasses.fields(NetworkConfig)):
        if field.name not in changed:
            changed[field.name] = field.type(i + 17)
    core = NetworkConfig(**changed).to_core()
    assert {name: getattr(core, name) for name in changed} == changed


def test_values_survive_a_dict():
    config = NetworkConfig(n_features=np.int64(3), n_labels=4, epsilon=np.float32(0.5), seed=7)
    values = config.to_dict()
    assert type(values["n_features"]) is int and type(values["epsilon"]) is float
    assert NetworkConfig.from_dict(values) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_labels": 2}, "lack .'n_features'."),
        ({"n_features": 1, "n_labels": 2, "depth": 3}, "unknown .'depth'."),
    ],
)
def test_a_dict_with_other_keys_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        NetworkConfig.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("n_features", 0, "an integer from 1 to 2147483647"),
        ("n_labels", 2**31, "an integer from 1 to 2147483647"),
        ("hidden", 2.5, "an integer from 1"),
        ("hidden", True, "an integer from 1"),
        ("hidden", "256", "an integer from 1"),
        ("uniform", -1, "an integer from 0"),
        ("seed", -1, "an integer from 0 to 18446744073709551615"),
        ("activation", "gelu", "'identity', 'relu', 'tanh'"),
        ("loss", 3, "'bce', 'softmax'"),
        ("optimizer", ["adam"], "'adagrad', 'adam', 'sgd'"),
        ("input_dropout", 1.0, r"a number in \[0, 1\)"),
        ("hidden_dropout", -0.1, r"a number in \[0, 1\)"),
        ("momentum", None, r"a number in \[0, 1\)"),
        ("prior_correction", 1.5, r"a number in \[0, 1\]"),
        ("epsilon", 0.0, r"a number in \(0, inf\)"),
        ("weight_decay", math.nan, r"a number in \[0, inf\)"),
        ("input_init", math.inf, r"a number in \[0, inf\)"),
        ("weight_decay", "0.1", r"a number in \[0, inf\)"),
    ],
)
def test_bad_values_are_refused(name, value, accepted):
    with pytest.raises(InputError, match=f"{name} is .*; accepted .*{accepted}"):
        NetworkConfig(**{"n_features": 1, "n_labels": 1, name: value})


def settings(n_examples, multilabel=True, optimizer="adagrad", n_features=1000, **given):
    problem = Problem(
        n_examples=n_examples,
        n_features=n_features,
        n_labels=5,
        multilabel=multilabel,
        optimizer=optimizer,
    )
    names = [field.name for field in dataclasses.fields(Settings)]
    return auto_settings(problem, **{name: given.get(name, "auto") for name in names})


def test_ordinary_data_get_the_table():
    decided = dataclasses.asdict(settings(SMALL_EXAMPLES))
    assert {name: decided[name] for name in AUTO} == AUTO
    assert decided["loss"] == "bce" and decided["learning_rate"] == LEARNING_RATE["adagrad"]
    assert settings(SMALL_EXAMPLES, optimizer="sgd").learning_rate == LEARNING_RATE["sgd"]


def test_one_label_for_each_example_means_softmax_with_the_whole_correction():
    several = dataclasses.asdict(settings(SMALL_EXAMPLES))
    one = dataclasses.asdict(settings(SMALL_EXAMPLES, multilabel=False))
    assert one == several | {"loss": "softmax", "prior_correction": 1.0}


def test_small_data_get_dropout_unless_they_have_few_features():
    small = dataclasses.asdict(settings(SMALL_EXAMPLES - 1))
    assert small == dataclasses.asdict(settings(SMALL_EXAMPLES)) | {"input_dropout": SMALL_DROPOUT}
    assert settings(TINY_EXAMPLES - 1, n_features=FEW_FEATURES).input_dropout == SMALL_DROPOUT
    assert settings(TINY_EXAMPLES - 1, n_features=FEW_FEATURES - 1).input_dropout == 0
    assert settings(TINY_EXAMPLES, n_features=FEW_FEATURES - 1, input_dropout=0.4).input_dropout == 0.4


@pytest.mark.parametrize("n_examples", [1, 50, 150, 2_000, TINY_EXAMPLES - 1])
def test_tiny_data_get_small_batches_and_many_epochs(n_examples):
    decided = settings(n_examples)
    assert MIN_BATCH_SIZE <= decided.batch_size <= AUTO["batch_size"]
    assert AUTO["epochs"] <= decided.epochs <= TINY_EPOCHS
    assert decided.epochs > AUTO["epochs"]


def test_the_epochs_of_tiny_data_follow_the_given_batch_size():
    assert settings(2_000, batch_size=10).epochs < settings(2_000).epochs


def test_given_settings_are_kept():
    given = {"epochs": 3, "batch_size": 7, "learning_rate": 0.7, "loss": "softmax", "popular": 11}
    for n_examples in (20, TINY_EXAMPLES):
        decided = dataclasses.asdict(settings(n_examples, **given))
        assert {name: decided[name] for name in given} == given
