"""Views: the random transformations through which a classifier sees images.

A view is a function (key, index, images) → images. `key` belongs to the step; `index`
holds each image's number in the whole run. What is drawn per image depends on these
two alone, so that a result does not depend on how images are spread over devices.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

View = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
Per = Literal["image", "batch"]
Margin = Literal["edge", "reflect"]


def chain(*views: View) -> View:
    """Apply views one after the other, each with its own randomness."""

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        for number, one in enumerate(views):
            images = one(jax.random.fold_in(key, number), index, images)
        return images

    return view


def jitter(pixels: int, per: Per = "image") -> View:
    """Roll images by up to `pixels` along both axes; what leaves re-enters.

    Args:
        pixels: Largest shift; shifts are uniform in [-pixels, pixels].
        per: Whether each image or the whole batch gets one shift.
    """

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        if per == "batch":
            return jnp.roll(images, _shift(key, pixels), (1, 2))
        shifts = jax.vmap(lambda i: _shift(jax.random.fold_in(key, i), pixels))(index)
        return jax.vmap(lambda x, shift: jnp.roll(x, shift, (0, 1)))(images, shifts)

    return view


def pad(pixels: int, mode: Margin = "edge") -> View:
    """Lay images that have no margin of their own on a canvas with one, to `crop`.

    Args:
        pixels: Width of the margin.
        mode: Whether the margin continues the border or reflects the image.
    """

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        del key, index
        margin = (pixels, pixels)
        return jnp.pad(images, ((0, 0), margin, margin, (0, 0)), mode=mode)

    return view


def crop(size: int, per: Per = "image") -> View:
    """Cut a random window of `size` pixels out of a larger canvas.

    Unlike `jitter`, nothing wraps around: what the classifier sees at a border is what
    lies there, as in the images that it was trained on. The cut is a product with two
    selection matrices, whose gradient is a product too; a gather's is a slow scatter.

    Args:
        size: Height and width of the window, in pixels.
        per: Whether each image or the whole batch gets one window.
    """

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        canvas = images.shape[1]

        def corner(key: jax.Array) -> jax.Array:
            return jax.random.randint(key, (2,), 0, canvas - size + 1)

        if per == "batch":
            top, left = corner(key)
            starts = (0, top, left, 0)
            shape = (images.shape[0], size, size, images.shape[3])
            return jax.lax.dynamic_slice(images, starts, shape)
        corners = jax.vmap(lambda i: corner(jax.random.fold_in(key, i)))(index)
        rows, columns = (
            _selection(corners[:, axis], size, canvas, images.dtype) for axis in (0, 1)
        )
        exact = jax.lax.Precision.HIGHEST
        images = jnp.einsum("bhH,bHWc->bhWc", rows, images, precision=exact)
        return jnp.einsum("bwW,bhWc->bhwc", columns, images, precision=exact)

    return view


def flip(probability: float = 0.5, per: Per = "image") -> View:
    """Mirror images left to right.

    Args:
        probability: Probability of being mirrored.
        per: Whether each image or the whole batch tosses the coin.
    """

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        if per == "batch":
            mirrored = jax.random.bernoulli(key, probability)
        else:
            toss = jax.vmap(
                lambda i: jax.random.bernoulli(jax.random.fold_in(key, i), probability)
            )
            mirrored = toss(index)[:, None, None, None]
        return jnp.where(mirrored, images[:, :, ::-1], images)

    return view


def _shift(key: jax.Array, pixels: int) -> jax.Array:
    return jax.random.randint(key, (2,), -pixels, pixels + 1)


def _selection(start: jax.Array, size: int, canvas: int, dtype) -> jax.Array:
    """Matrices (batch, size, canvas) that pick rows start … start + size - 1."""
    wanted = start[:, None, None] + jnp.arange(size)[None, :, None]
    return (wanted == jnp.arange(canvas)[None, None]).astype(dtype)
