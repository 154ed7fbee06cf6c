"""A picture of how the images of a pool changed while a student learnt from them."""

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from jinv.report.grid import grid

_ROUNDS, _IMAGES = 8, 12


def pool_picture(images: ArrayLike, batches: ArrayLike, warmup: int = 0) -> Image.Image:
    """Show some images of up to 8 rounds, a row for each.

    The first and the last round are among them, the others evenly between; of a batch,
    12 images are shown, evenly chosen.

    Args:
        images: Images (images, height, width, channels), uint8.
        batches: Numbers of the batches that they came in (images,).
        warmup: Batches that came before the first round beside its own.
    """
    images, batches = np.asarray(images), np.asarray(batches)
    shown = _evenly(np.unique(batches), _ROUNDS)
    places = [_evenly(np.flatnonzero(batches == batch), _IMAGES) for batch in shown]
    labels = np.repeat(np.arange(len(shown)), [len(own) for own in places])
    titles = [
        f"round {batch - warmup + 1}" if batch >= warmup else f"warm-up {batch + 1}"
        for batch in shown
    ]
    return grid(images[np.concatenate(places)], labels.tolist(), titles)


def _evenly(values: np.ndarray, most: int) -> np.ndarray:
    """Some of the values, the first and the last among them."""
    places = np.linspace(0, len(values) - 1, min(most, len(values)))
    return values[places.round().astype(int)]
