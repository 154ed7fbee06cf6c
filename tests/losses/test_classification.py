import jax
import jax.numpy as jnp
import numpy as np

from jinv.losses import class_score, cross_entropy

LOGITS = jnp.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
LABELS = jnp.array([0, 2])


def test_cross_entropy_is_minus_the_log_of_the_softmax():
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    expected = -np.log([shares[0, 0], shares[1, 2]])
    np.testing.assert_allclose(cross_entropy(LOGITS, LABELS), expected, rtol=1e-6)


def test_temperature_divides_the_logits():
    hot = cross_entropy(LOGITS, LABELS, temperature=4.0)
    np.testing.assert_allclose(hot, cross_entropy(LOGITS / 4, LABELS), rtol=1e-6)


def test_temperature_keeps_a_gradient_where_the_class_is_certain():
    def gradient(temperature):
        def loss(x):
            return cross_entropy(x, jnp.array([0]), temperature)[0]

        return float(
            jnp.abs(jax.jit(jax.grad(loss))(jnp.array([[30.0, 0.0, 0.0]]))).sum()
        )

    assert gradient(10.0) > 1e3 * gradient(1.0)


def test_class_score_is_minus_the_logit():
    np.testing.assert_array_equal(class_score(LOGITS, LABELS), [-1.0, -3.0])
