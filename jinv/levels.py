"""Levels of brightness: numbers in [0, 1], and the 256 levels that files have."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def to_uint8(images: ArrayLike) -> np.ndarray:
    """Turn images into the bytes of files: round(255 x), clipped, never stretched.

    Args:
        images: Images as floats in [0, 1] of any shape; uint8 is returned as it is.
    """
    values = np.asarray(images)
    if values.dtype == np.uint8:
        return values
    scaled = np.rint(255 * values.astype(np.float32))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def from_uint8(images: Any) -> Any:
    """Turn bytes into images in [0, 1], float32; others are returned as they are.

    Args:
        images: Images of NumPy or of JAX, of any shape.
    """
    if images.dtype != np.uint8:
        return images
    return images.astype(np.float32) / 255
