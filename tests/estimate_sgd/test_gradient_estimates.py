"""The sampled gradient has the expectation of the full one, and a variance that is bounded."""

import numpy as np
import pytest
from sgd_cases import breast_cancer, diabetes, gradients, some_weights, training

from hashslide.reference.rng import CounterRng

DRAWS = 200_000
STANDARD_ERRORS = 4.5  # of 31 coordinates, all within with a chance above 0.9997
LOSSES = ("logistic", "squared")


def at(loss: str, sampling: str, **settings):
    """Return a training whose tables have been looked up for `some_weights`, and the gradients there."""
    _, sgd = training(loss, sampling, **settings)
    weights = some_weights(loss)
    if sampling == "lsh":
        sgd.follow(weights)
    return sgd, gradients(loss, weights)


def deviations(estimates: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return by how many standard errors the means of the columns are off."""
    return np.abs(estimates.mean(axis=0) - expected) / (
        estimates.std(axis=0) / np.sqrt(len(estimates)) + 1e-12
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sampling", ["lsh", "gradient_norm"])
def test_the_estimate_is_unbiased_for_the_tables_at_hand(loss, sampling):
    sgd, each = at(loss, sampling)
    ids, weights = sgd.draw(0, DRAWS)
    assert deviations(weights[:, None] * each[ids], each.mean(axis=0)).max() < STANDARD_ERRORS
    assert deviations(each[ids], each.mean(axis=0)).max() > 3 * STANDARD_ERRORS, "without the weights"


@pytest.mark.parametrize("loss", LOSSES)
def test_the_weights_of_the_papers_law_are_biased_for_the_tables_at_hand(loss):
    """The chance over the draw of all tables is not the one of the tables that there are."""
    sgd, each = at(loss, "lsh", uniform_share=1e-9, tables=4)
    ids, _ = sgd.draw(0, DRAWS)
    X, y = breast_cancer() if loss == "logistic" else diabetes()
    ones = np.ones((len(X), 1), np.float32)
    lifted = y[:, None] * np.c_[X, ones] if loss == "logistic" else np.c_[X, ones, y]
    theta = some_weights(loss)
    query = -theta if loss == "logistic" else np.append(theta, np.float32(-1))
    cosine = lifted @ query / np.linalg.norm(lifted, axis=1) / np.linalg.norm(query)
    alike = (1 - np.arccos(cosine) / np.pi) ** 4
    law = alike if loss == "logistic" else (alike + (np.arccos(cosine) / np.pi) ** 4) / 2
    weights = 1 / (len(X) * law / law.sum())
    assert deviations(weights[ids, None] * each[ids], each.mean(axis=0)).max() > 3 * STANDARD_ERRORS


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sampling", ["lsh", "gradient_norm"])
def test_examples_come_as_often_as_their_chance_says(loss, sampling):
    sgd, each = at(loss, sampling)
    ids, weights = sgd.draw(0, DRAWS)
    chances = 0.25 / len(each) + 0.75 * sgd.chances
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(weights, 1 / (len(each) * chances[ids]), rtol=1e-5)
    counts = np.bincount(ids, minlength=len(each))
    # The number of uniform draws is fixed, so the variance is below that of independent draws.
    assert (np.abs(counts - DRAWS * chances) / np.sqrt(DRAWS * chances)).max() < STANDARD_ERRORS


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sampling", ["lsh", "gradient_norm"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_example_counts_more_than_the_inverse_of_the_uniform_share(loss, sampling, share):
    sgd, each = at(loss, sampling, uniform_share=share)
    squares = (each**2).sum(axis=1)
    chances = share / len(each) + (1 - share) * sgd.chances
    assert (1 / (len(each) * chances)).max() <= (1 + 1e-9) / share
    assert (squares / chances).sum() / len(each) ** 2 <= squares.mean() / share
    assert sgd.draw(0, 1000)[1].max() <= (1 + 1e-6) / share


@pytest.mark.parametrize("loss", LOSSES)
def test_drawing_by_gradient_norms_comes_near_the_least_variance(loss):
    _, sgd = training(loss, "gradient_norm", uniform_share=1e-9)
    norms = np.linalg.norm(gradients(loss, np.zeros_like(some_weights(loss))), axis=1)
    least = norms.mean() ** 2
    second_moment = (norms**2 / sgd.chances).sum() / len(norms) ** 2
    assert least <= second_moment < 1.1 * least
    assert second_moment < 0.95 * (norms**2).mean() or loss == "logistic"


@pytest.mark.parametrize("loss", LOSSES)
def test_large_gradients_share_buckets_with_the_query(loss):
    sgd, each = at(loss, "lsh", tables=200, hashes=6)
    norms = np.linalg.norm(each, axis=1)
    assert (sgd.chances * norms).sum() > 1.1 * norms.mean()


@pytest.mark.parametrize("loss", LOSSES)
def test_draws_are_those_of_a_twin_in_numpy(loss):
    sgd, each = at(loss, "lsh", hashes=7)
    n, tables, size, step = len(each), 20, 400, 17
    codes, asked = sgd.codes.reshape(n, tables), sgd.query_codes.reshape(-1, tables)
    assert (asked == -1).any() and (asked != -1).any(), "empty buckets and others"
    rng = CounterRng(3, "examples", step)
    members = [np.flatnonzero(codes[:, f % tables] == code) for f, code in enumerate(asked.ravel())]
    q = np.zeros(n)
    for found in members:
        q[found if len(found) else slice(None)] += 1 / (len(found) or n) / len(members)
    ids = []
    for k in range(size):
        if k < size // 4:
            ids.append(int(rng.below(2 * k, n)))
            continue
        found = members[int(rng.below(2 * k, len(members)))]
        at_random = int(rng.below(2 * k + 1, len(found) or n))
        ids.append(found[at_random] if len(found) else at_random)
    drawn, weights = sgd.draw(step, size)
    assert drawn.tolist() == ids
    assert weights == pytest.approx(1 / (0.25 + 0.75 * n * q[ids]), rel=1e-5)


def test_a_query_without_a_direction_draws_uniformly():
    model, sgd = training("logistic", "lsh")
    sgd.follow(model.weights)
    assert (sgd.query_codes == -1).all()
    assert sgd.chances == pytest.approx(np.full(len(sgd.chances), 1 / len(sgd.chances)))
    assert sgd.draw(0, 100)[1] == pytest.approx(np.ones(100))


def test_uniform_passes_meet_every_example_once():
    _, sgd = training("logistic", "uniform")
    n = len(breast_cancer()[0])
    first, weights = sgd.draw(0, n)
    second, _ = sgd.draw(1, n)
    assert sorted(first) == sorted(second) == list(range(n)) and (first != second).any()
    assert (weights == 1).all()
