"""Forms of common operations that XLA's CPU backend runs fast.

Each function equals its plain form to rounding; only the order of summation differs.
On other platforms the plain form is used. `scripts/benchmark.py` prints what they gain.
"""

import jax
import jax.numpy as jnp
from jax import lax

SLICE = 8
"""Images per slice of a weight gradient: what stays in a core's cache."""


def on_cpu() -> bool:
    """Whether computations run on the CPU backend by default."""
    return jax.default_backend() == "cpu"


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
    if not on_cpu():
        return jnp.sum(x, tuple(range(x.ndim - 1)))
    rows = x.reshape(-1, x.shape[-1])
    return (jnp.ones((1, rows.shape[0]), x.dtype) @ rows)[0]


def moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance of every channel, in float32.

    Args:
        x: Activations (batch, height, width, channels).

    Returns:
        Two arrays (channels,).
    """
    x = x.astype(jnp.float32)
    count = x.size // x.shape[-1]
    mean = channel_sum(x) / count
    return mean, channel_sum(jnp.square(x - mean)) / count


@jax.custom_vjp
def standardise(
    x: jax.Array, epsilon: float
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Normalise by the batch's own moments: `(x - mean) / sqrt(var + epsilon)`.

    The gradient is written out (Ioffe & Szegedy 2015, section 3) so that its sums are
    `channel_sum`s. Moments are returned for running averages and carry no gradient.

    Args:
        x: Activations (batch, height, width, channels).
        epsilon: Added to the variance.

    Returns:
        The normalised array, and (mean, biased variance) of every channel.
    """
    return _standardise_forward(x, epsilon)[0]


def _standardise_forward(x, epsilon):
    mean, var = moments(x)
    factor = lax.rsqrt(var + epsilon)
    normalised = ((x - mean) * factor).astype(x.dtype)
    return (normalised, (mean, var)), (normalised, factor)


def _standardise_backward(saved, cotangents):
    normalised, factor = saved
    gradient, _ = cotangents
    count = gradient.size // gradient.shape[-1]
    wide, normal = gradient.astype(jnp.float32), normalised.astype(jnp.float32)
    centred = wide - channel_sum(wide) / count
    centred -= normal * (channel_sum(wide * normal) / count)
    return (centred * factor).astype(gradient.dtype), None


standardise.defvjp(_standardise_forward, _standardise_backward)


def convolve(x: jax.Array, kernel: jax.Array, stride: int, margin: int) -> jax.Array:
    """Convolve with symmetric zero padding.

    On CPU the gradient with respect to the kernel is summed over slices of the batch,
    which is two to three times faster than over the whole.

    Args:
        x: Activations (batch, height, width, in).
        kernel: Weights (size, size, in, out).
        stride: Step between outputs, in pixels.
        margin: Zeros added on every side, in pixels.

    Returns:
        Activations (batch, height', width', out).
    """
    form = _sliced if on_cpu() else _convolve
    return form(stride, margin, x, kernel)


def _convolve(stride, margin, x, kernel):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((margin, margin), (margin, margin)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


_sliced = jax.custom_vjp(_convolve, nondiff_argnums=(0, 1))


def _sliced_forward(stride, margin, x, kernel):
    return _convolve(stride, margin, x, kernel), (x, kernel)


def _sliced_backward(stride, margin, saved, gradient):
    x, kernel = saved
    _, pull_x = jax.vjp(lambda a: _convolve(stride, margin, a, kernel), x)

    def kernel_gradient(start):
        part = slice(start, start + SLICE)
        _, pull = jax.vjp(lambda w: _convolve(stride, margin, x[part], w), kernel)
        return pull(gradient[part])[0]

    total = sum(kernel_gradient(start) for start in range(0, x.shape[0], SLICE))
    return pull_x(gradient)[0], total


_sliced.defvjp(_sliced_forward, _sliced_backward)
