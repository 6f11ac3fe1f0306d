"""How a layer chooses its neurons: what reaches the core, and the layers' short forms."""

import dataclasses

import numpy as np
import pytest
from hash_helpers import Signs

from hashslide import _core
from hashslide.errors import InputError
from hashslide.settings import (
    DWTA,
    AdaptiveDropout,
    CustomHash,
    Dense,
    Dropout,
    Exact,
    Hashed,
    KMeans,
    Layer,
    LowRank,
    MissingFamily,
    SimHash,
    Standout,
    Top,
    Uniform,
    Vanilla,
    WinnerTakeAll,
)
from hashslide.settings.base import fields_of
from hashslide.settings.hash_families import HASH_FAMILIES, MAX_CENTRED
from hashslide.settings.layers import HIDDEN_TABLES, selector_to_core
from hashslide.settings.samplers import SAMPLERS

SWITCHES = {"bias": False, "centre": True, "augment": True, "centre_queries": False, "bucket_policy": "fifo"}


def test_the_core_has_the_same_attributes():
    kinds = (*HASH_FAMILIES.values(), *SAMPLERS.values())
    fields = {field.name for kind in kinds for field in fields_of(kind)}
    core = {name for name in dir(_core.SelectorConfig) if not name.startswith("_")}
    assert core == fields | {"sampler", "family", "set_family"}


@pytest.mark.parametrize("kind", HASH_FAMILIES.values())
def test_every_field_of_a_family_reaches_the_core(kind):
    changed = {field.name: i + 16 for i, field in enumerate(fields_of(kind))} | SWITCHES
    if "bin_size" in changed:
        changed["bin_size"] = 32
    if "centre" in changed and kind is KMeans:
        changed["centre"] = False
    core = selector_to_core(Top(budget=3), kind(**changed), 5)
    assert {name: getattr(core, name) for name in changed} == changed
    assert (core.family, core.sampler, core.budget) == (kind.name, "top", 3)


@pytest.mark.parametrize("kind", SAMPLERS.values())
def test_every_field_of_a_sampler_reaches_the_core(kind):
    changed = {field.name: i + 17 for i, field in enumerate(fields_of(kind))}
    core = selector_to_core(kind(**changed), None, 5)
    assert {name: getattr(core, name) for name in changed} == changed and core.sampler == kind.name


def test_the_core_has_the_defaults_of_the_published_family():
    core, default = _core.SelectorConfig(), selector_to_core(None, DWTA(), 5)
    for name in dir(core):
        if not name.startswith("_") and name != "set_family":
            assert getattr(core, name) == getattr(default, name), name


def test_a_family_of_ones_own_reaches_the_core():
    layer = Layer(
        9, "tanh", sampler=Vanilla(budget=3), hash=CustomHash(Signs(), bucket_size=7), length=0, softness=0
    )
    layer = layer.to_core(5)
    assert (layer.width, layer.activation) == (9, "tanh")
    assert (layer.selector.sampler, layer.selector.bucket_size) == ("vanilla", 7)
    missing = CustomHash(MissingFamily("Mine"))
    assert selector_to_core(Vanilla(budget=3), missing, 5).sampler == "all"


def test_queries_are_centred_where_that_helps():
    for kind in HASH_FAMILIES.values():
        gains = "simhash" in kind.name or kind is KMeans
        assert kind().centres_queries(MAX_CENTRED) == gains
        assert not kind().centres_queries(MAX_CENTRED + 1)
        assert not kind(bias=False).centres_queries(5)
        assert not kind(centre_queries=False).centres_queries(5)
        assert kind(centre_queries=True).centres_queries(5)
        with pytest.raises(InputError, match="centre_queries needs bias=True"):
            kind(bias=False, centre_queries=True)


def test_short_forms():
    assert Dense(5) == Layer(5) and Dense(5).is_dense
    assert Dense(5, "tanh", length=2, dropout=0.5) == Layer(5, "tanh", length=2.0, dropout=0.5)
    hashed = Layer(9, "relu", sampler=Top(budget=3), hash=SimHash(**HIDDEN_TABLES))
    assert Hashed(9, 3) == Hashed(9, sampler=Top(budget=3)) == hashed
    assert Hashed(9, 3, hash="kmeans").hash == KMeans(rehash_first=1, rehash_every=20)
    assert Hashed(9, 3, hash=DWTA(probes=2), sampler="vanilla") == Layer(
        9, "relu", sampler=Vanilla(budget=3), hash=DWTA(probes=2)
    )
    assert Hashed(9, 6, winners=3).winners == 3 and Hashed(9, 6).winners == 0
    assert Dropout(9, 3).sampler == Uniform(budget=3)
    assert AdaptiveDropout(9, 2.0, -1.0).sampler == Standout(alpha=2.0, beta=-1.0)
    assert WinnerTakeAll(9, 3).sampler == Exact(budget=3)
    assert LowRank(9, 3) == [Layer(3, "identity"), Layer(9, "relu")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layer(0), r"Layer\(width=0\): width is 0; accepted is an integer from 1"),
        (lambda: Layer(3, "gelu"), "activation is 'gelu'"),
        (lambda: Layer(3, "relu", sampler="best"), "sampler is 'best'; accepted are None, 'vanilla'"),
        (
            lambda: Layer(3, sampler=Top(budget=1), hash=CustomHash(MissingFamily("Mine"))),
            "needs the hash family 'Mine' of your own, which is not there",
        ),
        (
            lambda: Layer(3, sampler=Top(budget=1), hash="wta", length=2),
            "length is 2.0; where a layer selects",
        ),
        (lambda: Layer(3, sampler=Uniform(budget=1), dropout=0.5), "dropout is 0.5; where a layer selects"),
        (lambda: Hashed(9, 0), "budget is 0"),
        (lambda: Hashed(9), r"Top\(\): budget is None"),
        (lambda: Hashed(9, 3, sampler=Top(budget=4)), r"budget is 3, but sampler is Top\(budget=4\)"),
        (lambda: Hashed(9, 3, winners=-1), "winners is -1"),
        (lambda: Layer(9, winners=3), "winners is 3, but the sampler does not look for"),
        (lambda: dataclasses.replace(Dropout(9, 4), winners=3), "winners is 3, but the sampler does not"),
        (lambda: dataclasses.replace(Dropout(9, 4), dropout=0.5), "dropout is 0.5; where a layer selects"),
        (lambda: Hashed(9, 3, sampler="exact"), r"but sampler is Exact\(budget=3\), which looks up no"),
        (lambda: Layer(9, hash=np.eye(2)), "hash is a ndarray without n_tables"),
    ],
)
def test_bad_layers_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
