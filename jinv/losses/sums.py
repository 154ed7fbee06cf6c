"""Sums that are fast on every platform."""

import jax
import jax.numpy as jnp


def image_sums(values: jax.Array) -> jax.Array:
    """Sum the values of each image.

    Args:
        values: Numbers (batch, rows, columns), the last axis a long one.

    Returns:
        One value per image, (batch,).
    """
    # A product with ones: XLA's CPU backend runs it several times faster than a sum.
    ones = jnp.ones(values.shape[-1], values.dtype)
    exact = jax.lax.Precision.HIGHEST
    return jnp.sum(jnp.matmul(values, ones, precision=exact), -1)
