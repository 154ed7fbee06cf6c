"""What the metrics ask of their inputs."""

import numpy as np
from numpy.typing import ArrayLike

from jinv.errors import DataError
from jinv.levels import from_uint8


def matrix(values: ArrayLike, name: str = "features", least: int = 1) -> np.ndarray:
    """Values as a matrix with a row per sample, in the type that they have.

    Args:
        values: Features (samples, width).
        name: Name of the values in errors.
        least: The smallest number of samples that will do.

    Raises:
        DataError: The values are no such matrix, too few, or not all finite.
    """
    values = np.asarray(values)
    if values.ndim != 2:
        raise DataError(f"{name} must be of shape (samples, width), not {values.shape}")
    if len(values) < least:
        raise DataError(f"{name}: needs at least {least} samples, got {len(values)}")
    finite = np.isfinite(values).all(1)
    if not finite.all():
        raise DataError(
            f"{name}: {np.sum(~finite)} of {len(values)} samples hold NaN or infinity, "
            f"the first at row {np.argmin(finite)}"
        )
    return values


def matrices(
    real: ArrayLike, synthetic: ArrayLike, least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Features of two sets that are to be compared, both made a `matrix`.

    Raises:
        DataError: One is no such matrix, or the two are not equally wide.
    """
    real = matrix(real, "real features", least)
    synthetic = matrix(synthetic, "synthetic features", least)
    same_width(real.shape[1], synthetic.shape[1])
    return real, synthetic


def same_width(one: int, other: int) -> None:
    """Refuse features of different extractors.

    Raises:
        DataError: The widths differ.
    """
    if one != other:
        raise DataError(
            f"features of width {one} and {other} cannot be compared: "
            "take both from one extractor"
        )


def image_pairs(
    images: ArrayLike, targets: ArrayLike, least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Images and what they are compared with, both in [0, 1], float64.

    Args:
        images: Images (images, height, width, channels): uint8, or floats in [0, 1].
        targets: Targets of the same shape, one of each image.
        least: The smallest height and width that will do, in pixels.

    Raises:
        DataError: They are no such images, too small, or not of one shape.
    """
    pair = _images(images, "images"), _images(targets, "targets")
    shapes = [values.shape for values in pair]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"images of shape {shapes[0]} and targets of shape {shapes[1]} cannot be "
            "compared: give each image one target of its own size"
        )
    if min(shapes[0][1:3]) < least:
        raise DataError(
            f"images: expected at least {least}x{least} pixels, found "
            f"{shapes[0][1]}x{shapes[0][2]}"
        )
    return pair


_ROUNDING = 1e-4
"""How far beyond black and white float32 may carry what was within."""


def _images(values: ArrayLike, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or values.size == 0:
        raise DataError(
            f"{name}: expected shape (images, height, width, channels) with 3 "
            f"channels, or 1 where grey, found {values.shape}"
        )
    found = from_uint8(values).astype(np.float64)
    low, high = found.min(), found.max()
    plain = values.dtype == np.uint8 or values.dtype.kind == "f"
    if not (plain and -_ROUNDING <= low <= high <= 1 + _ROUNDING):  # nor is NaN
        raise DataError(
            f"{name}: expected bytes (uint8) or floats in 0..1, found {values.dtype} "
            f"from {low:g} to {high:g}"
        )
    return found
