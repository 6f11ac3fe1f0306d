"""How a layer chooses its neurons: what is accepted and what reaches the core."""

import dataclasses
import math

import numpy as np
import pytest

from hashslide import _core
from hashslide.errors import InputError
from hashslide.layers import TABLES, AdaptiveDropout, Dense, Dropout, Hashed, LowRank, WinnerTakeAll
from hashslide.selection import FAMILIES, MAX_CENTRED, MAX_PARTS, Layer, Selection


def test_the_core_has_the_same_attributes():
    core = {name for name in dir(_core.SelectionConfig) if not name.startswith("_")}
    fields = {field.name for field in dataclasses.fields(Selection)}
    assert core == fields - {"hash"} | {"family", "set_family"}
    assert {name for name in dir(_core.LayerConfig) if not name.startswith("_")} == {
        field.name for field in dataclasses.fields(Layer)
    }


def test_every_attribute_reaches_the_core():
    changed = {"sampler": "top", "bin_size": 16, "bias": False, "centre": True, "augment": True}
    changed |= {"bucket_policy": "fifo", "centre_queries": False}
    for i, field in enumerate(dataclasses.fields(Selection)):
        if field.name not in (*changed, "hash"):
            changed[field.name] = field.type(i + 17)
    core = Selection(**changed, hash="wta").to_core(5)
    assert {name: getattr(core, name) for name in changed} == changed and core.family == "wta"
    assert Selection(hash="wta", centre_queries=True).to_core(5).centre_queries
    layer = Layer(9, "tanh", Selection(sampler="exact", budget=3)).to_core(5)
    assert (layer.width, layer.activation, layer.selection.sampler) == (9, "tanh", "exact")


def test_queries_are_centred_where_that_helps():
    for family in FAMILIES:
        gains = "simhash" in family or family == "kmeans"
        assert Selection(hash=family).to_core(MAX_CENTRED).centre_queries == gains
        assert not Selection(hash=family).to_core(MAX_CENTRED + 1).centre_queries
        assert not Selection(hash=family, bias=False).to_core(5).centre_queries
        assert not Selection(hash=family, centre_queries=False).to_core(5).centre_queries
    assert Selection.from_dict(Selection().to_dict()) == Selection()
    with pytest.raises(InputError, match="centre_queries needs bias=True"):
        Selection(bias=False, centre_queries=True)
    with pytest.raises(InputError, match="centre_queries is 'yes'"):
        Selection(centre_queries="yes")


def test_the_core_has_the_same_defaults():
    core, default = _core.SelectionConfig(), Selection().to_core(5)
    for name in dir(core):
        if not name.startswith("_") and name != "set_family":
            assert getattr(core, name) == getattr(default, name), name


def test_values_survive_a_dict():
    selection = Selection(tables=np.int64(3), alpha=np.float32(0.5), bias=np.bool_(False), hash="minhash")
    values = selection.to_dict()
    assert [type(values[name]) for name in ("tables", "alpha", "bias")] == [int, float, bool]
    assert Selection.from_dict(values) == selection
    layer = Layer(np.int64(4), "tanh", Selection(sampler="exact", budget=3), np.int64(2))
    assert Layer.from_dict(layer.to_dict()) == layer


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("sampler", "best", "'all', 'uniform', 'vanilla'"),
        ("hash", "lsh", "'simhash', .*'kmeans'"),
        ("bucket_policy", "lifo", "'fifo', 'reservoir'"),
        ("tables", 0, f"an integer from 1 to {MAX_PARTS}"),
        ("hashes", MAX_PARTS + 1, f"an integer from 1 to {MAX_PARTS}"),
        ("norm_ranges", 0, "an integer from 1"),
        ("probes", 0, "an integer from 1"),
        ("min_count", True, "an integer from 1"),
        ("rehash_every", 0, "an integer from 1"),
        ("budget", -1, "an integer from 0"),
        ("bucket_size", 1.5, "an integer from 0"),
        ("bin_size", 6, "a power of two"),
        ("bin_size", 1, "an integer from 2"),
        ("bias", 1, "True and False"),
        ("alpha", math.nan, "a number in"),
        ("rehash_growth", 1, r"a number in \(1, inf\)"),
        ("rehash_changed", 0, r"a number in \(0, inf\)"),
    ],
)
def test_bad_values_are_refused(name, value, accepted):
    with pytest.raises(InputError, match=f"{name} is .*; accepted .*{accepted}|{name} is .*; {accepted}"):
        Selection(**{name: value})


@pytest.mark.parametrize("sampler", ["uniform", "vanilla", "top", "scored", "exact"])
def test_samplers_need_a_budget(sampler):
    with pytest.raises(InputError, match=f'budget is 0, but sampler="{sampler}" needs one'):
        Selection(sampler=sampler)
    assert Selection(sampler=sampler, budget=1).budget == 1


def test_short_forms():
    assert Dense(5) == Layer(5, "relu") and Dense(5, "tanh").selection.sampler == "all"
    assert Hashed(9, 3, probes=2).selection == Selection(sampler="top", budget=3, probes=2, **TABLES)
    assert Hashed(9, 6, winners=3).winners == 3 and Hashed(9, 6).winners == 0
    assert Dropout(9, 3).selection == Selection(sampler="uniform", budget=3)
    assert AdaptiveDropout(9, 2.0, -1.0).selection == Selection(sampler="standout", alpha=2.0, beta=-1.0)
    assert WinnerTakeAll(9, 3).selection == Selection(sampler="exact", budget=3)
    assert LowRank(9, 3) == [Layer(3, "identity"), Layer(9, "relu")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layer(0), "the width of a hidden layer is 0"),
        (lambda: Layer(3, "gelu"), "activation is 'gelu'"),
        (lambda: Layer(3, "relu", "top"), "the selection of a hidden layer is a str"),
        (lambda: Layer(3, "relu", Selection(hash="user:Mine")), "needs its hash family 'user:Mine'"),
        (lambda: Hashed(9, 0), "budget is 0"),
        (lambda: Hashed(9, 3, winners=-1), "winners is -1"),
        (lambda: Layer(9, winners=3), 'winners is 3, but sampler="all" does not look for'),
        (
            lambda: dataclasses.replace(Dropout(9, 4), winners=3),
            'winners is 3, but sampler="uniform" does not',
        ),
        (lambda: Hashed(9, 3, sampler="exact"), "sampler is 'exact'; accepted are 'vanilla'"),
    ],
)
def test_bad_layers_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
