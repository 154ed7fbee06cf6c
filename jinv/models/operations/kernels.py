"""Forms of common operations that XLA's CPU backend runs fast.

Each function equals its plain form to rounding; only the order of summation differs.
On other platforms the plain form is used. `scripts/benchmark.py` prints what they gain.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

FEW = 4
"""Input channels up to which a convolution is computed from patches."""

SLICE = 8
"""Images per slice of a weight gradient: what stays in a core's cache."""

Average = Callable[[Any], Any]
"""Averages a tree of arrays over the devices that share a batch."""


def unshared(tree: Any) -> Any:
    """The average over devices where one program sees the whole batch: `tree`."""
    return tree


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


def moments(x: jax.Array, average: Average = unshared) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance of every channel, in float32.

    Args:
        x: Activations (batch, height, width, channels).
        average: Over the devices that share the batch.

    Returns:
        Two arrays (channels,).
    """
    x = x.astype(jnp.float32)
    count = x.size // x.shape[-1]
    mean = average(channel_sum(x) / count)
    return mean, average(channel_sum(jnp.square(x - mean)) / count)


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
        epsilon: Added to the variance.
        average: Over the devices that share the batch, in parts of one size; under
            `jax.pmap` a `jax.lax.pmean`.

    Returns:
        The normalised array, and (mean, biased variance) of every channel.
    """
    return _standardise(x, epsilon, average)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _standardise(x, epsilon, average) -> Any:
    return _standardise_forward(x, epsilon, average)[0]


def _standardise_forward(x, epsilon, average):
    mean, var = moments(x, average)
    factor = lax.rsqrt(var + epsilon)
    normalised = ((x - mean) * factor).astype(x.dtype)
    return (normalised, (mean, var)), (normalised, factor)


def _standardise_backward(average, saved, cotangents):
    normalised, factor = saved
    gradient, _ = cotangents
    count = gradient.size // gradient.shape[-1]
    wide, normal = gradient.astype(jnp.float32), normalised.astype(jnp.float32)
    sums = channel_sum(wide), channel_sum(wide * normal)
    offset, slope = average(tuple(total / count for total in sums))
    centred = wide - offset
    centred -= normal * slope
    return (centred * factor).astype(gradient.dtype), None


_standardise.defvjp(_standardise_forward, _standardise_backward)


def enlarge(x: jax.Array, height: int, width: int) -> jax.Array:
    """Resize to so many pixels by nearest neighbour.

    Whole multiples are stacks of copies, on every platform: the gradient is then a sum
    of slices. That of `jax.image.resize`, a scatter, takes CPUs twenty times as long,
    those of `jnp.repeat` and of a broadcast two and one and a half times.

    Args:
        x: Activations (batch, height', width', channels).
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        Activations (batch, height, width, channels).
    """
    if height % x.shape[1] or width % x.shape[2]:
        shape = (x.shape[0], height, width, x.shape[3])
        return jax.image.resize(x, shape, "nearest")
    # Columns first: the rows that are then copied are long.
    for axis, length in ((2, width), (1, height)):
        times = length // x.shape[axis]
        x = _interleave([x] * times, axis) if times > 1 else x
    return x


Margins = tuple[tuple[int, int], tuple[int, int]]
"""Zeros (before, after) the rows, and (before, after) the columns, in pixels."""


def convolve(
    x: jax.Array, kernel: jax.Array, stride: int, margins: Margins, groups: int = 1
) -> jax.Array:
    """Convolve with zero padding.

    On CPU three cases have a form of their own. A depthwise convolution is a sum of
    shifted products, which fuse into one pass over memory. One of few input channels
    (an RGB stem) is a product of patches and kernel. Of all others, the gradient with
    respect to the kernel is summed over slices of the batch, which is two to three
    times faster than over the whole.

    Args:
        x: Activations (batch, height, width, in).
        kernel: Weights (height, width, in / groups, out).
        stride: Step between outputs, in pixels.
        margins: Zeros added around.
        groups: Groups of channels that do not see each other.

    Returns:
        Activations (batch, height', width', out).
    """
    form = _convolve
    if on_cpu():
        if groups == x.shape[-1] == kernel.shape[-1]:
            form = _shifted
        elif groups == 1 and x.shape[-1] <= FEW:
            form = _patches
        elif groups == 1:
            form = _sliced
    return form(stride, margins, groups, x, kernel)


def _convolve(stride, margins, groups, x, kernel):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        margins,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def convolve_doubled(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Double height and width by nearest neighbour, then convolve 3×3.

    On CPU without doubling: an output's 3×3 window holds 2×2 pixels of `x`, some of
    them repeatedly. Outputs at even and odd rows and columns are four convolutions of
    `x` with 2×2 sums of the kernel: 16 products instead of 36, two to three times
    faster with its gradients.

    Args:
        x: Activations (batch, height, width, in).
        kernel: Weights (3, 3, in, out), as for `convolve` with margins of 1; sums of
            them are rounded to the type of `x`.

    Returns:
        Activations (batch, 2 height, 2 width, out).
    """
    if not on_cpu():
        doubled = enlarge(x, 2 * x.shape[1], 2 * x.shape[2])
        return convolve(doubled, kernel.astype(x.dtype), 1, ((1, 1), (1, 1)))
    parts = jnp.einsum("apr,bqc,rcio->abpqio", _PARITIES, _PARITIES, kernel)
    parts = parts.astype(x.dtype)

    def phase(a, b):
        return convolve(x, parts[a, b], 1, ((1 - a, a), (1 - b, b)))

    return _interleave([_interleave([phase(a, 0), phase(a, 1)], 2) for a in (0, 1)], 1)


_PARITIES = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)
"""For outputs of each parity, which of a kernel's 3 positions meet which of 2 inputs.

Even ones meet the input before and (twice) their own, odd ones their own (twice) and
the one behind.
"""


_sliced = jax.custom_vjp(_convolve, nondiff_argnums=(0, 1, 2))


def _sliced_forward(stride, margins, groups, x, kernel):
    return _convolve(stride, margins, groups, x, kernel), (x, kernel)


def _sliced_backward(stride, margins, groups, saved, gradient):
    x, kernel = saved
    form = partial(_convolve, stride, margins, groups)
    _, pull_x = jax.vjp(lambda a: form(a, kernel), x)

    def kernel_gradient(start):
        part = slice(start, start + SLICE)
        _, pull = jax.vjp(lambda w: form(x[part], w), kernel)
        return pull(gradient[part])[0]

    total = sum(kernel_gradient(start) for start in range(0, x.shape[0], SLICE))
    return pull_x(gradient)[0], total


_sliced.defvjp(_sliced_forward, _sliced_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _shifted(stride, margins, groups, x, kernel):
    """A depthwise convolution as a sum over the kernel's positions."""
    del groups
    total = jnp.zeros((), x.dtype)
    for row, column, window in _windows(stride, margins, x, kernel.shape[:2]):
        total = total + window * kernel[row, column, 0]
    return total


def _shifted_forward(stride, margins, groups, x, kernel):
    return _shifted(stride, margins, groups, x, kernel), (x, kernel)


def _shifted_backward(stride, margins, groups, saved, gradient):
    """Gradients that read `gradient` once it is computed.

    The transpose of a sum of slices is a sum of paddings, into each of which XLA would
    fuse, and compute anew, whatever `gradient` comes from.
    """
    del groups
    x, kernel = saved
    (above, below, rows), (left, right, columns) = (
        _phases(stride, margin, size, length, outputs)
        for margin, size, length, outputs in zip(
            margins, kernel.shape[:2], x.shape[1:3], gradient.shape[1:3], strict=True
        )
    )
    padded = _pad(gradient, ((above, below), (left, right)))
    size = [-(-length // stride) for length in x.shape[1:3]]

    def phase(ups, lefts):
        total = jnp.zeros((x.shape[0], *size, x.shape[3]), x.dtype)
        for (row, up), (column, over) in itertools.product(ups, lefts):
            window = _window(padded, (up, over), size, 1)
            total = total + window * kernel[row, column, 0]
        return total

    lines = [_interleave([phase(r, c) for c in columns], 2) for r in rows]
    whole = _interleave(lines, 1)[:, : x.shape[1], : x.shape[2]]
    sums = [
        channel_sum(window * gradient)
        for *_, window in _windows(stride, margins, x, kernel.shape[:2])
    ]
    return whole, jnp.stack(sums).reshape(kernel.shape)


_shifted.defvjp(_shifted_forward, _shifted_backward)


def _phases(stride, margin, size, length, outputs):
    """Where the gradient of each input along one axis comes from.

    Input `stride * q + phase` meets position p of the kernel in output q + shift, for
    the positions that leave no remainder.

    Returns:
        Zeros to add before and after the outputs, and for each phase its positions with
        the first output, counted from the added zeros, that each of them meets.
    """
    shifts = [
        [
            (position, (phase + margin[0] - position) // stride)
            for position in range(size)
            if (phase + margin[0] - position) % stride == 0
        ]
        for phase in range(stride)
    ]
    every = [0, *(shift for phase in shifts for _, shift in phase)]
    before = -min(every)
    after = max(0, -(-length // stride) + max(every) - outputs)
    return before, after, [[(p, s + before) for p, s in phase] for phase in shifts]


def _interleave(parts, axis):
    """Arrays of one shape, taking turns along an axis."""
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis + 1).reshape(shape)


def _patches(stride, margins, groups, x, kernel):
    """A convolution as one product: patches (…, height * width * in) and kernel."""
    del groups
    windows = [w for *_, w in _windows(stride, margins, x, kernel.shape[:2])]
    patches = jnp.concatenate(windows, -1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def _windows(stride, margins, x, size):
    """For each position in a kernel, the pixels that it meets, in output order."""
    x = _pad(x, margins)
    outputs = [
        (length - span) // stride + 1
        for length, span in zip(x.shape[1:3], size, strict=True)
    ]
    for row, column in itertools.product(range(size[0]), range(size[1])):
        yield row, column, _window(x, (row, column), outputs, stride)


def _window(x, corner, size, stride):
    """So many pixels of an image, from a corner on, so far apart."""
    (top, left), (height, width) = corner, size
    return x[
        :,
        top : top + (height - 1) * stride + 1 : stride,
        left : left + (width - 1) * stride + 1 : stride,
    ]


def _pad(x, margins):
    wide = ((0, 0, 0), *((*margin, 0) for margin in margins), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), wide)
