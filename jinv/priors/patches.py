"""Patches of images or of feature maps, drawn by a seed."""

import numpy as np

from jinv.errors import DataError
from jinv.priors.material import Material

_HELD_OUT = 10
"""A tenth of the images is held out, where there are so many at least."""
_MOST_IMAGES = 4000
"""Images that patches are drawn from: to read more of them would tell little more."""


def parted(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Part images by number in those to learn from and those to measure on.

    Args:
        count: Number of images; of fewer than ten, all serve for both.
        seed: Seed of the choice.

    Returns:
        Numbers of the images to learn from, and of those to measure on.
    """
    order = np.random.default_rng(seed).permutation(count)[:_MOST_IMAGES]
    held = len(order) // _HELD_OUT
    return (order[held:], order[:held]) if held else (order, order)


def draw_patches(
    material: Material,
    numbers: np.ndarray,
    count: int,
    size: tuple[int, int],
    seed: int,
) -> np.ndarray:
    """Draw patches at random places, about as many of each image.

    Args:
        material: Images or feature maps.
        numbers: Numbers of those that are drawn from; each is read once.
        count: Number of patches.
        size: Height and width of a patch, in pixels.
        seed: Seed of the places.

    Returns:
        Patches (count, height, width, chosen channels), float32, in random order.

    Raises:
        DataError: An image is smaller than a patch.
    """
    rng = np.random.default_rng([seed, count])
    if count < len(numbers):
        numbers = rng.permutation(numbers)[:count]
    shares = np.diff(np.linspace(0, count, len(numbers) + 1).round().astype(int))
    order, done, patches = rng.permutation(count), 0, None
    for number, share, values in zip(
        numbers, shares, material.read(numbers), strict=True
    ):
        rooms = np.subtract(values.shape[:2], size) + 1
        if (rooms < 1).any():
            raise DataError(
                f"image {number} is {values.shape[0]}x{values.shape[1]} there, and "
                f"{size[0]}x{size[1]} are to be cut out of it: take a smaller patch or "
                "crop, or leave small images out"
            )
        if patches is None:
            patches = np.empty((count, *size, values.shape[-1]), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(values, size, (0, 1))
        top, left = rng.integers(rooms, size=(share, 2)).T
        places = order[done : done + share]
        patches[places] = windows[top, left].transpose(0, 2, 3, 1)
        done += share
    assert patches is not None
    return patches
