"""Settings written as text."""

import pytest

from hashslide.errors import InputError
from hashslide.estimator.parameters import PARAMETERS
from hashslide.settings import (
    DWTA,
    SGD,
    Dense,
    Dropout,
    Exact,
    Hashed,
    KMeans,
    Layer,
    Linear,
    LowRank,
    Negatives,
    SimHash,
    Top,
    Vanilla,
    WinnerTakeAll,
)
from hashslide.settings.expressions import CALLS, composed_help, read_setting, write_setting

GOOD = [
    ("hash", "dwta", "dwta"),
    ("hash", "none", None),
    ("hash", "dwta(tables=50, hashes=6)", DWTA()),
    ("hash", " DWTA( tables = 20 ) ", DWTA(tables=20)),
    ("hash", "sparse_simhash()", CALLS["sparse_simhash"]()),
    ("hash", "KMeans(centre=False, bucket_policy=fifo)", KMeans(centre=False, bucket_policy="fifo")),
    ("hash", "kmeans(centre=no, centre_queries=None)", KMeans(centre=False)),
    ("sampler", "vanilla(budget=1000)", Vanilla(budget=1000)),
    ("optimizer", "sgd(momentum=0.9)", SGD(momentum=0.9)),
    ("optimizer", "sgd(momentum=1e-3)", SGD(momentum=0.001)),
    ("schedule", "linear(warmup=.1)", Linear(warmup=0.1)),
    ("negatives", "250", 250),
    ("negatives", "auto", "auto"),
    ("negatives", "negatives(uniform=250, popular=100)", Negatives(uniform=250, popular=100)),
    ("hidden", "256", 256),
    ("hidden", "1000,1000", [1000, 1000]),
    ("hidden", "1000, 1000,", [1000, 1000]),
    ("hidden", "dense(256, identity, length=5)", Dense(256, "identity", length=5.0)),
    ("hidden", "dense(256, 'identity'), hashed(1000, 50)", [Dense(256, "identity"), Hashed(1000, 50)]),
    (
        "hidden",
        "hashed(1000, 50, hash=simhash(tables=9), sampler=top)",
        Layer(1000, "relu", sampler=Top(budget=50), hash=SimHash(tables=9)),
    ),
    ("hidden", "low_rank(9, 3)", LowRank(9, 3)),
    ("hidden", "8, low_rank(9, 3)", [8, *LowRank(9, 3)]),
    ("hidden", "dropout(9, 3), winner_take_all(8, 2)", [Dropout(9, 3), WinnerTakeAll(8, 2)]),
    ("learning_rate", "1e-2", 0.01),
    ("learning_rate", "auto", "auto"),
    ("epochs", "7", 7),
    ("approximate", "yes", True),
    ("label_weight", "propensity", "propensity"),
    (
        "hidden",
        "dense(64, tanh, length=0.0), layer(8, sampler=exact(budget=2))",
        [Dense(64, "tanh", length=0.0), Layer(8, sampler=Exact(budget=2))],
    ),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_text_is_read(name, text, value):
    found = read_setting(name, text, PARAMETERS[name])
    assert found == value and type(found) is type(value)


BAD = [
    ("hash", "dwta(tables=0)", r"hash=DWTA\(tables=0\): tables is 0; accepted is an integer from 1 to 10000"),
    ("hash", "dwta(table=3)", r"hash=dwta\(...\) has no setting 'table'; accepted are bin_size, tables"),
    ("hash", "dwta(3)", r"hash holds 'dwta\(3\)': .*positional"),
    ("hash", "dwta(tables=3", "hash is 'dwta.tables=3'; accepted are numbers, names and calls such as"),
    ("hash", "lsh", "hash is 'lsh'; accepted are None, 'simhash'"),
    ("hash", "lsh(tables=3)", r"hash holds lsh\(...\), which is unknown; accepted are simhash"),
    ("hash", "dwta, wta", r"hash is a list without n_tables"),
    ("hash", "sgd()", r"hash is a SGD without n_tables"),
    ("hash", "dwta(tables=wta(hashes=0))", r"hash=WTA\(hashes=0\): hashes is 0"),
    ("hash", "dwta(**{})", "hash holds"),
    ("hash", "__import__('os').system('true')", "hash holds"),
    ("hash", "().__class__", "hash holds"),
    ("hash", "[x for x in ()]", "hash holds"),
    ("hash", "lambda: 0", "hash holds"),
    ("hash", "dwta(tables=2**9999)", "hash holds"),
    ("hash", "-dwta()", "hash holds"),
    ("hash", "", "hash is ''; accepted are"),
    ("hash", "1)(2", "hash is '1..2'; accepted are"),
    ("hash", "dwta\0", "hash is 'dwta.*'; accepted are"),
    ("hash", "(" * 900, "hash is '.*'; accepted are"),
    ("hash", "-" * 1500 + "1", "hash (is|holds)"),
    ("hash", "9" * 5000, "hash is '9*'; accepted are"),
    ("hash", "9" * 1900, "hash is an integer of more than 100 digits|hash is a int without"),
    (
        "sampler",
        "top(budget=-1)",
        r"sampler=Top\(budget=-1\): budget is -1; accepted are None and an",
    ),
    ("hidden", "wide", "hidden is 'wide'; accepted are an integer from 1"),
    ("hidden", "16,,8", "hidden is '16,,8'; accepted are numbers"),
    ("hidden", "1.5", "hidden is 1.5; accepted are an integer from 1"),
    ("hidden", "hashed(10)", r"hidden=.*Top\(\): budget is None"),
    (
        "hidden",
        "dense()",
        r"hidden holds 'dense\(\)': missing a required argument: 'width'; accepted is",
    ),
    ("hidden", "256 512", "hidden is '256 512'; accepted are numbers"),
    ("epochs", "many", "epochs is 'many'; accepted are .* an integer from 1"),
    ("epochs", "1.5", "epochs is 1.5; accepted are"),
    ("approximate", "maybe", 'approximate is .maybe.; accepted are "auto", True and False'),
]


@pytest.mark.parametrize(("name", "text", "message"), BAD)
def test_other_text_is_refused(name, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_setting(name, text, PARAMETERS[name])
    assert len(str(caught.value)) < 1500


def test_the_help_lists_every_call_with_its_fields():
    text = composed_help()
    assert max(map(len, text.splitlines())) <= 98
    for name in CALLS:
        assert f"{name}(" in text
    assert "dwta(bin_size=8, tables=50, hashes=6)" in text
    assert "kmeans(tables=1, cells=0, probes=4, bucket_size=0, rehash_growth=3.0, centre=true)" in text
    assert "any with tables: probes=1, bucket_size=128" in text and "any of them: rehash_first=50" in text


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, _, value in GOOD])
def test_what_is_written_is_read(name, value):
    text = write_setting(value)
    check = PARAMETERS[name].check
    assert check(name, read_setting(name, text, PARAMETERS[name])) == check(name, value)


def test_settings_are_written_briefly():
    assert write_setting(Dense(256, "identity", length=2.0)) == "dense(256, identity, length=2.0)"
    assert write_setting(Negatives(uniform=1000)) == "negatives(uniform=1000)"
    assert write_setting(DWTA()) == "dwta" and write_setting(None) == "none" and write_setting(True) == "yes"
