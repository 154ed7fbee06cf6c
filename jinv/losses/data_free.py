"""The three terms of DAFL: what a teacher's answers to real images look like.

Chen et al. 2019, "Data-Free Learning of Student Networks", section 3.2. The published
code weighs them 1, 0.1 and 5, in the order below.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jinv.losses.classification import cross_entropy


def _mean(x: jax.Array) -> jax.Array:
    return jnp.mean(x, 0)


def pseudo_label_loss(logits: jax.Array) -> jax.Array:
    """One-hot loss: cross-entropy with the class that is seen already.

    -log softmax(t)[argmax t] (Chen et al. 2019, section 3.2).

    No gradient flows through the choice of the class.

    Args:
        logits: Scores by the teacher, (batch, classes).

    Returns:
        One value per image, (batch,), from 0 (certain) to log(classes).

    Example:
        >>> round(float(pseudo_label_loss(jnp.zeros((1, 4)))[0]), 4)  # log 4
        1.3863
    """
    return cross_entropy(logits, jnp.argmax(logits, -1))


def activation_loss(features: jax.Array) -> jax.Array:
    """Activation loss: real images excite the last features more than noise does.

    -mean_j |f_j| (Chen et al. 2019, section 3.2).

    As the published code has it; the paper sums over the features, which makes the
    term's weight depend on their number.

    Args:
        features: Activations that the teacher's last layer reads, (batch, units).

    Returns:
        One value per image, (batch,), at most 0.

    Example:
        >>> float(activation_loss(jnp.array([[1.0, -3.0]]))[0])
        -2.0
    """
    return -jnp.mean(jnp.abs(features), -1)


def information_entropy_loss(
    logits: jax.Array, batch_mean: Callable[[jax.Array], jax.Array] = _mean
) -> jax.Array:
    """Information entropy loss: all classes occur equally often in a batch.

    sum_c p_c log p_c, with p the mean softmax over the batch: minus its entropy in
    nats, as a minimiser maximises the entropy. The paper (section 3.2) divides it by
    the number of classes; the published code takes log10, so its value is ours over
    log 10, and its weight of 5 is 5 / log 10 = 2.17 here.

    Args:
        logits: Scores by the teacher, (batch, classes).
        batch_mean: Averages over the first axis; over all devices, where the batch is
            spread over several.

    Returns:
        A scalar, from -log(classes) (balanced) to 0 (a single class).

    Example:
        >>> round(float(information_entropy_loss(100 * jnp.eye(4))), 4)  # -log 4
        -1.3863
    """
    shares = batch_mean(jax.nn.softmax(logits))
    # The small constant keeps the gradient finite for a class that never occurs.
    return jnp.sum(shares * jnp.log(shares + 1e-12))
