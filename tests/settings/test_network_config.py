"""All settings of a network: what goes together, what "auto" stands for, what reaches the core."""

import numpy as np
import pytest

from hashslide import _core
from hashslide.errors import InputError
from hashslide.settings import (
    DWTA,
    SGD,
    Adagrad,
    Adam,
    CustomHash,
    Dense,
    Exact,
    Hashed,
    KMeans,
    Layer,
    LowRank,
    Negatives,
    NetworkConfig,
    SignCodes,
    SimHash,
    Threshold,
    Top,
    Vanilla,
)
from hashslide.settings.base import fields_of
from hashslide.settings.hash_families import MAX_CENTRED
from hashslide.settings.plain import config_from_plain, config_to_plain

PARTS = {"hidden", "optimizer", "negatives", "sampler", "hash"}
OPTIMIZERS = (Adagrad(weight_decay=0.5), Adam(beta1=0.25), SGD(momentum=0.75))


def config(**settings) -> NetworkConfig:
    return NetworkConfig(**{"n_features": 3, "n_labels": 4} | settings)


def attributes(cls) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_the_core_has_the_same_attributes():
    fields = {
        field.name for kind in (NetworkConfig, Negatives, Adagrad, Adam, SGD) for field in fields_of(kind)
    }
    assert attributes(_core.NetworkConfig) == fields - {"active", "negatives", "sampler", "hash"} | {
        "per_example",
        "selector",
    }
    fields = {field.name for field in fields_of(Layer)}
    assert attributes(_core.LayerConfig) == fields - {"sampler", "hash"} | {"selector"}


def test_every_attribute_reaches_the_core():
    changed = {
        "loss": "softmax",
        "update": "hogwild",
        "precision": "bfloat16",
        "input_dropout": 0.125,
        "seed": 2**64 - 1,
    }
    for i, field in enumerate(fields_of(NetworkConfig)):
        if field.type in ("int", "float") and field.name not in changed:
            changed[field.name] = i + 17
    changed |= {"n_features": 5, "n_labels": 6, "input_scale": 7.0, "input_init": 8.0, "example_power": 9.0}
    assert changed.keys() == {field.name for field in fields_of(NetworkConfig)} - PARTS - {"active"}
    negatives = {"uniform": 7, "popular": 8, "in_batch": False, "prior_correction": 0.5}
    core = NetworkConfig(
        **changed,
        negatives=Negatives(**negatives),
        hidden=(Dense(3, length=2, softness=0.5, dropout=0.5), Dense(4, "relu", length=5, dropout=0.25)),
        sampler=Top(budget=9),
        hash="minhash",
    ).to_core()
    assert {name: getattr(core, name) for name in changed} == changed
    assert {name: getattr(core, name) for name in negatives} == negatives
    hidden = [
        (layer.width, layer.activation, layer.length, layer.softness, layer.dropout) for layer in core.hidden
    ]
    assert hidden == [(3, "identity", 2.0, 0.5, 0.5), (4, "relu", 5.0, 0.0, 0.25)]
    assert (core.selector.sampler, core.selector.family) == ("top", "minhash")
    assert not core.per_example and config(active="per_example").to_core().per_example
    for optimizer in OPTIMIZERS:
        core = config(optimizer=optimizer).to_core()
        assert core.optimizer == optimizer.name
        for field in fields_of(type(optimizer)):
            wanted = getattr(optimizer.decided(initial_accumulator=0.1), field.name)
            assert getattr(core, field.name) == pytest.approx(wanted)


def test_auto_and_names_are_decided():
    made = config(hidden=[8, Layer(5)], negatives=3, optimizer="adam")
    assert made.hidden == (
        Dense(8, "identity", length=0.0, softness=0.0),
        Dense(5, "identity", length=0.0, softness=0.0),
    )
    assert made.negatives == Negatives(uniform=3, popular=0, prior_correction=1.0)
    assert made.optimizer == Adam() and made.width == 5
    assert config().negatives.uniform == 250


def test_values_survive_json():
    layers = [Hashed(5, 2, hash="wta"), *LowRank(np.int64(6), 3)]
    for settings in (
        {"input_scale": np.float32(0.5), "seed": 7},
        {"hidden": layers, "sampler": Vanilla(budget=2), "hash": DWTA(probes=np.int64(2))},
        *({"optimizer": optimizer} for optimizer in OPTIMIZERS),
    ):
        made = config(**settings)
        assert config_from_plain(config_to_plain(made)) == made


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda values: values.pop("n_features"), "the network lacks n_features"),
        (
            lambda values: values.update(depth=3),
            "the network has no setting 'depth'; accepted are",
        ),
        (
            lambda values: values.update(seed=-1),
            "seed is -1; accepted is an integer from 0 to 18446744073709551615",
        ),
        (lambda values: values["hash"]["SimHash"].update(tables=0), r"SimHash\(tables=0\): tables is 0"),
    ],
)
def test_other_json_is_refused(edit, message):
    values = config_to_plain(config(sampler=Top(budget=1), hash=SimHash()))
    edit(values)
    with pytest.raises(InputError, match=message):
        config_from_plain(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": ()}, "hidden is empty"),
        ({"hidden": 2.5}, "hidden is 2.5; accepted are an integer from 1 to .*, a layer such as"),
        ({"hidden": True}, "hidden is True; accepted are an integer"),
        ({"hidden": "256"}, "hidden is '256'; accepted are an integer"),
        (
            {"hidden": Hashed(8, 2, hash=SimHash(centre_queries=True)), "n_features": MAX_CENTRED + 1},
            "a layer of 65537 inputs centres its queries",
        ),
        (
            {"hidden": MAX_CENTRED + 1, "sampler": Top(budget=1), "hash": KMeans(centre_queries=True)},
            "a layer of 65537 inputs centres its queries",
        ),
        ({"sampler": "top"}, r"Top\(\): budget is None, but only a SlideClassifier chooses it"),
        (
            {"sampler": Threshold(budget=2, min_count=4), "hash": SimHash(tables=3)},
            r"Threshold\(.*\) chooses no neuron, as SimHash\(tables=3\) counts to 3 at most",
        ),
        (
            {"sampler": Threshold(budget=2, min_count=65), "hash": SignCodes(bits=64)},
            r"chooses no neuron, as SignCodes\(bits=64\) counts to 64",
        ),
        ({"sampler": Top(budget=2)}, r"Top\(budget=2\) looks up hash tables, but hash is None"),
        ({"hash": "wta"}, "hash is WTA.*, but sampler is None, which looks up no hash tables"),
        ({"hash": "wta", "sampler": Exact(budget=2)}, r"sampler is Exact\(budget=2\), which looks up no"),
        ({"hash": CustomHash}, "hash is <class .*CustomHash'>; accepted are None, 'simhash'"),
    ],
)
def test_what_does_not_go_together_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        config(**values)


def test_hidden_layers_take_any_form():
    layer = Layer(8, "identity", length=0.0, softness=0.0)
    for hidden in (8, np.int64(8), [8], (8,), np.array([8]), Dense(8), [Layer(8)]):
        assert config(hidden=hidden).hidden == (layer,)
