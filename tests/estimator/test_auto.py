import dataclasses

import pytest

from hashslide.errors import InputError
from hashslide.estimator.auto import (
    ACCUMULATOR_OF_ONE_LABEL,
    AUTO,
    AUTO_PER_EXAMPLE,
    DENSE_RATE,
    DENSE_STEPS,
    FEW_FEATURES,
    FEW_VALUES,
    LEARNING_RATE,
    MAX_BUDGET,
    MIN_BATCH_SIZE,
    MIN_BUDGET,
    SMALL_DROPOUT,
    SMALL_EXAMPLES,
    SOFT_EXAMPLES,
    STREAM_EXAMPLES,
    TINY_EPOCHS,
    TINY_EXAMPLES,
    Decided,
    Problem,
    decide,
)
from hashslide.estimator.classifier import SlideClassifier
from hashslide.estimator.parameters import check_parameters
from hashslide.settings import (
    DWTA,
    SGD,
    Adagrad,
    Dense,
    Exact,
    KMeans,
    Layer,
    MinHash,
    Negatives,
    SimHash,
    Top,
    Vanilla,
)

PLAIN = ("epochs", "batch_size", "input_dropout", "example_power")


def settings(
    n_examples,
    labels_per_example=5.0,
    n_features=1000,
    n_labels=5,
    is_dense=False,
    values_per_example=30.0,
    more_to_come=False,
    **given,
) -> Decided:
    problem = Problem(
        n_examples=n_examples,
        n_features=n_features,
        n_labels=n_labels,
        values_per_example=values_per_example,
        labels_per_example=labels_per_example,
        is_dense=is_dense,
        more_to_come=more_to_come,
        one_label=labels_per_example == 1,
    )
    parameters = check_parameters(SlideClassifier(**given))
    return decide(problem, {field.name: parameters[field.name] for field in dataclasses.fields(Decided)})


def test_ordinary_data_get_the_table():
    decided = settings(SMALL_EXAMPLES)
    assert {name: getattr(decided, name) for name in PLAIN} == {name: AUTO[name] for name in PLAIN}
    (layer,) = decided.hidden
    assert layer == Layer(256, AUTO["activation"], length=AUTO["length"], softness=layer.softness)
    assert decided.negatives == Negatives(uniform=250, popular=0, prior_correction=0.6)
    assert decided.hash is None and decided.sampler is None
    assert decided.loss == "bce" and decided.learning_rate == LEARNING_RATE["adagrad"]
    assert settings(SMALL_EXAMPLES, optimizer="sgd").learning_rate == LEARNING_RATE["sgd"]


def test_dense_features_are_learned_by_a_nonlinear_layer_in_more_steps():
    words, dense = settings(20_000), settings(20_000, is_dense=True)
    hidden = (Layer(256, "relu", length=0.0, softness=0.0),)
    steps = -(-20_000 // 256)
    assert dense == dataclasses.replace(
        words, hidden=hidden, epochs=-(-DENSE_STEPS // steps), input_dropout=SMALL_DROPOUT
    )
    assert settings(10**6, is_dense=True).epochs == AUTO["epochs"]
    assert settings(700, is_dense=True).epochs == settings(300, is_dense=True).epochs == TINY_EPOCHS
    rates = [settings(20_000, labels, is_dense=True).learning_rate for labels in (1, 5)]
    assert rates == [DENSE_RATE * LEARNING_RATE["adagrad"], LEARNING_RATE["adagrad"]]
    assert settings(20_000, is_dense=True, hidden=Layer(9, "tanh", length=2)).hidden[0].activation == "tanh"


def test_one_label_for_each_example_means_softmax_with_the_whole_correction():
    several, one = settings(SMALL_EXAMPLES), settings(SMALL_EXAMPLES, labels_per_example=1)
    negatives = dataclasses.replace(several.negatives, prior_correction=1.0)
    optimizer = Adagrad(initial_accumulator=ACCUMULATOR_OF_ONE_LABEL)
    assert one == dataclasses.replace(several, loss="softmax", negatives=negatives, optimizer=optimizer)


@pytest.mark.parametrize("labels_per_example", [0, 0.2, 1, 1.8, 5, 19, 75])
def test_accumulators_start_in_proportion_to_the_square_of_the_labels_of_an_example(labels_per_example):
    def first(n_examples, **given):
        return settings(n_examples, labels_per_example, **given).optimizer.initial_accumulator

    expected = ACCUMULATOR_OF_ONE_LABEL * max(1, labels_per_example) ** 2
    assert first(TINY_EXAMPLES) == pytest.approx(expected, rel=0.05)
    assert first(TINY_EXAMPLES - 1) == AUTO["initial_accumulator"]
    assert first(TINY_EXAMPLES, optimizer=Adagrad(initial_accumulator=0.7)) == 0.7
    assert settings(TINY_EXAMPLES, labels_per_example, optimizer="sgd").optimizer == SGD()


@pytest.mark.parametrize(
    ("few", "least", "is_dense", "of_rows"),
    [
        (SMALL_EXAMPLES, FEW_FEATURES, True, "n_features"),
        (TINY_EXAMPLES, FEW_VALUES, False, "values_per_example"),
    ],
)
def test_small_data_get_dropout_unless_rows_have_few_values(few, least, is_dense, of_rows):
    def dropout(n, values, **given):
        return settings(n, is_dense=is_dense, **{of_rows: values}, **given).input_dropout

    assert dropout(few - 1, least) == SMALL_DROPOUT
    assert dropout(few, least) == dropout(few - 1, least - 1) == 0
    assert dropout(few, least - 1, input_dropout=0.4) == 0.4


def test_the_fewer_the_examples_the_softer_the_length():
    def softness(n, **given):
        return settings(n, **given).hidden[0].softness

    assert softness(1) == softness(SOFT_EXAMPLES) == 1
    assert softness(4 * SOFT_EXAMPLES) == 0.5 and softness(100 * SOFT_EXAMPLES) == 0.1
    assert softness(100, more_to_come=True) == softness(STREAM_EXAMPLES)
    assert softness(10**7, more_to_come=True) == softness(10**7)
    assert softness(100, hidden=Layer(256, softness=0.3)) == 0.3
    for given in ({"is_dense": True}, {"hidden": Layer(256, sampler=Exact(budget=5))}, {"hidden": (8, 4)}):
        assert softness(100, **given) == 0


@pytest.mark.parametrize("n_examples", [1, 50, 150, 2_000, TINY_EXAMPLES - 1])
def test_tiny_data_get_small_batches_and_many_epochs(n_examples):
    decided = settings(n_examples)
    assert MIN_BATCH_SIZE <= decided.batch_size <= AUTO["batch_size"]
    assert AUTO["epochs"] <= decided.epochs <= TINY_EPOCHS
    assert decided.epochs > AUTO["epochs"]


def test_the_epochs_of_tiny_data_follow_the_given_batch_size():
    assert settings(2_000, batch_size=10).epochs < settings(2_000).epochs


def test_given_settings_are_kept():
    given = {"epochs": 3, "batch_size": 7, "learning_rate": 0.7, "loss": "softmax"}
    hidden = Dense(5, "tanh", length=2.0, softness=0.5)
    for n_examples in (20, TINY_EXAMPLES):
        decided = settings(n_examples, **given, hidden=hidden, negatives=Negatives(popular=11))
        assert {name: getattr(decided, name) for name in given} == given
        assert decided.hidden == (hidden,)
        assert decided.negatives == Negatives(uniform=250, popular=11, prior_correction=0.6)
    assert settings(20, negatives=30).negatives.uniform == 30


def test_sets_of_the_examples_own_are_the_published_system():
    decided = settings(SMALL_EXAMPLES, active="per_example", hash="dwta")
    assert decided.loss == AUTO_PER_EXAMPLE["loss"]
    assert decided.hidden == (Layer(256, "relu", length=0.0, softness=0.0),)
    assert decided.negatives.prior_correction == 1.0 and decided.hash == DWTA(tables=50, hashes=6)
    for n_labels, budget in ((5, MIN_BUDGET), (50_000, 500), (10**6, MAX_BUDGET)):
        decided = settings(SMALL_EXAMPLES, active="per_example", hash="dwta", n_labels=n_labels)
        assert decided.sampler == Vanilla(budget=budget)


@pytest.mark.parametrize("hidden", [(8, 4), Layer(8, sampler=Exact(budget=2))])
def test_other_layers_than_one_dense_one_get_relu(hidden):
    decided = settings(SMALL_EXAMPLES, hidden=hidden)
    assert {(layer.activation, layer.length, layer.softness) for layer in decided.hidden} == {
        ("relu", 0.0, 0.0)
    }


def test_tables_fit_the_family():
    assert settings(SMALL_EXAMPLES, hash="simhash").hash == SimHash(tables=50, hashes=9)
    assert settings(SMALL_EXAMPLES, hash="minhash").hash == MinHash(tables=50, hashes=4)
    learned = KMeans(tables=1, probes=4, centre=True, bucket_size=0, rehash_growth=3.0)
    assert settings(SMALL_EXAMPLES, hash="kmeans").hash == learned


def test_a_sampler_keeps_its_budget_or_gets_one():
    assert settings(SMALL_EXAMPLES, hash="wta", sampler=Top(budget=7)).sampler == Top(budget=7)
    assert settings(SMALL_EXAMPLES, hash="wta", sampler="top").sampler == Top(budget=5)
    assert settings(SMALL_EXAMPLES, hash="wta").sampler.name == "scored"
    assert settings(SMALL_EXAMPLES, sampler=Exact()).sampler == Exact(budget=5)
    with pytest.raises(InputError, match="hash is None"):
        settings(SMALL_EXAMPLES, sampler="top")


@pytest.mark.parametrize("sampler", ["exact", "uniform", "standout"])
def test_references_need_no_tables(sampler):
    decided = settings(SMALL_EXAMPLES, sampler=sampler)
    assert decided.hash is None and decided.sampler.name == sampler
