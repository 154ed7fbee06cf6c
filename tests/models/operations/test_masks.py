from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.models.operations.masks import kept_count, largest, sampled_mask, top_mask


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_the_count_is_the_fraction_rounded_up(fraction):
    tenths = round(10 * fraction)
    for weights in (1, 9, 10, 11, 2_359_296):
        for computed in (fraction, 0.1 * tenths, 1 - 0.1 * (10 - tenths)):
            assert kept_count(computed, weights) == -(-tenths * weights // 10)


@pytest.mark.parametrize("kept", [1, 2, 36, 71, 72])
@pytest.mark.parametrize("kind", ["distinct", "ties", "equal", "zero"])
def test_exactly_so_many_of_the_largest_are_marked(kind, kept):
    rng = np.random.default_rng(0)
    values = {
        "distinct": rng.random(72),
        "ties": rng.integers(0, 4, 72) / 3,
        "equal": np.full(72, 0.3),
        "zero": np.zeros(72),
    }[kind].astype(np.float32)
    # A stable sort of the negated values: of equal ones the first come first.
    expected = np.zeros(72, bool)
    expected[np.argsort(-values, kind="stable")[:kept]] = True
    found = jax.jit(partial(largest, count=kept))(values.reshape(3, 24))
    np.testing.assert_array_equal(found, expected.reshape(3, 24))


def test_magnitudes_of_any_size_are_told_apart():
    values = jnp.array([1e-40, 3e38, 0.0, 1e-30, jnp.inf, 1.0])
    np.testing.assert_array_equal(largest(values, 3), [0, 1, 0, 0, 1, 1])


def test_top_scores_are_kept_whatever_their_sign():
    scores = jnp.array([0.1, -0.5, 0.3, -0.2])
    np.testing.assert_array_equal(top_mask(scores, 2), [0, 1, 1, 0])
    np.testing.assert_array_equal(top_mask(scores, 4), [1, 1, 1, 1])


def test_the_gradient_of_scores_is_that_of_the_closed_form():
    # Ramanujan et al. 2020, section 3: the score of the edge from u to v moves by
    # -∂L/∂I_v · Z_u · w_uv, where I_v is the input of v and Z_u the output of u.
    keys = jax.random.split(jax.random.key(0), 4)
    outputs, weights, scores, target = (
        jax.random.normal(key, shape)
        for key, shape in zip(keys, [(5, 8), (8, 3), (8, 3), (5, 3)], strict=True)
    )

    def loss(scores, shift):
        inputs = outputs @ (weights * top_mask(scores, 12)) + shift
        return jnp.sum(jnp.tanh(inputs) * target)

    found, at_inputs = jax.jit(jax.grad(loss, (0, 1)))(scores, jnp.zeros((5, 3)))
    expected = outputs.T @ at_inputs * weights * jnp.sign(scores)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.all(found != 0)  # those that are not used learn too


def test_samples_are_drawn_with_the_probabilities_that_the_scores_say():
    scores = jnp.repeat(jnp.array([-1.0, 0.0, 2.0]), 20_000)
    drawn = sampled_mask(scores, jax.random.key(0)).reshape(3, -1)
    chances = 1 / (1 + np.exp([1.0, 0.0, -2.0]))
    np.testing.assert_allclose(drawn.mean(1), chances, atol=0.015)
    assert set(np.unique(drawn)) == {0, 1}
    likelier = sampled_mask(scores, None).reshape(3, -1)
    np.testing.assert_array_equal(likelier.mean(1), [0, 0, 1])


def test_samples_pass_the_gradient_to_their_probability():
    scores = jnp.array([-1.0, 0.5, 2.0])
    weights = jnp.array([3.0, -2.0, 1.0])
    found = jax.jit(jax.grad(lambda s: weights @ sampled_mask(s, jax.random.key(1))))(
        scores
    )
    chance = jax.nn.sigmoid(scores)
    np.testing.assert_allclose(found, weights * chance * (1 - chance), rtol=1e-6)
