"""Terms that ask for a class."""

import jax
import jax.numpy as jnp


def cross_entropy(
    logits: jax.Array, labels: jax.Array, temperature: float = 1.0
) -> jax.Array:
    r"""Cross-entropy between a softmax and integer labels.

    -log softmax(logits / temperature)[label]

    The class term of Yin et al. 2020 (equation 2); the temperature is that of Hinton et
    al. 2015 (equation 1).

    Args:
        logits: Scores of the classes, (batch, classes).
        labels: Indices of classes, (batch,), integers.
        temperature: Above 1 it softens the prediction, so that the gradient does not
            vanish as soon as the class is recognised.

    Returns:
        One value per image, (batch,).

    Example:
        >>> import jax.numpy as jnp
        >>> value = cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))
        >>> round(float(value[0]), 4)  # log 4
        1.3863
    """
    log_probabilities = jax.nn.log_softmax(logits / temperature)
    return -_pick(log_probabilities, labels)


def class_score(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Minus the logit of the class that is asked for.

    -logits[label] (Simonyan et al. 2014, section 2).

    Args:
        logits: Scores of the classes, (batch, classes).
        labels: Indices of classes, (batch,), integers.

    Returns:
        One value per image, (batch,).

    Example:
        >>> float(class_score(jnp.array([[1.0, 3.0]]), jnp.array([1]))[0])
        -3.0
    """
    return -_pick(logits, labels)


def _pick(values: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.take_along_axis(values, labels[:, None], axis=-1)[:, 0]
