import dataclasses
import math

import numpy as np
import pytest

from hashslide import _core
from hashslide.config import NetworkConfig
from hashslide.errors import InputError
from hashslide.layers import Dense, Hashed, LowRank
from hashslide.selection import MAX_CENTRED, Layer, Selection


def test_the_core_has_the_same_attributes():
    core = {name for name in dir(_core.NetworkConfig) if not name.startswith("_")}
    fields = {field.name for field in dataclasses.fields(NetworkConfig)}
    assert core == fields - {"activation", "active"} | {"per_example"}


def test_every_attribute_reaches_the_core():
    changed = {
        "loss": "softmax",
        "optimizer": "adam",
        "update": "hogwild",
        "momentum": 0.25,
        "beta1": 0.5,
        "beta2": 0.75,
        "prior_correction": 0.5,
        "input_dropout": 0.125,
        "hidden_dropout": 0.375,
        "seed": 2**64 - 1,
    }
    for i, field in enumerate(dataclasses.fields(NetworkConfig)):
        if field.type in (int, float) and field.name not in changed:
            changed[field.name] = field.type(i + 17)
    changed["hidden_length"] = 0.0
    core = NetworkConfig(**changed, hidden=(3, Dense(4, "relu")), activation="tanh").to_core()
    assert {name: getattr(core, name) for name in changed} == changed
    assert [(layer.width, layer.activation) for layer in core.hidden] == [(3, "tanh"), (4, "relu")]
    assert not core.per_example
    assert NetworkConfig(n_features=1, n_labels=1, active="per_example").to_core().per_example


def test_values_survive_a_dict():
    config = NetworkConfig(n_features=np.int64(3), n_labels=4, epsilon=np.float32(0.5), seed=7)
    values = config.to_dict()
    assert type(values["n_features"]) is int and type(values["epsilon"]) is float
    assert NetworkConfig.from_dict(values) == config
    layers = [Hashed(5, 2, hash="wta"), *LowRank(np.int64(6), 3)]
    deep = NetworkConfig(n_features=3, n_labels=4, hidden=layers, selection=Selection(probes=np.int64(2)))
    assert NetworkConfig.from_dict(deep.to_dict()) == deep


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_labels": 2, "hidden": [], "selection": {}}, "lack .'n_features'."),
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": ()}, "hidden is empty"),
        ({"hidden": (4, 4), "hidden_length": 2.0}, "hidden_length is 2.0; with more than one dense"),
        ({"hidden": Hashed(8, 2), "hidden_dropout": 0.5}, "hidden_dropout is 0.5; where hidden layers"),
        (
            {"hidden": Hashed(8, 2, centre_queries=True), "n_features": MAX_CENTRED + 1},
            "a layer of 65537 inputs centres its queries",
        ),
        (
            {"hidden": MAX_CENTRED + 1, "selection": Selection(sampler="top", budget=1, centre_queries=True)},
            "a layer of 65537 inputs centres its queries",
        ),
        ({"active": "per_example", "direct": 3}, 'direct is 3; with active="per_example" only 0'),
    ],
)
def test_what_does_not_go_together_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        NetworkConfig(**{"n_features": 3, "n_labels": 4, **values})


def test_hidden_layers_take_any_form():
    layer = Layer(8, "relu")
    for hidden in (8, np.int64(8), [8], (8,), np.array([8])):
        assert NetworkConfig(n_features=1, n_labels=1, hidden=hidden, activation="relu").hidden == (layer,)
    mixed = NetworkConfig(n_features=1, n_labels=1, hidden=[4, layer])
    assert mixed.hidden == (Layer(4, "identity"), layer) and mixed.width == 8
