"""Random crops and flips of training images, on the host."""

import numpy as np


def crop_and_flip(
    images: np.ndarray,
    size: int,
    margin: int,
    rng: np.random.Generator,
    flip: bool = True,
) -> np.ndarray:
    """Cut a random square out of each image, and mirror half of them.

    The margin reflects the image: a black one would enter the BatchNorm statistics,
    and images inverted from those statistics would have black frames.

    Args:
        images: (batch, height, width, channels), uint8.
        size: Height and width of the result, in pixels.
        margin: Pixels by which each image is extended beforehand, on every side.
        rng: Source of randomness.
        flip: Whether any are mirrored; digits must not be.

    Returns:
        (batch, size, size, channels), uint8.
    """
    border = (margin, margin)
    wide = np.pad(images, ((0, 0), border, border, (0, 0)), mode="reflect")
    count, height, width, _ = wide.shape
    tops = rng.integers(0, height - size + 1, count)
    lefts = rng.integers(0, width - size + 1, count)
    mirrored = (rng.random(count) < 0.5) & flip
    out = np.empty((count, size, size, images.shape[-1]), images.dtype)
    for i, (top, left, mirror) in enumerate(zip(tops, lefts, mirrored, strict=True)):
        cut = wide[i, top : top + size, left : left + size]
        out[i] = cut[:, ::-1] if mirror else cut
    return out
