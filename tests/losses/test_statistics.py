import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import blend_moments, bn_loss, normalised_bn_loss

RUNNING = {
    "a": (jnp.array([0.0, 1.0]), jnp.array([1.0, 4.0])),
    "b": (jnp.array([2.0]), jnp.array([0.25])),
}
MEASURED = {
    "a": (jnp.array([3.0, 5.0]), jnp.array([1.0, 1.0])),
    "b": (jnp.array([2.5]), jnp.array([0.5])),
}
ONES = {"a": 1.0, "b": 1.0}


def test_value_is_the_sum_of_unsquared_norms():
    # a: |(3, 4)| + |(0, 3)| = 8; b: 0.5 + 0.25
    found = bn_loss(MEASURED, RUNNING, ONES)
    np.testing.assert_allclose(found, 8.75, rtol=1e-6)


def test_layers_are_weighted():
    found = bn_loss(MEASURED, RUNNING, {"a": 10.0, "b": 1.0})
    np.testing.assert_allclose(found, 80.75, rtol=1e-6)


def test_groups_are_averaged():
    groups = {
        name: tuple(
            jnp.stack([x, ref])
            for x, ref in zip(MEASURED[name], RUNNING[name], strict=True)
        )
        for name in RUNNING
    }
    # The second group agrees with the running statistics.
    found = bn_loss(groups, RUNNING, ONES)
    np.testing.assert_allclose(found, 8.75 / 2, rtol=1e-5)


@pytest.mark.parametrize("loss", [bn_loss, normalised_bn_loss])
def test_agreement_has_a_finite_gradient(loss):
    gradient = jax.jit(jax.grad(lambda m: loss(m, RUNNING, ONES)))(RUNNING)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(gradient))


def test_normalised_value():
    # a: sqrt((9/1 + 16/4) / 2) + sqrt((0 + (3/4)^2) / 2); b: 0.5/0.5 + 0.25/0.25
    a = np.sqrt(13 / 2) + np.sqrt(9 / 16 / 2)
    found = normalised_bn_loss(MEASURED, RUNNING, ONES)
    np.testing.assert_allclose(found, (a + 2) / 2, rtol=1e-3)


def test_normalised_value_does_not_depend_on_the_scale_of_a_layer():
    def scaled(moments, s):
        return {name: (s * m, s**2 * v) for name, (m, v) in moments.items()}

    found = normalised_bn_loss(scaled(MEASURED, 30.0), scaled(RUNNING, 30.0), ONES)
    expected = normalised_bn_loss(MEASURED, RUNNING, ONES)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_blended_moments_are_a_weighted_mean():
    found = blend_moments(MEASURED, RUNNING, 0.9)
    np.testing.assert_allclose(found["a"][0], [0.3, 1.4], rtol=1e-6)
    np.testing.assert_allclose(found["a"][1], [1.0, 3.7], rtol=1e-6)
    np.testing.assert_allclose(found["b"], [[2.05], [0.275]], rtol=1e-6)


def test_a_share_may_be_traced_and_0_leaves_a_batch_as_it_is():
    found = jax.jit(blend_moments)(MEASURED, RUNNING, 0.0)
    jax.tree.map(np.testing.assert_array_equal, found, MEASURED)


def test_groups_of_a_batch_are_blended_each_with_the_same_memory():
    groups = {
        name: tuple(jnp.stack([x, 2 * x, 3 * x]) for x in moments)
        for name, moments in MEASURED.items()
    }
    found = blend_moments(groups, RUNNING, 0.9)
    assert found["a"][0].shape == (3, 2)
    alone = blend_moments(
        {n: (m[1], v[1]) for n, (m, v) in groups.items()}, RUNNING, 0.9
    )
    for name, moments in alone.items():
        for blended, expected in zip(found[name], moments, strict=True):
            np.testing.assert_allclose(blended[1], expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [bn_loss, normalised_bn_loss])
def test_a_memory_that_fits_asks_less_of_a_batch(loss):
    def value(measured, share):
        return loss(blend_moments(measured, RUNNING, share), RUNNING, ONES)

    expected = 0.1 * value(MEASURED, 0.0)
    np.testing.assert_allclose(value(MEASURED, 0.9), expected, rtol=1e-4)
    # The gradient of the blend, a tenth of which is the batch's.
    gradient = jax.jit(jax.grad(value))(MEASURED, 0.9)
    blended = jax.jit(jax.grad(value))(blend_moments(MEASURED, RUNNING, 0.9), 0.0)
    for x, y in zip(*map(jax.tree.leaves, (gradient, blended)), strict=True):
        np.testing.assert_allclose(x, 0.1 * y, rtol=1e-4)
