"""Pixels that a kernel meets: padded, sliced and put back together."""

import itertools

import jax.numpy as jnp
from jax import lax

Margins = tuple[tuple[int, int], tuple[int, int]]
"""Zeros (before, after) the rows, and (before, after) the columns, in pixels."""


def each_window(stride, margins, x, size):
    """Pixels that each position in a kernel meets, in the order of the outputs."""
    x = pad(x, margins)
    outputs = [
        (length - span) // stride + 1
        for length, span in zip(x.shape[1:3], size, strict=True)
    ]
    for row, column in itertools.product(range(size[0]), range(size[1])):
        yield row, column, window_from(x, (row, column), outputs, stride)


def window_from(x, corner, size, stride):
    """Pixels of a window of images, from a corner on, a stride apart."""
    (top, left), (height, width) = corner, size
    return x[
        :,
        top : top + (height - 1) * stride + 1 : stride,
        left : left + (width - 1) * stride + 1 : stride,
    ]


def pad(x, margins):
    """Add zeros around images."""
    wide = ((0, 0, 0), *((*margin, 0) for margin in margins), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), wide)


def interleave(parts, axis):
    """Interleave arrays of one shape, which take turns along an axis."""
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis + 1).reshape(shape)
