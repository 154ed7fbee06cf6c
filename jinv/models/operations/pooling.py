"""Means and largest values of windows."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


def max_pool(x: jax.Array, size: int, stride: int, padding: int = 0) -> jax.Array:
    """Largest value of each square window of (batch, height, width, channels)."""
    margins: Any = ((padding, padding), (padding, padding))
    return nn.max_pool(x, (size, size), (stride, stride), margins)


def average_pool(
    x: jax.Array, size: int, stride: int, padding: int = 0, count_padding: bool = True
) -> jax.Array:
    """Mean of each square window of (batch, height, width, channels).

    Args:
        x: Activations (batch, height, width, channels).
        size: Height and width of a window, in pixels.
        stride: Step between windows, in pixels.
        padding: Zeros on every side, in pixels.
        count_padding: Whether these zeros take part in the mean.
    """
    margins: Any = ((padding, padding), (padding, padding))
    return nn.avg_pool(x, (size, size), (stride, stride), margins, count_padding)


def adaptive_average(x: jax.Array, size: int) -> jax.Array:
    """Average (batch, height, width, channels) into `size` × `size` overlapping bins.

    Bin i of n covers rows floor(i h / n) to ceil((i + 1) h / n), as PyTorch's
    AdaptiveAvgPool2d does, so that a fully connected head takes images of any size.
    """
    if x.shape[1:3] == (size, size):
        return x
    rows, columns = (_bins(length, size) for length in x.shape[1:3])
    return jnp.einsum("bhwc,ih,jw->bijc", x, rows, columns)


def global_average(x: jax.Array) -> jax.Array:
    """Mean over height and width, in float32: (batch, channels)."""
    return jnp.mean(x.astype(jnp.float32), (1, 2))


def _bins(length: int, size: int) -> np.ndarray:
    """Weights (size, length) of the pixels in each bin."""
    weights = np.zeros((size, length), np.float32)
    for index in range(size):
        first, last = index * length // size, -(-(index + 1) * length // size)
        weights[index, first:last] = 1 / (last - first)
    return weights
