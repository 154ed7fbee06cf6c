"""Errors of features: how near those of a reconstruction are to those asked for.

The literature prints three numbers, each of which it calls the normalised error.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from jinv.errors import DataError


@dataclass(frozen=True)
class FeatureErrors:
    """How far the features Φ of an image are from those asked for, Φ₀.

    Attributes:
        relative_squared_error: Squared distance over the target's squared length,
            ‖Φ - Φ₀‖² / ‖Φ₀‖², the loss of Mahendran & Vedaldi 2015 and 2016; None
            where Φ₀ is zero.
        relative_error: Root of the same, ‖Φ - Φ₀‖ / ‖Φ₀‖, which the tables of 2016
            print; None where Φ₀ is zero.
        distance_over_pairwise: Distance over the mean distance of two targets,
            ‖Φ - Φ₀‖ / N, which the tables of 2015 print; None where there are not two
            different targets.
    """

    relative_squared_error: float | None
    relative_error: float | None
    distance_over_pairwise: float | None


def feature_errors(
    features: ArrayLike, targets: ArrayLike, pairwise: float | None = None
) -> list[FeatureErrors]:
    """Compare features of images with those asked for, under all three names.

    Args:
        features: Features of one layer, (images, ...).
        targets: Features asked for, of the same shape.
        pairwise: Mean distance of two targets, where it is taken of a larger set; by
            default `mean_pairwise_distance(targets)`.

    Returns:
        The errors of each image, in order; `jinv.metrics.means` has their means.

    Raises:
        DataError: The shapes differ, there are no images, or a feature is not finite.

    Example:
        >>> targets = np.array([[3.0, 0.0], [0.0, 3.0]])
        >>> error = feature_errors([[3.0, 0.0], [0.0, 4.5]], targets)[1]
        >>> error.relative_squared_error, error.relative_error
        (0.25, 0.5)
        >>> round(error.distance_over_pairwise, 3)
        0.354
    """
    features, targets = _of_images(features, "features"), _of_images(targets, "targets")
    if features.shape != targets.shape:
        raise DataError(
            f"features of shape {features.shape} and targets of shape {targets.shape} "
            "cannot be compared: take both from one layer, at one size"
        )
    if pairwise is None:
        pairwise = mean_pairwise_distance(targets)

    def errors() -> Iterator[FeatureErrors]:
        for found, wanted in zip(features, targets, strict=True):
            distance, length = _distance(found, wanted), _distance(wanted, 0)
            relative = distance / length if length else None
            squared = None if relative is None else relative**2
            yield FeatureErrors(
                squared, relative, distance / pairwise if pairwise else None
            )

    return list(errors())


def mean_pairwise_distance(targets: ArrayLike) -> float | None:
    """Mean Euclidean distance between the features of two different images.

    N = mean of ‖Φ(x_i) - Φ(x_j)‖ over i < j (Mahendran & Vedaldi 2015, section 5). It
    takes a pass over all pairs, images² / 2.

    Args:
        targets: Features of one layer, (images, ...).

    Returns:
        The distance; None of a single image.

    Raises:
        DataError: There are no images, or a feature is not finite.

    Example:
        >>> mean_pairwise_distance([[0.0], [1.0], [2.0]])
        1.3333333333333333
    """
    targets = _of_images(targets, "targets")
    pairs = [_distance(one, other) for one, other in combinations(targets, 2)]
    return float(np.mean(pairs)) if pairs else None


def _of_images(values: ArrayLike, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim < 2 or values.size == 0:
        raise DataError(f"{name}: expected shape (images, ...), found {values.shape}")
    for number, value in enumerate(values):
        if not np.isfinite(value).all():
            raise DataError(f"{name} of image {number} hold NaN or infinity")
    return values


def _distance(one: np.ndarray, other: np.ndarray | float) -> float:
    """Euclidean distance, summed in float64, of arrays of any shape and type."""
    difference = np.subtract(one, other, dtype=np.float64)
    return float(np.sqrt(np.vdot(difference, difference)))
