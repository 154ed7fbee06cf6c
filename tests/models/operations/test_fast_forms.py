from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from activations import X, close
from jax import lax

from jinv.models.operations import convolution
from jinv.models.operations.convolution import convolve
from jinv.models.operations.moments import channel_sum, moments, standardise, unshared
from jinv.models.operations.upsampling import convolve_doubled, upsample


def value_and_gradients(convolve, x, kernel):
    def loss(x, kernel):
        return jnp.sum(jnp.sin(convolve(x, kernel) / 9))

    return convolve(x, kernel), jax.grad(loss, (0, 1))(x, kernel)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_convolutions_and_their_gradients_are_plain_ones(size, stride):
    kernel = jax.random.normal(jax.random.key(2), (size, size, 4, 3))
    margin = size // 2

    def plain(x, w):
        return lax.conv_general_dilated(
            x,
            w,
            (stride, stride),
            ((margin, margin), (margin, margin)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    def outcome(convolve):
        return jax.jit(partial(value_and_gradients, convolve))(X, kernel)

    margins = ((margin, margin), (margin, margin))
    found = outcome(lambda x, w: convolve(x, w, stride, margins))
    close(found, outcome(plain))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("form", ["depthwise", "few channels", "many", "small images"])
@pytest.mark.parametrize("size", [(3, 3), (5, 5), (1, 7)])
def test_every_form_of_a_convolution_is_the_plain_one(form, size, stride):
    channels = 3 if form == "few channels" else 8
    groups = channels if form == "depthwise" else 1
    height, width = (2, 2) if form == "small images" else (11, 12)
    x = jax.random.normal(jax.random.key(3), (2, height, width, channels))
    kernel = jax.random.normal(jax.random.key(4), (*size, channels // groups, 8))
    margins = ((size[0] // 2, size[0] - 1), (size[1] - 1, size[1] // 2))

    def outcome(convolve):
        form = partial(convolve, stride, margins, groups)
        return jax.jit(partial(value_and_gradients, form))(x, kernel)

    ours = outcome(lambda s, m, g, x, w: convolve(x, w, s, m, g))
    close(ours, outcome(convolution._convolve))


def test_channel_sums_are_sums():
    close(channel_sum(X), np.asarray(X, np.float64).sum((0, 1, 2)))
    assert moments(X.astype(jnp.bfloat16))[0].dtype == jnp.float32


def test_a_team_standardises_by_the_moments_of_its_whole_batch():
    keys = jax.random.split(jax.random.key(7))
    # Each image has an offset of its own, so that parts of the batch differ.
    x = jnp.arange(16.0)[:, None, None, None] + jax.random.normal(
        keys[0], (16, 3, 2, 5)
    )
    weight = jax.random.normal(keys[1], x.shape)

    def outcome(average, x, weight):
        def loss(x):
            normal, moments = standardise(x, 1e-5, average)
            return average(jnp.mean(jnp.sin(weight * normal))), moments

        return jax.grad(loss, has_aux=True)(x)

    def shared(average):
        # Every device differentiates the sum of the two losses.
        parts = (a.reshape(2, 8, *a.shape[1:]) for a in (x, weight))
        gradient, moments = jax.pmap(partial(outcome, average), "team")(*parts)
        return gradient.reshape(x.shape) / 2, jax.tree.map(lambda a: a[1], moments)

    gradient, moments = jax.jit(partial(outcome, unshared))(x, weight)
    assert jnp.abs(gradient).max() > 1e-3
    found_gradient, found_moments = shared(partial(lax.pmean, axis_name="team"))
    close(found_moments, moments)
    close(found_gradient, gradient, 1e-7)


@pytest.mark.parametrize("size", [(6, 10), (3, 15), (12, 5), (4, 8), (2, 3)])
def test_upsampling_is_by_nearest_neighbour(size):
    x = jax.random.normal(jax.random.key(8), (2, 3, 5, 4))
    weight = jax.random.normal(jax.random.key(9), (2, *size, 4))
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, (3, 5), strict=True)
    )

    def outcome(upsample):
        def both(x):
            value, pull = jax.vjp(upsample, x)
            return value, pull(weight)

        return jax.jit(both)(x)

    found = outcome(lambda x: upsample(x, *size))
    close(found, outcome(lambda x: x[:, rows][:, :, columns]))


def test_nothing_is_computed_where_nothing_is_upsampled():
    assert upsample(X, 5, 6) is X


def test_a_doubled_convolution_is_that_of_the_doubled_array():
    kernel = jax.random.normal(jax.random.key(10), (3, 3, 4, 7))

    def plain(x, w):
        doubled = jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
        return convolution._convolve(1, ((1, 1), (1, 1)), 1, doubled, w)

    def outcome(convolve):
        return jax.jit(partial(value_and_gradients, convolve))(X, kernel)

    close(outcome(convolve_doubled), outcome(plain), 3e-5)
