import dataclasses

import pytest

from hashslide.estimator.auto import (
    AUTO,
    AUTO_KMEANS,
    AUTO_PER_EXAMPLE,
    FEW_FEATURES,
    HASHES,
    LEARNING_RATE,
    MAX_BUDGET,
    MIN_BATCH_SIZE,
    MIN_BUDGET,
    SMALL_DROPOUT,
    SMALL_EXAMPLES,
    TINY_EPOCHS,
    TINY_EXAMPLES,
    Problem,
    Settings,
    auto_settings,
    selection_of,
)
from hashslide.selection import Selection


def settings(n_examples, multilabel=True, optimizer="adagrad", n_features=1000, problem=(), **given):
    problem = Problem(
        n_examples=n_examples,
        n_features=n_features,
        multilabel=multilabel,
        optimizer=optimizer,
        **{"n_labels": 5, **dict(problem)},
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


def test_sets_of_the_examples_own_are_the_published_system():
    decided = dataclasses.asdict(settings(SMALL_EXAMPLES, problem={"active": "per_example"}))
    assert {name: decided[name] for name in AUTO_PER_EXAMPLE} == AUTO_PER_EXAMPLE
    for n_labels, budget in ((5, MIN_BUDGET), (50_000, 500), (10**6, MAX_BUDGET)):
        problem = {"active": "per_example", "n_labels": n_labels}
        assert settings(SMALL_EXAMPLES, problem=problem).budget == budget


def test_other_layers_than_one_dense_one_get_relu():
    decided = settings(SMALL_EXAMPLES, problem={"single_dense": False})
    assert (decided.activation, decided.hidden_length) == ("relu", 0.0)


def test_tables_fit_the_family():
    for family, hashes in HASHES.items():
        assert settings(SMALL_EXAMPLES, problem={"hash": family}).hashes == hashes
    learned = settings(SMALL_EXAMPLES, problem={"hash": "kmeans"})
    assert {"tables": learned.tables, "probes": learned.probes} == AUTO_KMEANS


def test_the_selection_follows_the_settings():
    given = dict(sampler="top", budget=7, tables=3, hashes=2, probes=4)
    decided = settings(SMALL_EXAMPLES, **given)
    assert selection_of("wta", decided) == Selection(hash="wta", **given)
    learned = Selection(hash="kmeans", centre=True, bucket_size=0, rehash_every=20, **given)
    assert selection_of("kmeans", decided) == learned
    whole = Selection(sampler="exact", budget=3)
    assert selection_of(whole, decided) is whole


@pytest.mark.parametrize("sampler", ["exact", "uniform", "standout"])
def test_references_need_no_tables(sampler):
    decided = settings(SMALL_EXAMPLES, sampler=sampler, budget=7)
    assert selection_of(None, decided) == Selection(sampler=sampler, budget=7)
    assert selection_of(None, settings(SMALL_EXAMPLES)) == Selection()
