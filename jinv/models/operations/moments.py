"""Moments of channels, and arrays standardised by them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jinv.devices import on_accelerator

Average = Callable[[Any], Any]
"""Averages a tree of arrays over the devices that share a batch."""


def unshared(tree: Any) -> Any:
    """Average over devices where one program sees the whole batch: return `tree`."""
    return tree


def channel_sum(x: jax.Array) -> jax.Array:
    """Sum over all axes but the last.

    On CPU a product with a row of ones: XLA fuses what computes `x` into a plain
    reduction and then runs the fusion without vector instructions, at a tenth of the
    speed.

    Args:
        x: Array (…, channels).

    Returns:
        Array (channels,).
    """
    if on_accelerator():
        return jnp.sum(x, tuple(range(x.ndim - 1)))
    rows = x.reshape(-1, x.shape[-1])
    return (jnp.ones((1, rows.shape[0]), x.dtype) @ rows)[0]


def by_channel(values: jax.Array, x: jax.Array) -> jax.Array:
    """Give values (channels,) as many axes as an array (…, channels)."""
    return jnp.expand_dims(values, tuple(range(x.ndim - 1)))


def moments(x: jax.Array, average: Average = unshared) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance of every channel, in float32.

    Args:
        x: Activations (batch, height, width, channels).
        average: Averages over the devices that share the batch.

    Returns:
        Two arrays (channels,).
    """
    x = x.astype(jnp.float32)
    count = x.size // x.shape[-1]
    mean = average(channel_sum(x) / count)
    centred = x - by_channel(mean, x)
    return mean, average(channel_sum(jnp.square(centred)) / count)


def standardise(
    x: jax.Array, epsilon: float, average: Average = unshared
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Normalise by the batch's own moments: `(x - mean) / sqrt(var + epsilon)`.

    The gradient is written out (Ioffe & Szegedy 2015, section 3) so that its sums are
    `channel_sum`s. Moments are returned for running averages and carry no gradient.

    Where devices share the batch, its moments are those of all their parts, and the
    gradient is that of the sum of what all of them compute from it.

    Args:
        x: Activations (batch, height, width, channels).
        epsilon: Constant added to the variance.
        average: Averages over the devices that share the batch, in parts of one size;
            under `jax.pmap` a `jax.lax.pmean`.

    Returns:
        The normalised array, and (mean, biased variance) of every channel.
    """
    return _standardise(x, epsilon, average)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _standardise(x, epsilon, average) -> Any:
    return _standardise_forward(x, epsilon, average)[0]


def _standardise_forward(x, epsilon, average):
    mean, var = moments(x, average)
    factor = by_channel(lax.rsqrt(var + epsilon), x)
    normalised = ((x - by_channel(mean, x)) * factor).astype(x.dtype)
    return (normalised, (mean, var)), (normalised, factor)


def _standardise_backward(average, saved, cotangents):
    normalised, factor = saved
    gradient, _ = cotangents
    count = gradient.size // gradient.shape[-1]
    wide, normal = gradient.astype(jnp.float32), normalised.astype(jnp.float32)
    sums = channel_sum(wide), channel_sum(wide * normal)
    means = average(tuple(total / count for total in sums))
    offset, slope = (by_channel(mean, gradient) for mean in means)
    centred = wide - offset
    centred -= normal * slope
    return (centred * factor).astype(gradient.dtype), None


_standardise.defvjp(_standardise_forward, _standardise_backward)
