import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import (
    activation_loss,
    cross_entropy,
    information_entropy_loss,
    pseudo_label_loss,
)

LOGITS = jnp.array(
    [[2.0, 0.0, -1.0], [0.0, 1.0, 0.5], [0.1, 0.0, 3.0], [1.0, 0.0, 0.9]]
)


def test_pseudo_labels_are_the_classes_seen_already():
    expected = cross_entropy(LOGITS, jnp.array([0, 1, 2, 0]))
    np.testing.assert_array_equal(pseudo_label_loss(LOGITS), expected)


def test_pseudo_labels_make_an_image_more_certain():
    gradient = jax.jit(jax.grad(lambda x: pseudo_label_loss(x).sum()))(LOGITS)
    np.testing.assert_array_equal(gradient.argmin(-1), LOGITS.argmax(-1))
    assert (gradient.min(-1) < 0).all() and ((gradient > 0).sum(-1) == 2).all()


def test_activation_is_minus_the_mean_magnitude():
    features = jnp.array([[1.0, -2.0, -3.0, 2.0], [0.5, 0.5, 0.5, 0.5]])
    np.testing.assert_allclose(activation_loss(features), [-2.0, -0.5])
    gradient = jax.jit(jax.grad(lambda x: activation_loss(x).sum()))(features)
    np.testing.assert_allclose(gradient[0], [-0.25, 0.25, 0.25, -0.25])


@pytest.mark.parametrize("term", [activation_loss, pseudo_label_loss])
def test_the_value_of_an_image_does_not_depend_on_the_others(term):
    alone = jnp.concatenate([term(row[None]) for row in LOGITS])
    np.testing.assert_allclose(term(LOGITS), alone, rtol=1e-6)


def test_entropy_is_that_of_the_mean_softmax():
    # Each image is doubtful, and their mean, (.5, .5), is balanced.
    logits = jnp.log(jnp.array([[0.75, 0.25], [0.25, 0.75]]))
    np.testing.assert_allclose(information_entropy_loss(logits), -np.log(2), rtol=1e-6)
    mean = np.array([0.75, 0.25])
    found = information_entropy_loss(logits[:1])
    np.testing.assert_allclose(found, np.sum(mean * np.log(mean)), rtol=1e-6)


def test_entropy_does_not_depend_on_the_size_of_the_batch():
    doubled = information_entropy_loss(jnp.concatenate([LOGITS, LOGITS]))
    np.testing.assert_allclose(doubled, information_entropy_loss(LOGITS), rtol=1e-6)


def test_descent_balances_the_classes():
    """Of images that are all of one class, each is drawn to the others."""
    logits = jnp.array([[2.0, 0.0], [1.5, 0.0]])
    gradient = jax.jit(jax.grad(information_entropy_loss))(logits)
    assert (gradient[:, 0] > 0).all() and (gradient[:, 1] < 0).all()


def test_a_class_that_never_occurs_has_a_finite_gradient():
    logits = jnp.array([[500.0, 0.0, 0.0]])
    assert jnp.isfinite(jax.jit(jax.grad(information_entropy_loss))(logits)).all()
    assert information_entropy_loss(logits) == 0


def test_a_batch_spread_over_devices_has_the_entropy_of_the_whole():
    def everywhere(x):
        return jax.lax.pmean(jnp.mean(x, 0), "devices")

    spread = jax.vmap(
        lambda x: information_entropy_loss(x, everywhere), axis_name="devices"
    )(LOGITS.reshape(2, 2, 3))
    expected = information_entropy_loss(LOGITS)
    np.testing.assert_allclose(spread, [expected] * 2, rtol=1e-6)
