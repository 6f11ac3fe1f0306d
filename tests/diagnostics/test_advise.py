"""Advice: paired differences, conclusions, determinism, the time box."""

from dataclasses import replace

import numpy as np
import pytest

from hashslide import Scored, advise
from hashslide.diagnostics.trials import CURVE, Comparison, Outcome, Run, Trained
from hashslide.diagnostics.verdict import conclude, of_sample
from hashslide.errors import InputError

AMPLE = 1e6  # seconds


@pytest.fixture(scope="module")
def small(pubmed_small):
    return pubmed_small.X_train[:600], pubmed_small.Y_train[:600]


@pytest.fixture(scope="module")
def settings():
    return {"hidden": 8, "epochs": 1, "shares": (0.01,), "families": ("kmeans",), "seconds": AMPLE}


@pytest.fixture(scope="module")
def advice(small, settings):
    return advise(*small, **settings)


def test_everything_is_tried(advice):
    kinds = [run.kind for run in advice.runs]
    assert kinds[:3] == ["default", "shorter", "shorter"]
    assert set(kinds) == {"default", "shorter", "seed", "uniform", "more", "oracle", "hash", "full", "share"}
    assert kinds.count("share") == len(CURVE)
    assert advice.skipped == []
    assert advice.facts["examples"] == 480
    assert advice.facts["validation_examples"] == 120


def test_runs_compare_with_the_default(advice):
    default, k = advice.runs[0], advice.facts["k"]
    assert k == 5  # as examples have nearly ten labels
    for run in advice.runs:
        found = run.equal_steps
        assert found.steps == default.equal_steps.steps or run.kind == "shorter"
        expected = found.precision[k] - default.equal_steps.precision[k]
        assert found.difference == pytest.approx(expected, abs=1e-12)
        timed = run.kind in ("uniform", "more", "oracle", "hash", "full")
        assert (run.equal_time is not None) == timed


def test_active_sets_are_what_they_are_called(advice):
    runs = {run.name: run for run in advice.runs}
    n, default = advice.facts["labels"], advice.runs[0].active
    assert runs["all labels"].active == n
    assert runs["labels of batch only"].active < default < runs["uniform, 4 times more"].active
    oracle = next(run for run in advice.runs if run.kind == "oracle")
    assert oracle.budget == round(0.01 * n)
    assert oracle.active > default
    together, alone = (run for run in advice.runs if run.kind == "hash")
    assert alone.name == f"{together.name}, per example" and alone.settings["active"] == "per_example"
    assert default < alone.active <= default + together.budget + 1 and default < together.active
    shares = [run for run in advice.runs if run.kind == "share"]
    assert [run.active for run in shares] == sorted(run.active for run in shares)
    assert shares[-1].active == n


def test_same_seed_same_advice(advice, small, settings):
    again = advise(*small, **settings)
    for a, b in zip(advice.runs, again.runs, strict=True):
        assert a.name == b.name
        assert a.equal_steps.precision == b.equal_steps.precision
        assert a.equal_steps.difference == b.equal_steps.difference
        assert a.equal_steps.standard_error == b.equal_steps.standard_error
    other = advise(*small, **settings, random_state=1)
    assert other.runs[0].equal_steps.precision != advice.runs[0].equal_steps.precision


def test_without_time_only_the_default_is_tried(small, settings):
    advice = advise(*small, **settings | {"seconds": 1e-3})
    assert {run.kind for run in advice.runs} == {"default", "shorter"}
    assert "all labels" in advice.skipped
    assert "not measured" in advice.verdict
    assert advice.settings == {}


def test_labels_are_those_of_the_training_part(advice, small):
    assert 2 < advice.facts["labels"] < advice.facts["all_labels"] < small[1].shape[1]
    assert of_sample(49, 100)[0].startswith("Limits: the sample has 49 of the 100 labels")
    assert of_sample(50, 100) == []


def test_single_labels_are_judged_by_their_first(small, settings):
    advice = advise(small[0], np.arange(600) % 7, **settings)
    assert advice.facts["k"] == 1
    assert advice.facts["labels"] == 7
    assert all(0 <= p <= 1 for run in advice.runs for p in run.equal_steps.precision.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0}, "seconds is 0"),
        ({"examples": 0}, "examples is 0"),
        ({"examples": 99}, "examples is 99; accepted is an integer from 100"),
        ({"shares": (2.0,)}, "a share is 2.0"),
        ({"shares": 0.01}, "shares is 0.01; accepted is a sequence. Put a single value into a list"),
        ({"families": ("lsh",)}, "a family is 'lsh'; accepted are 'simhash', .*'kmeans'"),
        ({"families": (3,)}, "a family is a int without n_tables"),
        ({"families": ("user:Signs",)}, "a family is 'user:Signs'"),
        ({"families": "kmeans"}, "families is 'kmeans'; accepted is a sequence"),
        ({"families": None}, "families is None; accepted is a sequence"),
        ({"epochs": 0}, "epochs is 0; accepted are .* an integer from 1"),
        ({"epochs": "foo"}, "epochs is 'foo'"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"progress": 3}, "progress is 3; accepted are None and a function"),
    ],
)
def test_bad_arguments(small, settings, change, message):
    with pytest.raises(InputError, match=message):
        advise(*small, **settings | change)


def test_too_few_examples(small, settings):
    with pytest.raises(InputError, match="there are 50 examples"):
        advise(small[0][:50], small[1][:50], **settings)


def test_standard_error_is_that_of_paired_differences():
    rng = np.random.default_rng(0)
    ours, reference = rng.random((2, 50, 5)) < 0.4
    comparison = Comparison.__new__(Comparison)
    comparison.k = 3
    outcome = comparison._outcome(Trained(None, 1.5, 0.0, ours), 7, reference)
    differences = ours[:, :3].sum(axis=1) / 3 - reference[:, :3].sum(axis=1) / 3
    assert outcome.difference == pytest.approx(differences.mean())
    assert outcome.standard_error == pytest.approx(differences.std(ddof=1) / np.sqrt(50))
    assert outcome.precision[5] == pytest.approx(ours.mean())
    assert (outcome.steps, outcome.seconds) == (7, 1.5)


def outcome(difference, error=0.001):
    return Outcome(100, 2.0, {1: 0.5, 3: 0.4, 5: 0.3 + difference}, difference, error)


def run_of(kind, difference, timed=None, **fields):
    run = Run(
        fields.pop("name", kind),
        kind,
        None,
        5,
        0.01,
        fields.pop("settings", {}),
        outcome(difference),
        None if timed is None else outcome(timed),
        10.0,
        100.0,
        {"loss": 1.0, "output_forward": 3.0},
    )
    return replace(run, **fields)


def test_oracle_that_gains_nothing():
    verdict, settings, reasons = conclude(
        [run_of("default", 0), run_of("oracle", 0.0015, name="+ exact top 5"), run_of("hash", 0.001, 0.0)], 5
    )
    assert verdict.startswith("Keep the default: hard negatives do not pay here. Even exact top 5")
    assert "P@5 +0.0015 ± 0.0020 (noise)" in verdict
    assert settings == {}
    assert any("output layer 75%, loss 25%" in text for text in reasons)


def test_oracle_that_gains_and_hashing_that_does_not():
    runs = [run_of("default", 0), run_of("oracle", 0.02, 0.01), run_of("hash", 0.01, -0.01)]
    verdict, settings, _ = conclude(runs, 5)
    assert "hard negatives help here" in verdict
    assert "no tried hash family finds them cheaply enough" in verdict
    assert settings == {}


def test_oracle_that_gains_only_by_more_time():
    runs = [run_of("default", 0), run_of("more", 0.03), run_of("oracle", 0.02, 0.001, name="+ exact top 5")]
    verdict, settings, reasons = conclude(runs, 5)
    assert "hard negatives do not pay here. Exact top 5 brings P@5 +0.0200 ± 0.0020" in verdict
    assert "even if finding them were free, P@5 +0.0010 ± 0.0020 (noise)" in verdict
    assert settings == {}
    assert "More random negatives instead (more): P@5 +0.0300 ± 0.0020" in reasons[0]


def test_best_of_what_gains_in_equal_time():
    chosen = {"hash": "kmeans", "sampler": Scored(budget=5)}
    runs = [
        run_of("default", 0),
        run_of("oracle", 0.05),
        run_of("hash", 0.01, 0.010, settings=chosen, family="kmeans", name="+ kmeans top 5"),
        run_of("uniform", 0.01, 0.005),
    ]
    verdict, settings, reasons = conclude(runs, 5)
    assert "'+ kmeans top 5'" in verdict
    assert settings == chosen
    assert any(text.startswith("Hashing: + kmeans top 5 is best") for text in reasons)


def test_gain_within_the_noise_of_the_seed_is_none():
    runs = [run_of("default", 0), run_of("seed", -0.02), run_of("uniform", 0.01, 0.015)]
    verdict, settings, _ = conclude(runs, 5)
    assert verdict.startswith("Keep the default")
    assert settings == {}
