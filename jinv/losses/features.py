"""Terms that compare features: activations of a network, named by their layers."""

import jax
import jax.numpy as jnp


def feature_distance(features: jax.Array, target: jax.Array) -> jax.Array:
    """Squared distance from a target, as a share of the target's squared norm.

    ‖Φ - Φ₀‖² / ‖Φ₀‖²

    Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by Inverting
    Them", section 2; 1 for features that are all 0.

    Args:
        features: Features Φ, (batch, ...).
        target: Features Φ₀ of what is to be found again, of the same shape.

    Returns:
        One value per image, (batch,), at least 0.

    Example:
        >>> feature_distance(jnp.array([[3.0, 2.0]]), jnp.array([[3.0, 4.0]])).tolist()
        [0.1599999964237213]
    """
    # An image in which a layer sees nothing asks for the absolute distance.
    return _squares(features - target) / jnp.maximum(_squares(target), 1e-12)


def mean_feature_distance(features: jax.Array, target: jax.Array) -> jax.Array:
    """Mean squared difference from a target's features.

    mean (Φ - Φ₀)²

    Args:
        features: Features Φ, (batch, ...).
        target: Features Φ₀ of what is to be found again, of the same shape.

    Returns:
        One value per image, (batch,), at least 0, in squared units of the features.

    Example:
        >>> mean_feature_distance(jnp.zeros((1, 2)), jnp.array([[3.0, 1.0]])).tolist()
        [5.0]
    """
    return jnp.square(features - target).reshape(len(target), -1).mean(-1)


def _squares(features: jax.Array) -> jax.Array:
    return jnp.square(features).reshape(len(features), -1).sum(-1)
