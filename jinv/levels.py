"""Brightness: as numbers in [0, 1], and as the 256 levels that files have."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def to_uint8(images: ArrayLike) -> np.ndarray:
    """Images as the bytes that are saved: round(255 x), clipped, never stretched.

    Args:
        images: Floats in [0, 1] of any shape; uint8 is returned as it is.
    """
    values = np.asarray(images)
    if values.dtype == np.uint8:
        return values
    scaled = np.rint(255 * values.astype(np.float32))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def from_uint8(images: Any) -> Any:
    """Images in [0, 1], float32; what is not of bytes is returned as it is.

    Args:
        images: An array of NumPy or of JAX, of any shape.
    """
    if images.dtype != np.uint8:
        return images
    return images.astype(np.float32) / 255
