"""Views: the random transformations through which a classifier sees images.

A view is a function (key, index, images) → images. `key` belongs to the step; `index`
holds each image's number in the whole run. What is drawn per image depends on these
two alone, so that a result does not depend on how images are spread over devices.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

View = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
Size = int | tuple[int, int]
"""Height and width in pixels; one number stands for both."""
Per = Literal["image", "batch"]
Margin = Literal["edge", "reflect", "mean"]


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
        mode: Whether the margin continues the border, reflects the image, or is of the
            mean colour, which is 0 in the normalised space.
    """
    how = "constant" if mode == "mean" else mode

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        del key, index
        margin = (pixels, pixels)
        return jnp.pad(images, ((0, 0), margin, margin, (0, 0)), mode=how)

    return view


def crop(size: Size, per: Per = "image") -> View:
    """Cut a random window of `size` pixels out of a larger canvas.

    Unlike `jitter`, nothing wraps around: what the classifier sees at a border is what
    lies there, as in the images that it was trained on. The cut is a product with two
    selection matrices, whose gradient is a product too; a gather's is a slow scatter.

    Args:
        size: Size of the window, in pixels.
        per: Whether each image or the whole batch gets one window.
    """
    window = both(size)

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        canvas = images.shape[1:3]
        rooms = np.subtract(canvas, window)

        def corner(key: jax.Array) -> jax.Array:
            return jax.random.randint(key, (2,), 0, rooms + 1)

        if per == "batch":
            top, left = corner(key)
            starts = (0, top, left, 0)
            shape = (images.shape[0], *window, images.shape[3])
            return jax.lax.dynamic_slice(images, starts, shape)
        corners = jax.vmap(lambda i: corner(jax.random.fold_in(key, i)))(index)
        rows, columns = (
            _selection(corners[:, axis], window[axis], canvas[axis], images.dtype)
            for axis in (0, 1)
        )
        return resampled(images, rows, columns)

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


def scale(factors: tuple[float, ...], per: Per = "image") -> View:
    """Enlarge images about their middle by a random factor, without changing the size.

    By linear interpolation; where a factor is below 1, the border is continued. A
    product with two matrices, as in `crop`.

    Args:
        factors: Factors of which one is drawn, each as likely as it stands here often.
        per: Whether each image or the whole batch gets one factor.
    """

    def one(image: jax.Array, factor: jax.Array) -> jax.Array:
        rows, columns = (_zoom(length, factor)[None] for length in image.shape[:2])
        return resampled(image[None], rows, columns)[0]

    return _of_one(one, factors, per)


def rotate(angles: tuple[float, ...], per: Per = "image") -> View:
    """Turn images about their middle by a random angle, without changing the size.

    By bilinear interpolation; what comes in from outside continues the border. On CPU
    one angle for the batch takes half the time.

    Args:
        angles: Angles of which one is drawn, each as likely as it stands here often, in
            degrees, counterclockwise.
        per: Whether each image or the whole batch gets one angle.
    """

    def one(image: jax.Array, angle: jax.Array) -> jax.Array:
        cos, sin = jnp.cos(jnp.deg2rad(angle)), jnp.sin(jnp.deg2rad(angle))
        rows, columns = (
            _from_middle(length, image.dtype) for length in image.shape[:2]
        )
        down, right = rows[:, None], columns[None]
        places = (
            down * cos + right * sin - rows[0],
            right * cos - down * sin - columns[0],
        )

        def channel(pixels: jax.Array) -> jax.Array:
            return map_coordinates(pixels, places, order=1, mode="nearest")

        return jax.vmap(channel, -1, -1)(image)

    return _of_one(one, angles, per)


def resize(size: Size) -> View:
    """Bring images to a height and width of `size` pixels, by linear interpolation."""
    height, width = both(size)

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        del key, index
        shape = (images.shape[0], height, width, images.shape[3])
        return jax.image.resize(images, shape, "linear")

    return view


def resampled(images: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Make each row and column of images of their own rows and columns.

    Args:
        images: Images (batch, height, width, channels).
        rows: Shares of the images' rows in each new one, (batch, rows, height).
        columns: The same of columns, (batch, columns, width).
    """
    exact = jax.lax.Precision.HIGHEST
    images = jnp.einsum("bhH,bHWc->bhWc", rows, images, precision=exact)
    return jnp.einsum("bwW,bhWc->bhwc", columns, images, precision=exact)


def interpolation(places: jax.Array, length: int) -> jax.Array:
    """Shares (..., places, length) of a line's pixels at places between them."""
    pixels = jnp.arange(length, dtype=places.dtype)
    pixels = jnp.expand_dims(pixels, tuple(range(places.ndim)))
    return jnp.maximum(0, 1 - jnp.abs(places[..., None] - pixels))


def both(size: Size) -> tuple[int, int]:
    """Tell height and width of a size.

    Example:
        >>> both(3), both((3, 4))
        ((3, 3), (3, 4))
    """
    return (size, size) if isinstance(size, int) else size


def _of_one(
    one: Callable[[jax.Array, jax.Array], jax.Array],
    values: tuple[float, ...],
    per: Per,
) -> View:
    """Make the view of a function of one image and of one of these values, drawn."""

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        def draw(key: jax.Array) -> jax.Array:
            return jax.random.choice(key, jnp.asarray(values, images.dtype))

        if per == "batch":
            return jax.vmap(one, (0, None))(images, draw(key))
        drawn = jax.vmap(lambda i: draw(jax.random.fold_in(key, i)))(index)
        return jax.vmap(one)(images, drawn)

    return view


def _from_middle(length: int, dtype) -> jax.Array:
    """Places of pixels along one axis, counted from the middle."""
    return jnp.arange(length, dtype=dtype) - (length - 1) / 2


def _zoom(length: int, factor: jax.Array) -> jax.Array:
    """A matrix (length, length) that enlarges a line about its middle."""
    middle = (length - 1) / 2
    places = middle + _from_middle(length, factor.dtype) / factor
    return interpolation(jnp.clip(places, min=0, max=length - 1), length)


def _shift(key: jax.Array, pixels: int) -> jax.Array:
    return jax.random.randint(key, (2,), -pixels, pixels + 1)


def _selection(start: jax.Array, size: int, canvas: int, dtype) -> jax.Array:
    """Matrices (batch, size, canvas) that pick rows start … start + size - 1."""
    wanted = start[:, None, None] + jnp.arange(size)[None, :, None]
    return (wanted == jnp.arange(canvas)[None, None]).astype(dtype)
