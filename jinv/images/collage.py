"""Collages: views that lay pieces of other images on each image."""

import jax
import jax.numpy as jnp

from jinv.images.shapes import POWERS, Shapes, distances, largest_radius, spread
from jinv.images.views import View, interpolation, resampled

_LEAST = 0.3
"""Smallest share of another image's height and width that a piece enlarges."""


def collage(pieces: int) -> View:
    """Lay up to so many pieces of other images of the batch on each image.

    A piece is a random window of another image, enlarged to the size of a whole one,
    of which a random superellipse is kept, as a leaf of `dead_leaves`. What CutMix (Yun
    et al. 2019) does with one upright rectangle at its own scale: a student of images
    that were all made alike sees each of their textures in other places, sizes and
    company.

    Unlike other views this one mixes the images of a batch: what an image becomes
    depends on those beside it.

    Args:
        pieces: Most pieces on an image; how many is drawn from 0 on.
    """

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(index)
        wanted = jax.vmap(lambda key: jax.random.randint(key, (), 0, pieces + 1))(keys)
        laid = images
        for number in range(pieces):
            drawn = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)  # noqa: B023
            piece = _enlarged(drawn, jnp.roll(images, 1 + number, 0))
            here = _covered(drawn, number, images.shape[1], images.shape[2])
            here *= (number < wanted)[:, None, None]
            laid = laid + here[..., None] * (piece - laid)
        return laid

    return view


def _enlarged(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Enlarge a random window of each image, by linear interpolation."""

    def draw(key: jax.Array) -> jax.Array:
        return jax.random.uniform(jax.random.fold_in(key, 0), (3,))

    share, top, left = jax.vmap(draw)(keys).T
    share = _LEAST + (1 - _LEAST) * share
    rows, columns = (
        _stretched(share, (1 - share) * place, length)
        for place, length in ((top, images.shape[1]), (left, images.shape[2]))
    )
    return resampled(images, rows, columns)


def _stretched(share: jax.Array, start: jax.Array, length: int) -> jax.Array:
    """Matrices (batch, length, length) that stretch a part of a line over all of it."""
    places = jnp.arange(length, dtype=share.dtype)
    wanted = start[:, None] * (length - 1) + share[:, None] * places[None]
    return interpolation(wanted, length)


def _covered(keys: jax.Array, number: int, height: int, width: int) -> jax.Array:
    """Draw where pieces lie: shares of pixels (batch, height, width)."""
    y = ((jnp.arange(height) + 0.5) * 2 / height - 1)[None, :, None]
    x = ((jnp.arange(width) + 0.5) * 2 / width - 1)[None, None]

    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        numbers, choice = jax.random.split(jax.random.fold_in(key, 1))
        drawn = jax.random.uniform(numbers, (5, 1, 1))
        return drawn, jax.random.choice(choice, jnp.array(POWERS), (1, 1))

    drawn, power = jax.vmap(draw)(keys)
    away, angle = spread(number), jnp.pi * drawn[:, 2]
    shapes = Shapes(
        y=away * (2 * drawn[:, 0] - 1),
        x=away * (2 * drawn[:, 1] - 1),
        cos=jnp.cos(angle),
        sin=jnp.sin(angle),
        radius=largest_radius(number) * (0.25 + 0.75 * drawn[:, 3]),
        aspect=0.25 + 0.75 * drawn[:, 4],
        power=power,
    )
    # Pixels on the border are covered in part.
    narrow = shapes.radius * shapes.aspect * height / 2
    return jnp.clip((1 - distances(shapes, y, x)) * narrow + 0.5, 0, 1)
