import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import feature_loss, normalised_feature_loss

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
    found = feature_loss(MEASURED, RUNNING, ONES)
    np.testing.assert_allclose(found, 8.75, rtol=1e-6)


def test_layers_are_weighted():
    found = feature_loss(MEASURED, RUNNING, {"a": 10.0, "b": 1.0})
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
    found = feature_loss(groups, RUNNING, ONES)
    np.testing.assert_allclose(found, 8.75 / 2, rtol=1e-5)


@pytest.mark.parametrize("loss", [feature_loss, normalised_feature_loss])
def test_agreement_has_a_finite_gradient(loss):
    gradient = jax.grad(lambda m: loss(m, RUNNING, ONES))(RUNNING)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(gradient))


def test_normalised_value():
    # a: sqrt((9/1 + 16/4) / 2) + sqrt((0 + (3/4)^2) / 2); b: 0.5/0.5 + 0.25/0.25
    a = np.sqrt(13 / 2) + np.sqrt(9 / 16 / 2)
    found = normalised_feature_loss(MEASURED, RUNNING, ONES)
    np.testing.assert_allclose(found, (a + 2) / 2, rtol=1e-3)


def test_normalised_value_does_not_depend_on_the_scale_of_a_layer():
    def scaled(moments, s):
        return {name: (s * m, s**2 * v) for name, (m, v) in moments.items()}

    found = normalised_feature_loss(scaled(MEASURED, 30.0), scaled(RUNNING, 30.0), ONES)
    expected = normalised_feature_loss(MEASURED, RUNNING, ONES)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
