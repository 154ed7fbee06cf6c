"""Denoising by total variation: the comparison that a learned prior has to beat."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_BOUND = 8.0
"""Square of the largest factor by which differences down and across are longer than
their image."""


class Dual(NamedTuple):
    """How far the dual problem is solved.

    Attributes:
        field: A vector of length 1 at most for each pixel and channel (batch, height,
            width, channels, 2).
        ahead: The field as extrapolated from the last two steps.
        pace: Pace of the extrapolation.
    """

    field: jax.Array
    ahead: jax.Array
    pace: jax.Array


def begin_variation(noisy: jax.Array) -> Dual:
    """Begin with the noisy image as it is."""
    field = jnp.zeros((*noisy.shape, 2), noisy.dtype)
    return Dual(field, field, jnp.ones((), noisy.dtype))


def variation_step(
    dual: Dual, noisy: jax.Array, weight: jax.Array | float
) -> tuple[Dual, jax.Array]:
    """Make one step towards the minimum of ½ |x - y|² + weight V(x).

    V(x) = sum (dx² + dy²)^½ over pixels and channels, the isotropic total variation;
    its minimum is found with certainty. Beck & Teboulle 2009, "Fast Gradient-Based
    Algorithms for Constrained Total Variation Image Denoising and Deblurring Problems",
    section 4, the fast projected gradient of the dual problem.

    Args:
        dual: State of the dual problem.
        noisy: Noisy images y, (batch, height, width, channels).
        weight: Weight of the variation, in units of the image; over 0.

    Returns:
        The state after the step, and images x of the shape of the noisy ones.
    """
    slope = _differences(_image(dual.ahead, noisy, weight))
    field = dual.ahead + slope / (_BOUND * weight)
    length = jnp.sqrt(jnp.sum(jnp.square(field), -1, keepdims=True))
    field = field / jnp.maximum(length, 1)
    pace = (1 + jnp.sqrt(1 + 4 * jnp.square(dual.pace))) / 2
    ahead = field + (dual.pace - 1) / pace * (field - dual.field)
    return Dual(field, ahead, pace), _image(field, noisy, weight)


def _image(field: jax.Array, noisy: jax.Array, weight: jax.Array | float) -> jax.Array:
    """The image that belongs to a field: noisy - weight · (adjoint of differences)."""
    down, across = field[..., 0], field[..., 1]
    # Beyond the last row and column there are no differences.
    down, across = down[:, :-1], across[:, :, :-1]
    pulled = jnp.pad(down, ((0, 0), (1, 0), (0, 0), (0, 0)))
    pulled -= jnp.pad(down, ((0, 0), (0, 1), (0, 0), (0, 0)))
    pulled += jnp.pad(across, ((0, 0), (0, 0), (1, 0), (0, 0)))
    pulled -= jnp.pad(across, ((0, 0), (0, 0), (0, 1), (0, 0)))
    return noisy - weight * pulled


def _differences(images: jax.Array) -> jax.Array:
    """Differences down and across, 0 at the last row and column."""
    down = jnp.pad(jnp.diff(images, axis=1), ((0, 0), (0, 1), (0, 0), (0, 0)))
    across = jnp.pad(jnp.diff(images, axis=2), ((0, 0), (0, 0), (0, 1), (0, 0)))
    return jnp.stack([down, across], -1)
