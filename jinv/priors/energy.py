"""The energy of a prior: how unusual images, or features, look to it.

Pure functions of a form, which is static, and of arrays, which are data: programs take
the variables of a prior as an argument, so that priors of one form share them.

| variables | shape | of |
|---|---|---|
| filters | (filters, height, width, channels) | experts: full; channelwise, 1 channel |
| spatial, across | (filters, height, width), (filters, channels) | separable experts |
| offsets, alphas | (filters,) | experts |
| centre, scale | (channels,) | channelwise experts, denoisers: (x - centre) scale |
| layers, sigma | see `denoiser`; () | denoisers |
| mean, deviation | () | all: of the energy of natural patches |
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jinv.losses.experts import potential
from jinv.priors.denoiser import apply_denoiser
from jinv.priors.form import Form

Variables = Mapping[str, Any]
"""Arrays of a prior, by name."""

STRIDE = 4
"""Distance of the patches of a random grid, in pixels."""


def draw_shifts(key: jax.Array, index: jax.Array) -> jax.Array:
    """Draw where the grid of each image begins.

    Args:
        key: Random key of the step.
        index: Number of each image (batch,): what is drawn for it depends on nothing
            else.

    Returns:
        Shares (batch, 2) in [0, 1) of the stride, down and to the right.
    """
    return jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), (2,)))(
        index
    )


def energy(
    form: Form,
    variables: Variables,
    values: jax.Array,
    shifts: jax.Array | None = None,
    stride: int = STRIDE,
) -> jax.Array:
    """Mean energy of the patches of each image, in deviations from a natural one's.

    E(x) = mean over patches p of (-sum_i alpha_i G(w_i.p - b_i) - m) / d

    with m and d the mean and deviation over patches of natural images, so that a weight
    means much the same for any prior: 0 is usual, 1 as rare as a natural patch that is
    one deviation off. By a random grid of patches the mean is estimated without bias,
    at a stride of 4 for a sixteenth of the cost.

    A denoiser (kind "dae") has no energy that could be computed. Its gradient with
    respect to the values is that of a density that the denoiser belongs to, n / sigma²
    divided by the number of pixels and by d, with n = x - D(x) less each channel's mean
    over the image: noise has none, and what D adds to an image's, steps would add up.
    Its value is what that gradient would cost, mean ½ |n|² / sigma², less m, over d. No
    gradient passes through D, so it costs a forward pass of D alone, which looks at all
    pixels: shifts and stride mean nothing to it.

    Args:
        form: Form of the prior; static.
        variables: Arrays of the prior.
        values: What it is of: images (batch, height, width, channels) in [0, 1], or
            features of its layer with all their channels.
        shifts: Where each image's grid of patches begins, see `draw_shifts`; None looks
            at every patch.
        stride: Distance of the patches of a grid, in pixels; static.

    Returns:
        One value per image, (batch,).
    """
    values = chosen(form, values.astype(variables["mean"].dtype))
    if form.kind == "dae":
        found = _denoising(variables, values)
    elif shifts is None:
        found = -jnp.mean(_logs(form, variables, values, 1), (1, 2))
    else:
        found = -_on_grid(form, variables, values, shifts, stride)
    return (found - variables["mean"]) / variables["deviation"]


def score(form: Form, variables: Variables, values: jax.Array) -> jax.Array:
    """Gradient of the log density that the patches of images make up together.

    psi(x) = d/dx sum over all patches p of sum_i alpha_i G(w_i.p - b_i)

    as a field of experts has it (Roth & Black 2009, equation 10); neither mean nor
    deviation have a part in it. Of a denoiser it is (D(x) - x) / sigma², less each
    channel's mean over the image.

    Args:
        form: Form of the prior; static.
        variables: Arrays of the prior.
        values: Images or features, as for `energy`.

    Returns:
        Gradients of the shape of the values.
    """

    def total(values: jax.Array) -> jax.Array:
        inner = chosen(form, values)
        if form.kind == "dae":
            return -inner[0, ..., 0].size * jnp.sum(_denoising(variables, inner))
        return jnp.sum(_logs(form, variables, inner, 1))

    return jax.grad(total)(values)


def patch_energies(form: Form, variables: Variables, patches: jax.Array) -> jax.Array:
    """Energy of each patch by itself: neither centred nor divided.

    Args:
        form: Form of the prior; static.
        variables: Arrays of the prior.
        patches: Patches (count, height, width, channels) of the prior's size.

    Returns:
        Energies (count,); of a channelwise prior, means over the channels; of a
        denoiser, means over the pixels.
    """
    if form.kind == "dae":
        return _denoising(variables, patches)
    return -jnp.mean(_logs(form, variables, patches, 1), (1, 2))


def chosen(form: Form, values: jax.Array) -> jax.Array:
    """Pick the channels of images or features that a prior looks at."""
    return values[..., list(form.subject.chosen)] if form.subject.chosen else values


def responses(
    form: Form, variables: Variables, values: jax.Array, stride: int = 1
) -> jax.Array:
    """What each filter makes of each patch: w_i.p - b_i.

    Args:
        form: Form of a prior of experts; static.
        variables: Arrays of the prior.
        values: Values (batch, height, width, chosen channels).
        stride: Distance of the patches, in pixels.

    Returns:
        Responses (batch, rows, columns, filters); of a channelwise prior (batch,
        channels, rows, columns, filters).
    """
    if form.layout == "separable":
        found = _separable(variables["spatial"], variables["across"], values, stride)
    elif form.layout == "channelwise":
        # Each channel is an image of its own.
        values = _scaled(variables, values)
        alone = jnp.moveaxis(values, -1, 1)
        alone = alone.reshape(-1, *alone.shape[2:], 1)
        found = _convolved(variables["filters"], alone, stride)
        found = found.reshape(values.shape[0], values.shape[-1], *found.shape[1:])
    else:
        found = _convolved(variables["filters"], values, stride)
    return found - _beside(found, variables["offsets"])


def _logs(form: Form, variables: Variables, values: jax.Array, stride: int):
    """sum_i alpha_i G of each patch, (batch, rows, columns)."""
    seen = potential(responses(form, variables, values, stride), form.expert)
    logs = seen @ variables["alphas"]
    return jnp.mean(logs, 1) if form.layout == "channelwise" else logs


def _on_grid(
    form: Form, variables: Variables, values: jax.Array, shifts: jax.Array, stride: int
) -> jax.Array:
    """Estimate the mean over all patches by those of a grid."""
    size = form.size
    lines, share = [], 1.0
    for axis in (0, 1):
        places = values.shape[1 + axis] - size[axis] + 1
        step = min(stride, places)
        count = -(-places // step)
        start = jnp.floor(shifts[:, axis] * step)[:, None]
        first = start + jnp.arange(count)[None] * step
        lines.append((first < places).astype(values.dtype))
        chosen = (start == jnp.arange(step)[None]).astype(values.dtype)
        values = _from(chosen, values, 1 + axis, (count - 1) * step + size[axis])
        share *= step / places
    inside = lines[0][:, :, None] * lines[1][:, None]
    return share * jnp.sum(_logs(form, variables, values, stride) * inside, (1, 2))


def _from(chosen: jax.Array, values: jax.Array, axis: int, length: int) -> jax.Array:
    """Cut a length of each image from its own start on, among the first few.

    A sum of all cuts with one weight of 1 and others of 0, (batch, starts): a gather's
    gradient is a slow scatter. Beyond the image there is nothing.
    """
    starts = chosen.shape[1]
    wide = [(0, 0)] * values.ndim
    wide[axis] = (0, max(0, starts - 1 + length - values.shape[axis]))
    values = jnp.pad(values, wide)
    cuts = (
        chosen[:, start, None, None, None]
        * lax.slice_in_dim(values, start, start + length, axis=axis)
        for start in range(starts)
    )
    return sum(cuts, next(cuts))


def _convolved(filters: jax.Array, values: jax.Array, stride: int) -> jax.Array:
    """What filters (filters, height, width, channels) make of patches, a stride apart.

    Blocks of stride x stride pixels become channels first: the gradient of a strided
    convolution is slow on CPU.
    """
    _, height, width, channels = filters.shape
    rows, columns = (
        (length - size) // stride + 1
        for length, size in zip(values.shape[1:3], (height, width), strict=True)
    )
    tall, wide = -(-height // stride), -(-width // stride)
    filters = _resized(filters, tall * stride, wide * stride)
    filters = _blocks(filters, stride)
    values = _resized(values, (rows - 1 + tall) * stride, (columns - 1 + wide) * stride)
    return lax.conv_general_dilated(
        _blocks(values, stride),
        filters,
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "OHWI", "NHWC"),
    )


def _separable(
    spatial: jax.Array, across: jax.Array, values: jax.Array, stride: int
) -> jax.Array:
    """What separable filters make of patches: first across channels, then in space."""
    height, width = spatial.shape[1:]
    rows, columns = (
        (length - size) // stride + 1
        for length, size in zip(values.shape[1:3], (height, width), strict=True)
    )
    # Where patches overlap, a pixel counts in several, and is multiplied once.
    once = height * width > stride**2
    if once:
        values = values @ across.T
    total = jnp.zeros((values.shape[0], rows, columns, len(across)), values.dtype)
    for top in range(height):
        for left in range(width):
            window = values[
                :,
                top : top + (rows - 1) * stride + 1 : stride,
                left : left + (columns - 1) * stride + 1 : stride,
            ]
            seen = window if once else window @ across.T
            total += seen * _beside(seen, spatial[:, top, left])
    return total


def _denoising(variables: Variables, values: jax.Array) -> jax.Array:
    """Mean over pixels of ½ |n|² / sigma², as if D(x) did not depend on x."""
    scaled = _scaled(variables, values)
    clean = lax.stop_gradient(apply_denoiser(variables["layers"], scaled))
    noise = scaled - clean
    noise -= lax.stop_gradient(jnp.mean(noise, (1, 2), keepdims=True))
    squares = jnp.sum(jnp.square(noise), -1)
    return jnp.mean(squares, (1, 2)) / (2 * jnp.square(variables["sigma"]))


def _scaled(variables: Variables, values: jax.Array) -> jax.Array:
    """Measure each channel in its own deviations."""
    centre, scale = (_beside(values, variables[name]) for name in ("centre", "scale"))
    return (values - centre) * scale


def _beside(values: jax.Array, numbers: jax.Array) -> jax.Array:
    """Give numbers, one for each of the last axis, the axes of values."""
    return jnp.expand_dims(numbers, tuple(range(values.ndim - 1)))


def _resized(values: jax.Array, height: int, width: int) -> jax.Array:
    """Cut images, or add zeros below and on the right."""
    values = values[:, :height, :width]
    more = height - values.shape[1], width - values.shape[2]
    return jnp.pad(values, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)))


def _blocks(values: jax.Array, side: int) -> jax.Array:
    """Make channels of the pixels of square blocks."""
    batch, height, width, channels = values.shape
    rows, columns = height // side, width // side
    values = values.reshape(batch, rows, side, columns, side, channels)
    values = values.transpose(0, 1, 3, 2, 4, 5)
    return values.reshape(batch, rows, columns, side * side * channels)
