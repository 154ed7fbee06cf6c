import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from jinv.errors import DataError
from jinv.metrics.inception_score import inception_score

PROBABILITIES = softmax(2 * np.random.default_rng(0).normal(size=(200, 7)), 1)


@pytest.mark.parametrize("splits", [1, 4, 10])
def test_it_is_the_exponential_of_the_mean_divergence(splits):
    scores = [
        np.exp(entropy(part, part.mean(0, keepdims=True), axis=1).mean())
        for part in np.split(PROBABILITIES, splits)
    ]
    found = inception_score(PROBABILITIES, splits, seed=None)
    np.testing.assert_allclose(found, (np.mean(scores), np.std(scores)), atol=1e-12)


def test_certain_and_even_predictions_score_the_number_of_classes():
    np.testing.assert_allclose(inception_score(np.tile(np.eye(5), (4, 1)), 1), (5, 0))


def test_equal_predictions_score_one():
    np.testing.assert_allclose(inception_score(np.full((20, 4), 0.25)), (1, 0))


def test_samples_sorted_by_class_are_mixed():
    ordered = np.repeat(np.eye(5), 200, 0)
    assert inception_score(ordered, splits=5, seed=None)[0] == pytest.approx(1)
    assert inception_score(ordered, splits=5)[0] > 4.8


def test_the_seed_decides_the_parts():
    assert inception_score(PROBABILITIES, seed=1) == inception_score(
        PROBABILITIES, seed=1
    )
    assert inception_score(PROBABILITIES, seed=1) != inception_score(
        PROBABILITIES, seed=2
    )


def test_float32_predictions_score_the_same():
    found = inception_score(PROBABILITIES.astype(np.float32))
    np.testing.assert_allclose(found, inception_score(PROBABILITIES), rtol=1e-5)


def test_fewer_samples_than_parts_are_refused():
    with pytest.raises(DataError, match="at least 10 samples, got 9"):
        inception_score(PROBABILITIES[:9])


@pytest.mark.parametrize("wrong", [np.log(PROBABILITIES), 2 * PROBABILITIES])
def test_values_that_are_no_probabilities_are_refused(wrong):
    with pytest.raises(DataError, match="logits"):
        inception_score(wrong)
