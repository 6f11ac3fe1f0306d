"""Every field of every class of settings: values at, below and above its ends, of other types, in JSON."""

import dataclasses
import math
import pickle
from copy import deepcopy

import numpy as np
import pytest
from hash_helpers import Signs

import hashslide
from hashslide.errors import InputError
from hashslide.settings import CustomHash, Layer, MissingFamily, NetworkConfig, Threshold
from hashslide.settings.base import Settings, default_of, fields_of
from hashslide.settings.constraints import (
    Checked,
    Choice,
    Composed,
    Flag,
    Integer,
    Real,
    constraints_of,
)
from hashslide.settings.layers import HiddenLayers
from hashslide.settings.negatives import NegativesKind
from hashslide.settings.plain import CLASSES, from_plain, to_plain

KINDS = [*CLASSES.values(), NetworkConfig]
NEEDED = {
    Layer: {"width": 3},
    CustomHash: {"family": Signs()},
    NetworkConfig: {"n_features": 3, "n_labels": 4},
}
FIELDS = [(kind, field.name) for kind in KINDS for field in fields_of(kind)]
OTHER_TYPES = ["2.x", [], {}, object(), b"1", 1j]
# What needs another setting beside it, as a look-up needs tables.
TOGETHER = {
    (Layer, "sampler"),
    (Layer, "hash"),
    (Layer, "winners"),
    (NetworkConfig, "sampler"),
    (NetworkConfig, "hash"),
}


def make(kind, **settings):
    return kind(**NEEDED.get(kind, {}) | settings)


def ends(constraint) -> tuple[list, list]:
    """Values that are just acceptable, and just not."""
    match constraint:
        case Integer(low=low, high=high):
            return [low, high, np.int32(low)], [low - 1, high + 1, 10**400, -(10**400), low + 0.5, True]
        case Real(low=low, high=high, brackets=brackets):
            good = [end for end, closed in ((low, brackets[0] == "["), (high, brackets[1] == "]")) if closed]
            good += [np.float32(0.5)] if low < 0.5 < high else [np.float32(low + 1)]
            bad = [end for end, open in ((low, brackets[0] == "("), (high, brackets[1] == ")")) if open]
            bad += [end for end in (low - 1, high + 1) if math.isfinite(end)]
            return good, [*bad, math.nan, math.inf, -math.inf, 10**400, True]
        case Choice(names=names):
            return list(names), ["", names[0].upper(), 1, True]
        case Flag():
            return [True, False, np.True_], [0, 1, "True", 1.0]
        case Composed(kinds=kinds):
            return [*kinds, *(kind() for kind in kinds.values())], ["", *kinds.values(), 1, Signs]
        case NegativesKind():
            return [0, hashslide.Negatives()], [-1, 1.5, "many", True]
        case HiddenLayers():
            return [1, Layer(2), [3, Layer(4)]], [0, 2**31, True, [], [1, "2"], 1.5]
        case Checked():
            return [Signs(), MissingFamily("Mine")], [1, "mine", Settings]
    raise AssertionError(constraint)


def test_every_field_has_a_constraint():
    for kind in KINDS:
        assert constraints_of(kind).keys() == {field.name for field in fields_of(kind)}, kind


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_values_in_the_range_are_kept(kind, name):
    constraint = constraints_of(kind)[name]
    good = [] if (kind, name) in TOGETHER else ends(constraint)[0]
    if constraint.auto:
        good.append("auto")
    if constraint.none:
        good.append(None)
    for value in good:
        found = getattr(make(kind, **{name: value}), name)
        assert type(found) in (int, float, str, bool, type(None), tuple) or isinstance(
            found, Settings | Signs | MissingFamily
        )
        if isinstance(value, int | float | Settings) and isinstance(found, int | float | Settings):
            assert found == value or isinstance(found, hashslide.Negatives | hashslide.Adagrad)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_other_values_are_refused_with_what_is_accepted(kind, name):
    constraint = constraints_of(kind)[name]
    bad = ends(constraint)[1] + OTHER_TYPES
    bad += ["auto"] * (not constraint.auto) + [None] * (not constraint.none)
    for value in bad:
        with pytest.raises(InputError, match=f"{name} is .*(accepted|without)") as caught:
            make(kind, **{name: value})
        assert str(caught.value).startswith(f"{kind.__name__}({name}="), str(caught.value)
        assert len(str(caught.value)) < 1200


@pytest.mark.parametrize("kind", CLASSES.values())
def test_settings_are_values(kind):
    made = make(kind)
    assert made == make(kind) and hash(made) == hash(make(kind))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.width = 3
    if kind is CustomHash:
        return  # the family is not compared by value
    assert deepcopy(made) == made and pickle.loads(pickle.dumps(made)) == made
    assert from_plain(to_plain(made)) == made
    assert eval(repr(made), {name: getattr(hashslide, name) for name in CLASSES}) == made


@pytest.mark.parametrize("kind", CLASSES.values())
def test_only_what_differs_from_the_defaults_is_shown(kind):
    if kind not in NEEDED:
        assert repr(kind()) == f"{kind.__name__}()"
    for field in fields_of(kind):
        if (kind, field.name) not in TOGETHER and field.name not in NEEDED.get(kind, {}):
            for value in ends(constraints_of(kind)[field.name])[0]:
                made = make(kind, **{field.name: value})
                is_default = getattr(made, field.name) == default_of(field)
                assert (f"{field.name}=" in repr(made)) != is_default


def test_all_classes_are_exported():
    assert {name for name in CLASSES if getattr(hashslide, name, None) is not CLASSES[name]} == set()
    assert set(CLASSES) <= set(hashslide.__all__)


def test_a_family_is_saved_by_its_name():
    plain = to_plain(CustomHash(Signs(), probes=3))
    assert plain["CustomHash"]["family"] == "Signs" and plain["CustomHash"]["probes"] == 3
    own = Signs()
    assert from_plain(plain, own).family is own
    lost = from_plain(plain)
    assert lost.is_missing and to_plain(lost) == plain


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Lion": {}}, "'Lion'"),
        ({}, "is not the name of one class"),
        ({"SGD": {}, "Adam": {}}, "is not the name of one class"),
        ({"SGD": [0.5]}, r"SGD holds \[0.5\]"),
        ({"SGD": {"momentum": 0.5}}, "SGD lacks weight_decay"),
        ({"SGD": {"momentum": 0.5, "weight_decay": 0, "beta": 1}}, "SGD has no setting 'beta'"),
        ({"SGD": {"momentum": 2, "weight_decay": 0}}, r"SGD\(momentum=2\): momentum is 2; accepted"),
        ({"SGD": {"momentum": {"SGD": {}}, "weight_decay": 0}}, "SGD lacks momentum, weight_decay"),
    ],
)
def test_other_json_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        from_plain(value)


COUNT, SIZE = "is an integer from 1 to 2147483647", "is an integer from 0 to 2147483647"
FLAG, BELOW_ONE = "are True and False", "is a number in [0, 1)"
POSITIVE, NOT_NEGATIVE = "is a number in (0, inf)", "is a number in [0, inf)"
FINITE = "is a number in (-inf, inf)"
RANGES = {
    **dict.fromkeys(("tables", "hashes", "norm_ranges", "bits"), "is an integer from 1 to 10000"),
    **dict.fromkeys(("probes", "rehash_first", "rehash_every", "top", "min_count", "width"), COUNT),
    **dict.fromkeys(("n_features", "n_labels"), COUNT),
    **dict.fromkeys(("bucket_size", "cells", "winners"), SIZE),
    **dict.fromkeys(("bias", "centre", "augment", "in_batch"), FLAG),
    **dict.fromkeys(("momentum", "beta1", "beta2", "warmup", "dropout", "input_dropout"), BELOW_ONE),
    **dict.fromkeys(("epsilon", "input_scale", "rehash_changed"), POSITIVE),
    **dict.fromkeys(("weight_decay", "input_init", "example_power"), NOT_NEGATIVE),
    **dict.fromkeys(("alpha", "beta"), FINITE),
    **dict.fromkeys(("uniform", "popular"), f'are "auto" and {SIZE.removeprefix("is ")}'),
    "bin_size": "is a power of two from 2 to 65536",
    "bucket_policy": "are 'fifo' and 'reservoir'",
    "centre_queries": "are None, True and False",
    "rehash_growth": "is a number in (1, inf)",
    "budget": f"are None and {COUNT.removeprefix('is ')}",
    "prior_correction": 'are "auto" and a number in [0, 1]',
    "activation": "are \"auto\", 'identity', 'relu' and 'tanh'",
    "initial_accumulator": f'are "auto" and {POSITIVE.removeprefix("is ")}',
    "length": f'are "auto" and {NOT_NEGATIVE.removeprefix("is ")}',
    "softness": f'are "auto" and {NOT_NEGATIVE.removeprefix("is ")}',
    "loss": "are 'bce' and 'softmax'",
    "update": "are 'owner' and 'hogwild'",
    "precision": "are 'float32' and 'bfloat16'",
    "active": "are 'per_batch' and 'per_example'",
    "seed": f"is an integer from 0 to {2**64 - 1}",
}


def test_the_ranges_are_those_of_the_core():
    for kind in KINDS:
        for name, constraint in constraints_of(kind).items():
            if not isinstance(constraint, Composed | NegativesKind | HiddenLayers | Checked):
                wanted = (
                    SIZE.replace("is", "are None and") if kind is Threshold and name == "budget" else None
                )
                assert constraint.accepted() == (wanted or RANGES[name]), (kind, name)
