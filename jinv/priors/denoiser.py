"""A denoising network: a few convolutions that tell the noise in what they see.

D(y) = y + W_n relu(… relu(W_1 y + b_1) …) + b_n, all 3x3 and as wide as each other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jinv.models.operations.convolution import convolve

WIDTH, DEPTH = 24, 4
"""Channels inside and convolutions of a denoiser: on images of 224² at two fifths of
what AlexNet computes, forward and backward."""


class Convolution(NamedTuple):
    """Weights of one convolution.

    Attributes:
        kernel: Kernel (3, 3, in, out).
        bias: Bias (out,).
    """

    kernel: Any
    bias: Any


def apply_denoiser(layers: Sequence[Convolution], noisy: jax.Array) -> jax.Array:
    """Estimate clean values from noisy ones.

    Args:
        layers: Convolutions, in order.
        noisy: Values (batch, height, width, channels).

    Returns:
        Values of the same shape.
    """
    x = noisy
    for number, (kernel, bias) in enumerate(layers):
        x = jax.nn.relu(x) if number else x
        x = convolve(x, kernel, 1, ((1, 1), (1, 1))) + bias[None, None, None]
    return noisy + x


def draw_denoiser(
    key: jax.Array, channels: int, width: int = WIDTH, depth: int = DEPTH
) -> list[Convolution]:
    """Draw weights that begin with the identity: the last convolution is 0.

    He et al. 2015, "Delving Deep into Rectifiers", for all others.
    """
    widths = [channels, *[width] * (depth - 1), channels]
    layers = []
    for number in range(depth):
        shape = 3, 3, widths[number], widths[number + 1]
        deviation = (2 / (9 * widths[number])) ** 0.5 * (number < depth - 1)
        kernel = deviation * jax.random.normal(jax.random.fold_in(key, number), shape)
        layers.append(Convolution(kernel, jnp.zeros(shape[-1])))
    return layers
