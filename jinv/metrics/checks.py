"""What the metrics ask of their inputs."""

import numpy as np
from numpy.typing import ArrayLike

from jinv.errors import DataError


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
