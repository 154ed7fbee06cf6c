"""Depthwise convolutions as sums of shifted products."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp

from jinv.models.operations.moments import by_channel, channel_sum
from jinv.models.operations.windows import each_window, interleave, pad, window_from


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def shifted(stride, margins, groups, x, kernel):
    """A depthwise convolution as a sum over the kernel's positions; see `convolve`."""
    del groups
    total = jnp.zeros((), x.dtype)
    for row, column, window in each_window(stride, margins, x, kernel.shape[:2]):
        total = total + window * by_channel(kernel[row, column, 0], window)
    return total


def _shifted_forward(stride, margins, groups, x, kernel):
    return shifted(stride, margins, groups, x, kernel), (x, kernel)


def _shifted_backward(stride, margins, groups, saved, gradient):
    """Gradients that read `gradient` once it is computed.

    The transpose of a sum of slices is a sum of paddings, into each of which XLA would
    fuse, and compute anew, whatever `gradient` comes from.
    """
    del groups
    x, kernel = saved
    (above, below, rows), (left, right, columns) = (
        _remainders(stride, margin, size, length, outputs)
        for margin, size, length, outputs in zip(
            margins, kernel.shape[:2], x.shape[1:3], gradient.shape[1:3], strict=True
        )
    )
    padded = pad(gradient, ((above, below), (left, right)))
    size = [-(-length // stride) for length in x.shape[1:3]]

    def gradients(ups, lefts):
        total = jnp.zeros((x.shape[0], *size, x.shape[3]), x.dtype)
        for (row, up), (column, over) in itertools.product(ups, lefts):
            window = window_from(padded, (up, over), size, 1)
            total = total + window * by_channel(kernel[row, column, 0], window)
        return total

    lines = [interleave([gradients(r, c) for c in columns], 2) for r in rows]
    whole = interleave(lines, 1)[:, : x.shape[1], : x.shape[2]]
    sums = [
        channel_sum(window * gradient)
        for *_, window in each_window(stride, margins, x, kernel.shape[:2])
    ]
    return whole, jnp.stack(sums).reshape(kernel.shape)


shifted.defvjp(_shifted_forward, _shifted_backward)


def _remainders(stride, margin, size, length, outputs):
    """Tell where the gradient of each input along one axis comes from.

    Input `stride * q + rest` meets position p of the kernel in output q + shift, for
    the positions that leave no remainder.

    Returns:
        Zeros to add before and after the outputs, and for each rest its positions with
        the first output, counted from the added zeros, that each of them meets.
    """
    shifts = [
        [
            (position, (rest + margin[0] - position) // stride)
            for position in range(size)
            if (rest + margin[0] - position) % stride == 0
        ]
        for rest in range(stride)
    ]
    every = [0, *(shift for pairs in shifts for _, shift in pairs)]
    before = -min(every)
    after = max(0, -(-length // stride) + max(every) - outputs)
    return before, after, [[(p, s + before) for p, s in pairs] for pairs in shifts]
