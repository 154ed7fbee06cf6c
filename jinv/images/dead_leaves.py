"""Images of no data and no network: leaves that fell on each other."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from jinv.checked import checked
from jinv.errors import ConfigError
from jinv.images.shapes import POWERS, Shapes, distances, largest_radius, spread
from jinv.values import Count, Natural, Seed

_AT_ONCE = 64
"""Images that are drawn together, and whose random numbers are one stream."""

_TOGETHER = 4
"""Parts at work at once, each of which takes hundreds of MB for large images."""

_LEAVES = 14
"""Most leaves of an image."""

_TEXTURES = 64


@checked
def dead_leaves(
    count: Natural, size: Count, channels: Count = 3, seed: Seed = 0
) -> np.ndarray:
    """Draw images of random shapes that hide each other: the dead leaves model.

    Edges between shaded, textured regions of all sizes give natural images many of
    their statistics (Lee, Mumford & Huang 2001, "Occlusion Models for Natural Images"),
    and are enough for a network to learn to see by (Baradad et al. 2021, "Learning to
    See by Looking at Noise"). Here a background and up to 14 superellipses, the first
    ones large and near the middle, have each a colour, a gradient and a texture whose
    spectrum falls as 1/f^a, a drawn from 0.5 to 2. Drawn at twice the size, then
    averaged.

    Args:
        count: Number of images.
        size: Height and width in pixels.
        channels: 3, or 1 where grey.
        seed: Seed of the images; the first of a seed are the same for any count.

    Returns:
        Images (count, size, size, channels), uint8.

    Raises:
        ConfigError: A number cannot be.

    Example:
        >>> dead_leaves(2, 32).shape
        (2, 32, 32, 3)
    """
    if channels not in (1, 3):
        raise ConfigError(f"channels: expected 3, or 1 where grey, found {channels}")
    textures = _textures(np.random.default_rng((seed, 0)), 2 * size)

    def draw(number: int) -> np.ndarray:
        rng = np.random.default_rng((seed, 1 + number))
        return _draw(rng, size, channels, textures)

    with ThreadPoolExecutor(_TOGETHER) as pool:  # NumPy lets others work meanwhile
        parts = [*pool.map(draw, range(-(-count // _AT_ONCE)))]
    empty = np.empty((0, size, size, channels), np.uint8)
    return np.concatenate([empty, *parts])[:count]


def _draw(
    rng: np.random.Generator, size: int, channels: int, textures: np.ndarray
) -> np.ndarray:
    side = 2 * size
    places = np.linspace(-1, 1, side, endpoint=False, dtype=np.float32)
    y, x = places[None, :, None], places[None, None]
    images = _surfaces(rng, _AT_ONCE, channels, textures)
    leaves = rng.integers(0, _LEAVES + 1, _AT_ONCE)
    for number in range(leaves.max()):
        has = np.flatnonzero(number < leaves)
        where = distances(_shapes(rng, len(has), number), y, x) < 1
        surfaces = _surfaces(rng, len(has), channels, textures)
        images[has] = np.where(where[..., None], surfaces, images[has])
    shape = _AT_ONCE, size, 2, size, 2, channels
    means = images.clip(0, 1).reshape(shape).mean((2, 4))
    return np.rint(255 * means).astype(np.uint8)


def _shapes(rng: np.random.Generator, count: int, number: int) -> Shapes:
    """Draw a shape of this number for each of so many images."""

    def uniform(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    away, angle = spread(number), uniform(0, np.pi)
    return Shapes(
        y=uniform(-away, away),
        x=uniform(-away, away),
        cos=np.cos(angle),
        sin=np.sin(angle),
        radius=largest_radius(number) * uniform(0.25, 1),
        aspect=uniform(0.25, 1),
        power=rng.choice(np.array(POWERS, np.float32), (count, 1, 1)),
    )


def _surfaces(
    rng: np.random.Generator, count: int, channels: int, textures: np.ndarray
) -> np.ndarray:
    """Surfaces (count, side, side, channels): colour, gradient and texture."""
    side = textures.shape[1]
    places = np.linspace(-1, 1, side, endpoint=False, dtype=np.float32)
    light = rng.beta(1.2, 1.2, (count, 1))
    tint = rng.normal(size=(count, channels)) * abs(rng.normal(size=(count, 1))) * 0.15
    colour = (light + tint - tint.mean(1, keepdims=True)).clip(0, 1)
    slope = rng.normal(size=(count, 2)) * rng.random((count, 1)) * 0.3
    strength = 0.25 * rng.random((count, 1)) ** 2
    tinted = strength * (1 + 0.3 * rng.normal(size=(count, channels)))
    rows, columns = (
        (rng.integers(side, size=(count, 1)) + np.arange(side)) % side for _ in range(2)
    )
    which = rng.integers(len(textures), size=(count, 1, 1))
    texture = textures[which, rows[:, :, None], columns[:, None]]

    def of_image(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)[:, None, None]

    shading = slope[:, :1, None] * places[:, None] + slope[:, 1:, None] * places
    return (
        of_image(colour)
        + shading.astype(np.float32)[..., None]
        + texture[..., None] * of_image(tinted)
    )


def _textures(rng: np.random.Generator, side: int) -> np.ndarray:
    """Periodic noise (textures, side, side) of unit deviation, spectrum 1/f^a."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf  # no mean
    shape = _TEXTURES, *frequency.shape
    noise = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    noise *= frequency ** -rng.uniform(0.5, 2, (_TEXTURES, 1, 1))
    fields = np.fft.irfft2(noise, s=(side, side))
    return (fields / fields.std((1, 2), keepdims=True)).astype(np.float32)
