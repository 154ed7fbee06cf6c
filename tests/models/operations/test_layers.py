from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jinv.models.operations import kernels
from jinv.models.operations.layers import BatchNorm, Conv, adaptive_average

X = 2 + 3 * jax.random.normal(jax.random.key(0), (11, 5, 6, 4))


def close(found, expected, tolerance=1e-5):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance),
        found,
        expected,
    )


@pytest.mark.parametrize("train", [False, True])
def test_taps_are_the_moments_of_the_input(train):
    module = BatchNorm()
    variables = module.init(jax.random.key(0), X)
    # Fresh variables make the layer an identity, whose output has these moments too.
    variables = jax.tree.map(lambda leaf: leaf + 0.5, variables)
    _, seen = module.apply(variables, X, train, mutable=["taps", "batch_stats"])
    x = np.asarray(X, np.float64)
    close(seen["taps"]["mean"], x.mean((0, 1, 2)))
    close(seen["taps"]["var"], x.var((0, 1, 2)))


def test_taps_have_the_tree_of_the_statistics(tiny):
    _, seen = tiny.module.apply(
        tiny.variables, jnp.ones((2, 8, 8, 3)), mutable=["taps"]
    )
    assert jax.tree.structure(seen["taps"]) == jax.tree.structure(
        dict(tiny.variables["batch_stats"])
    )


def test_nothing_is_tapped_unless_asked(tiny):
    x = jnp.ones((2, 8, 8, 3))
    _, changed = tiny.module.apply(tiny.variables, x, mutable=["batch_stats"])
    assert set(changed) == {"batch_stats"}


@pytest.mark.parametrize("train", [False, True])
def test_batchnorm_is_that_of_flax(train):
    ours, theirs = BatchNorm(), nn.BatchNorm(momentum=0.9)
    keys = jax.random.split(jax.random.key(1), 4)
    params = {
        "scale": jax.random.normal(keys[0], (4,)),
        "bias": jax.random.normal(keys[1], (4,)),
    }
    statistics = {
        "mean": jax.random.normal(keys[2], (4,)),
        "var": 1 + jnp.abs(jax.random.normal(keys[3], (4,))),
    }

    def outcome(apply):
        def loss(params, x):
            variables = {"params": params, "batch_stats": statistics}
            out, new = apply(variables, x)
            return jnp.sum(jnp.sin(out)), (out, new)

        gradients, rest = jax.grad(loss, (0, 1), has_aux=True)(params, X)
        return gradients, rest

    found = outcome(lambda v, x: ours.apply(v, x, train, mutable=["batch_stats"]))
    expected = outcome(
        lambda v, x: theirs.apply(v, x, not train, mutable=["batch_stats"])
    )
    close(found, expected)


def test_batchnorm_keeps_its_precision_in_bfloat16():
    x = (30 + X / 3).astype(jnp.bfloat16)
    params = {"scale": jnp.linspace(0.7, 1.4, 4), "bias": jnp.ones(4)}
    statistics = {"mean": jnp.full(4, 30.5), "var": jnp.full(4, 1.1)}
    variables = {"params": params, "batch_stats": statistics}
    found = BatchNorm(dtype=jnp.bfloat16).apply(variables, x)
    expected = BatchNorm().apply(variables, x.astype(jnp.float32))
    assert found.dtype == jnp.bfloat16
    # Half a unit in the last of bfloat16's eight bits.
    np.testing.assert_allclose(found.astype(jnp.float32), expected, rtol=2**-8)


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
        def loss(x, w):
            return jnp.sum(jnp.sin(convolve(x, w) / 9))

        return convolve(X, kernel), jax.grad(loss, (0, 1))(X, kernel)

    margins = ((margin, margin), (margin, margin))
    found = outcome(lambda x, w: kernels.convolve(x, w, stride, margins))
    close(found, outcome(plain))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("form", ["depthwise", "few channels", "many channels"])
@pytest.mark.parametrize("size", [(3, 3), (5, 5), (1, 7)])
def test_every_form_of_a_convolution_is_the_plain_one(form, size, stride):
    channels = 3 if form == "few channels" else 8
    groups = channels if form == "depthwise" else 1
    x = jax.random.normal(jax.random.key(3), (2, 11, 12, channels))
    kernel = jax.random.normal(jax.random.key(4), (*size, channels // groups, 8))
    margins = ((size[0] // 2, size[0] - 1), (0, size[1] // 2))

    def outcome(convolve):
        def loss(x, w):
            return jnp.sum(jnp.sin(convolve(stride, margins, groups, x, w) / 9))

        return convolve(stride, margins, groups, x, kernel), jax.grad(loss, (0, 1))(
            x, kernel
        )

    ours = outcome(lambda s, m, g, x, w: kernels.convolve(x, w, s, m, g))
    close(ours, outcome(kernels._convolve))


def test_same_padding_is_that_of_tensorflow():
    x = jax.random.normal(jax.random.key(5), (1, 8, 7, 2))
    layer = Conv(3, 5, stride=2, padding="same")
    variables = layer.init(jax.random.key(6), x)
    theirs = nn.Conv(3, (5, 5), (2, 2), padding="SAME", use_bias=False)
    close(layer.apply(variables, x), theirs.apply(variables, x))


def test_adaptive_averages_are_those_of_pytorch():
    x = np.arange(5.0, dtype=np.float32).reshape(1, 5, 1, 1)
    found = adaptive_average(jnp.broadcast_to(x, (1, 5, 5, 1)), 3)[0, :, 0, 0]
    # Bins of rows 0-1, 1-3 and 3-4 overlap.
    np.testing.assert_allclose(found, [0.5, 2.0, 3.5])


def test_channel_sums_are_sums():
    close(kernels.channel_sum(X), np.asarray(X, np.float64).sum((0, 1, 2)))
    assert kernels.moments(X.astype(jnp.bfloat16))[0].dtype == jnp.float32


def test_a_team_standardises_by_the_moments_of_its_whole_batch():
    keys = jax.random.split(jax.random.key(7))
    # Each image has an offset of its own, so that parts of the batch differ.
    x = jnp.arange(16.0)[:, None, None, None] + jax.random.normal(
        keys[0], (16, 3, 2, 5)
    )
    weight = jax.random.normal(keys[1], x.shape)

    def outcome(average, x, weight):
        def loss(x):
            normal, moments = kernels.standardise(x, 1e-5, average)
            return average(jnp.mean(jnp.sin(weight * normal))), moments

        return jax.grad(loss, has_aux=True)(x)

    def shared(average):
        # Every device differentiates the sum of the eight losses.
        parts = (a.reshape(8, 2, *a.shape[1:]) for a in (x, weight))
        gradient, moments = jax.pmap(partial(outcome, average), "team")(*parts)
        return gradient.reshape(x.shape) / 8, jax.tree.map(lambda a: a[3], moments)

    gradient, moments = jax.jit(partial(outcome, kernels.unshared))(x, weight)
    assert jnp.abs(gradient).max() > 1e-3
    found_gradient, found_moments = shared(partial(lax.pmean, axis_name="team"))
    close(found_moments, moments)
    close(found_gradient, gradient, 1e-7)


@pytest.mark.parametrize("size", [(6, 10), (3, 15), (12, 5), (4, 8), (2, 3)])
def test_enlarging_is_by_nearest_neighbour(size):
    x = jax.random.normal(jax.random.key(8), (2, 3, 5, 4))
    weight = jax.random.normal(jax.random.key(9), (2, *size, 4))
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, (3, 5), strict=True)
    )

    def outcome(enlarge):
        def both(x):
            value, pull = jax.vjp(enlarge, x)
            return value, pull(weight)

        return jax.jit(both)(x)

    found = outcome(lambda x: kernels.enlarge(x, *size))
    close(found, outcome(lambda x: x[:, rows][:, :, columns]))


def test_nothing_is_computed_where_nothing_is_enlarged():
    assert kernels.enlarge(X, 5, 6) is X


def test_a_doubled_convolution_is_that_of_the_doubled_array():
    kernel = jax.random.normal(jax.random.key(10), (3, 3, 4, 7))

    def plain(x, w):
        doubled = jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
        return kernels._convolve(1, ((1, 1), (1, 1)), 1, doubled, w)

    def outcome(convolve):
        def loss(x, w):
            return jnp.sum(jnp.sin(convolve(x, w) / 9))

        return jax.jit(lambda x, w: (convolve(x, w), jax.grad(loss, (0, 1))(x, w)))(
            X, kernel
        )

    close(outcome(kernels.convolve_doubled), outcome(plain), 3e-5)
