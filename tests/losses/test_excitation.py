from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv import losses

# Compiled whole, as in a step: part by part it takes longer.
activation = jax.jit(losses.activation)
half_mean_square = jax.jit(losses.half_mean_square)
likeness = jax.jit(losses.likeness, static_argnums=2)
gram_similarity = jax.jit(losses.gram_similarity, static_argnames="group")

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(4, 3, 5, 6)).astype(np.float32)
OTHER = RNG.normal(size=(4, 3, 5, 6)).astype(np.float32)
DIRECTIONS = RNG.normal(size=(4, 6)).astype(np.float32)
POSITIONS = np.array([[-1, -1], [2, 4], [0, 0], [-1, -1]])


def test_activation_is_the_mean_or_that_at_a_position():
    found = activation(FEATURES, DIRECTIONS, POSITIONS)
    along = (FEATURES * DIRECTIONS[:, None, None]).sum(-1)
    wanted = [along[0].mean(), along[1, 2, 4], along[2, 0, 0], along[3].mean()]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    flat = activation(FEATURES[:, 0, 0], DIRECTIONS, POSITIONS)
    np.testing.assert_allclose(flat, along[:, 0, 0], rtol=1e-5)


def test_its_gradient_is_the_direction_where_it_looks():
    def total(features):
        return activation(features, DIRECTIONS, POSITIONS).sum()

    found = np.asarray(jax.grad(total)(FEATURES))
    np.testing.assert_allclose(
        found[0], np.broadcast_to(DIRECTIONS[0] / 15, (3, 5, 6)), rtol=1e-5
    )
    np.testing.assert_allclose(found[1, 2, 4], DIRECTIONS[1], rtol=1e-5)
    assert np.count_nonzero(found[1]) == 6


def test_half_the_mean_square_has_the_features_as_its_gradient():
    found = half_mean_square(FEATURES)
    np.testing.assert_allclose(found, (FEATURES**2).mean((1, 2, 3)) / 2, rtol=1e-5)
    gradient = jax.grad(lambda x: half_mean_square(x).sum())(FEATURES)
    np.testing.assert_allclose(gradient, FEATURES / 90, rtol=1e-5)


def direct_likeness(x, target, power):
    x, target = x.astype(np.float64), target.astype(np.float64)
    product = (x * target).sum((1, 2, 3))
    own, wanted = (np.sqrt((y**2).sum((1, 2, 3))) for y in (x, target))
    return product / wanted**2 * np.maximum(0.1, product / own / wanted) ** power


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_likeness_is_a_product_and_a_power_of_the_cosine(power):
    near = OTHER + 0.7 * FEATURES
    for x in (FEATURES, near, 3 * OTHER):
        found = likeness(x, OTHER, power)
        np.testing.assert_allclose(found, direct_likeness(x, OTHER, power), rtol=1e-4)
    np.testing.assert_allclose(likeness(OTHER, OTHER, power), 1, rtol=1e-5)
    np.testing.assert_allclose(likeness(3 * OTHER, OTHER, power), 3, rtol=1e-5)

    step, small = RNG.normal(size=near.shape), 1e-5
    slope = (
        direct_likeness(near + small * step, OTHER, power)
        - direct_likeness(near - small * step, OTHER, power)
    ) / (2 * small)
    gradient = jax.grad(lambda x: likeness(x, OTHER, power).sum())(near)
    np.testing.assert_allclose((gradient * step).sum((1, 2, 3)), slope, rtol=1e-3)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_layer_that_sees_nothing_has_a_likeness_and_a_gradient(power):
    nothing = jnp.zeros_like(FEATURES)
    value, gradient = jax.value_and_grad(lambda x: likeness(x, OTHER, power).sum())(
        nothing
    )
    assert value == 0 and np.isfinite(gradient).all() and np.any(gradient)
    assert np.isfinite(likeness(FEATURES, nothing, power)).all()


def test_similarity_is_the_mean_cosine_with_the_others_of_the_group():
    grams = np.einsum("bhwc,bhwd->bcd", FEATURES, FEATURES).reshape(4, -1)
    grams /= np.linalg.norm(grams, axis=1, keepdims=True)
    cosines = grams @ grams.T
    pairs = cosines[[0, 1, 2, 3], [1, 0, 3, 2]]
    np.testing.assert_allclose(gram_similarity(FEATURES, group=2), pairs, rtol=1e-4)
    others = (cosines.sum(1) - 1) / 3
    np.testing.assert_allclose(gram_similarity(FEATURES, group=4), others, rtol=1e-4)
    gradient = jax.grad(lambda x: gram_similarity(x, group=2).sum())(FEATURES)
    lower = gram_similarity(FEATURES - 0.1 * gradient, group=2)
    assert lower.sum() < gram_similarity(FEATURES, group=2).sum()


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: activation(x, DIRECTIONS[: len(x)], POSITIONS[: len(x)]),
        half_mean_square,
        lambda x: likeness(x, OTHER[: len(x)], 1.0),
        partial(gram_similarity, group=2),
    ],
)
def test_an_image_does_not_depend_on_the_size_of_its_batch(loss):
    np.testing.assert_allclose(loss(FEATURES)[:2], loss(FEATURES[:2]), rtol=1e-5)
