import math

import jax.numpy as jnp
import numpy as np
import pytest

from jinv.errors import DataError
from jinv.metrics.feature_errors import feature_errors, mean_pairwise_distance

RNG = np.random.default_rng(0)
TARGETS = RNG.normal(size=(4, 5, 6, 3)).astype(np.float32)
FEATURES = TARGETS + RNG.normal(size=TARGETS.shape).astype(np.float32)


def length(x):
    return math.sqrt(np.sum(np.asarray(x, np.float64) ** 2))


def test_the_three_errors_are_those_of_their_formulas():
    pairs = [
        length(TARGETS[i].astype(float) - TARGETS[j])
        for i in range(4)
        for j in range(i)
    ]
    for found, x, target in zip(
        feature_errors(FEATURES, TARGETS), FEATURES, TARGETS, strict=True
    ):
        distance = length(x.astype(float) - target)
        relative = distance / length(target)
        assert found.relative_squared_error == pytest.approx(relative**2, rel=1e-12)
        assert found.relative_error == pytest.approx(relative, rel=1e-12)
        over = distance / np.mean(pairs)
        assert found.distance_over_pairwise == pytest.approx(over, rel=1e-12)


def test_errors_do_not_depend_on_the_scale_of_a_layer():
    for one, other in zip(
        feature_errors(FEATURES, TARGETS),
        feature_errors(8 * FEATURES, 8 * TARGETS),
        strict=True,
    ):
        assert one == other


def test_features_that_are_their_targets_have_no_error():
    for found in feature_errors(TARGETS, TARGETS):
        assert found.relative_squared_error == found.relative_error == 0
        assert found.distance_over_pairwise == 0


def test_a_large_set_scales_the_errors_of_its_parts():
    scale = mean_pairwise_distance(TARGETS)
    parts = [
        feature_errors(FEATURES[at : at + 1], TARGETS[at : at + 1], scale)[0]
        for at in range(4)
    ]
    assert parts == feature_errors(FEATURES, TARGETS)


def test_what_is_not_defined_is_none():
    alone = feature_errors(FEATURES[:1], TARGETS[:1])[0]
    assert alone.distance_over_pairwise is None
    assert alone.relative_error is not None
    twins = np.concatenate([TARGETS[:1], TARGETS[:1]])
    assert feature_errors(FEATURES[:2], twins)[0].distance_over_pairwise is None
    dead = np.stack([np.zeros(3), np.ones(3)])
    found = feature_errors(np.ones((2, 3)), dead)[0]
    assert found.relative_squared_error is found.relative_error is None
    assert found.distance_over_pairwise == pytest.approx(1)


def test_features_of_jax_in_half_precision_are_summed_in_double():
    ones = jnp.ones((2, 70_000), jnp.bfloat16)
    found = feature_errors(ones, 2 * ones)[0]
    assert found.relative_error == 0.5


@pytest.mark.parametrize(
    ("features", "targets", "message"),
    [
        (FEATURES, TARGETS[:2], "take both from one layer"),
        (FEATURES[:, :4], TARGETS, "take both from one layer"),
        (FEATURES[:0], TARGETS[:0], r"features: expected shape \(images, ...\)"),
        (np.ones(3), np.ones(3), r"features: expected shape \(images, ...\)"),
        (FEATURES, TARGETS * np.inf, "targets of image 0 hold NaN or infinity"),
    ],
)
def test_what_are_no_pairs_of_features_is_refused(features, targets, message):
    with pytest.raises(DataError, match=message):
        feature_errors(features, targets)
