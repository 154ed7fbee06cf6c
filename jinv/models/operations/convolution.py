"""Convolutions, in the forms that XLA's CPU backend runs fast."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jinv.devices import on_accelerator
from jinv.models.operations.depthwise import shifted
from jinv.models.operations.windows import Margins, each_window

FEW = 4
"""Input channels up to which a convolution is computed from patches."""

SMALL = 2
"""Height and width of images up to which it is, too."""

SLICE = 8
"""Images per slice of a weight gradient: what stays in a core's cache."""


def convolve(
    x: jax.Array, kernel: jax.Array, stride: int, margins: Margins, groups: int = 1
) -> jax.Array:
    """Convolve with zero padding.

    On CPU some cases have a form of their own. A depthwise convolution is a sum of
    shifted products, which fuse into one pass over memory. One of few input channels
    (an RGB stem), or of images of 2x2 pixels (the end of a VGG for CIFAR-10, 30 times
    as fast), is a product of patches and kernel. Of all others, the gradient with
    respect to the kernel is summed over slices of the batch, which is two to three
    times faster than over the whole.

    Args:
        x: Activations (batch, height, width, in).
        kernel: Weights (height, width, in / groups, out).
        stride: Step between outputs, in pixels.
        margins: Numbers of zeros added around.
        groups: Number of groups of channels that do not see each other.

    Returns:
        Activations (batch, height', width', out).
    """
    form = _convolve
    if not on_accelerator():
        if groups == x.shape[-1] == kernel.shape[-1]:
            form = shifted
        elif groups == 1 and (x.shape[-1] <= FEW or max(x.shape[1:3]) <= SMALL):
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


def _patches(stride, margins, groups, x, kernel):
    """A convolution as one product: patches (…, height * width * in) and kernel."""
    del groups
    windows = [w for *_, w in each_window(stride, margins, x, kernel.shape[:2])]
    patches = jnp.concatenate(windows, -1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])
