"""Transposed convolutions, as one ordinary convolution of more channels."""

import jax
import jax.numpy as jnp
from jax import lax

from jinv.models.operations.convolution import convolve


def convolve_transposed(
    x: jax.Array, kernel: jax.Array, stride: int, first: int, size: tuple[int, int]
) -> jax.Array:
    """Lay a kernel, times each input, over outputs that are `stride` apart.

        y_o = Σ_i x_i w_t,  t = o + first - stride i

    the transposed form of a convolution with a margin of `first`. All outputs at one
    place modulo the stride are a convolution of `x`; these are computed as one, and
    their outputs interleaved. XLA's own form convolves with zeros between the inputs,
    and its gradients are slow on CPU.

    Args:
        x: Activations (batch, height', width', in).
        kernel: Weights (k, k, in, out).
        stride: Distance of neighbouring inputs, in outputs.
        first: Output that comes first, counted from where the kernel of the first input
            begins; negative where outputs begin before it.
        size: Height and width of the result, which may end before or after what the
            inputs reach.

    Returns:
        Activations (batch, height, width, out).

    Example:
        >>> x, kernel = jnp.ones((1, 2, 2, 1)), jnp.ones((2, 2, 1, 1))
        >>> convolve_transposed(x, kernel, 2, 0, (4, 4)).sum().item()
        16.0
    """
    side, channels = kernel.shape[0], kernel.shape[-1]
    reach = -(-side // stride)
    room = reach * stride - side
    kernel = jnp.pad(kernel, ((0, room), (0, room), (0, 0), (0, 0)))
    parts = kernel.reshape(reach, stride, reach, stride, *kernel.shape[2:])
    # Convolutions look back where these lay forward.
    parts = jnp.transpose(parts[::-1, :, ::-1], (0, 2, 4, 1, 3, 5))
    parts = parts.reshape(reach, reach, x.shape[-1], stride * stride * channels)
    begin = first // stride
    ends = [(first + length - 1) // stride for length in size]
    margins = tuple(
        (reach - 1 - begin, end - (inputs - 1))
        for end, inputs in zip(ends, x.shape[1:3], strict=True)
    )
    # What is cut off needs no convolution, and what lies beyond is 0.
    x = lax.pad(
        x,
        jnp.zeros((), x.dtype),
        ((0, 0, 0), *((*margin, 0) for margin in margins), (0, 0, 0)),
    )
    y = convolve(x, parts, 1, ((0, 0), (0, 0)))
    batch, rows, columns = y.shape[:3]
    y = y.reshape(batch, rows, columns, stride, stride, channels)
    y = jnp.transpose(y, (0, 1, 3, 2, 4, 5))
    y = y.reshape(batch, rows * stride, columns * stride, channels)
    cut = first - begin * stride
    return y[:, cut : cut + size[0], cut : cut + size[1]]
