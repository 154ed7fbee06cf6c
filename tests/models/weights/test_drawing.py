from typing import get_args

import numpy as np
import pytest

from jinv.models.weights.drawing import WeightInit, draw_scores, draw_weights

SHAPE = (64, 32, 3, 3)
SIGMA = (2 / (32 * 9)) ** 0.5
RECORDED = np.float32(
    [1.631451964378357, -0.5620320439338684, 1.894709587097168, -0.21947981417179108]
)


@pytest.mark.parametrize("scheme", get_args(WeightInit))
def test_weights_have_the_size_that_keeps_activations(scheme):
    expected = (2 / ((32 + 64) * 9)) ** 0.5 if scheme == "xavier-normal" else SIGMA
    whole = draw_weights(scheme, SHAPE, 0, "conv1")
    assert np.sqrt(np.mean(whole**2)) == pytest.approx(expected, rel=0.02)
    half = draw_weights(scheme, SHAPE, 0, "conv1", 0.5)
    np.testing.assert_allclose(half, whole * 2**0.5, rtol=1e-6)


def test_the_schemes_have_their_shapes():
    signed, unsigned, normal, uniform, _ = (
        draw_weights(scheme, SHAPE, 0, "conv1") for scheme in get_args(WeightInit)
    )
    np.testing.assert_allclose(np.abs(signed), SIGMA, rtol=1e-6)
    assert abs(np.mean(signed > 0) - 0.5) < 0.02
    np.testing.assert_allclose(unsigned, SIGMA, rtol=1e-6)
    assert np.mean(np.abs(normal) < SIGMA) == pytest.approx(0.683, abs=0.01)
    assert SIGMA * 3**0.5 * 0.99 < np.abs(uniform).max() < SIGMA * 3**0.5


def test_weights_are_those_of_a_seed_and_a_layer():
    first = draw_weights("kaiming-normal", (3, 4), 0, "conv1")
    # Recorded on x86-64, NumPy 2.4: a file of a subnetwork depends on these numbers.
    np.testing.assert_array_equal(first[0], RECORDED)
    for seed, layer in ((1, "conv1"), (0, "conv2")):
        other = draw_weights("kaiming-normal", (3, 4), seed, layer)
        assert not np.any(first == other)


def test_scores_start_where_pytorch_starts_kernels():
    scores = draw_scores(SHAPE, 0, "conv1")
    bound = (32 * 9) ** -0.5
    assert 0.99 * bound < np.abs(scores).max() < bound
    assert np.std(scores) == pytest.approx(bound / 3**0.5, rel=0.02)
    weights = draw_weights("kaiming-uniform", SHAPE, 0, "conv1")
    assert abs(np.corrcoef(scores.ravel(), weights.ravel())[0, 1]) < 0.02
