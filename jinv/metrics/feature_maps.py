"""How features go together: over places, over channels, and how few are awake."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jinv.errors import DataError


class Sparsity(NamedTuple):
    """How few of a layer's features carry what it says.

    Attributes:
        silent: Share of features that are 0.
        hoyer: (√n - ‖Φ‖₁ / ‖Φ‖₂) / (√n - 1), mean over images (Hoyer 2004): 0 where
            all n features are alike, 1 where a single one is not 0.
    """

    silent: float
    hoyer: float


def sparsity(features: ArrayLike) -> Sparsity:
    """Tell how sparse features are.

    Args:
        features: Features (images, ...).

    Raises:
        DataError: There are no features, or only zeros, or some are not finite.

    Example:
        >>> sparsity([[0.0, 0.0, 0.0, 5.0], [0.0, 0.0, 2.0, 0.0]])
        Sparsity(silent=0.75, hoyer=1.0)
    """
    rows = np.asarray(features, np.float64)
    if not rows.size or not np.isfinite(rows).all():
        raise DataError(f"features {np.shape(features)}: expected some, all finite")
    rows = rows.reshape(len(rows), -1)
    lengths = np.linalg.norm(rows, axis=1)
    if not lengths.any() or rows.shape[1] < 2:
        raise DataError(f"features {np.shape(features)}: expected some that are not 0")
    silent = float(np.mean(rows == 0))
    rows, lengths = rows[lengths > 0], lengths[lengths > 0]
    most = np.sqrt(rows.shape[1])
    hoyer = (most - np.abs(rows).sum(1) / lengths) / (most - 1)
    return Sparsity(silent, float(hoyer.mean()))


def place_covariance(maps: ArrayLike) -> np.ndarray:
    """Covariance of what a layer says at two places, over images and channels.

    Of each place and channel the mean is subtracted, and each channel is divided by its
    standard deviation, so that none speaks for all. Channels that are always silent are
    left out.

    Args:
        maps: Features (images, height, width, channels).

    Returns:
        Covariance (height * width, height * width), rows of places first.

    Raises:
        DataError: They are no feature maps of several images, or say nothing.
    """
    values = _centred(maps)
    values = values.reshape(len(values), -1, values.shape[-1])
    spread = values.std((0, 1))
    awake = spread > 0
    if not awake.any():
        raise DataError("features: expected some that differ from image to image")
    rows = np.moveaxis(values[..., awake] / spread[awake], 1, -1)
    rows = rows.reshape(-1, rows.shape[-1])
    return rows.T @ rows / len(rows)


def channel_covariance(maps: ArrayLike) -> np.ndarray:
    """Covariance of two channels at a place, the mean over images and places.

    Of each place and channel the mean is subtracted.

    Args:
        maps: Features (images, height, width, channels).

    Returns:
        Covariance (channels, channels).

    Raises:
        DataError: They are no feature maps of several images.
    """
    return gram_matrix(_centred(maps))


def gram_matrix(maps: ArrayLike) -> np.ndarray:
    """Mean product of two channels at one place (Gatys et al. 2016).

    Args:
        maps: Features (images, height, width, channels).

    Returns:
        Gram matrix (channels, channels).
    """
    values = np.asarray(maps, np.float64)
    rows = values.reshape(-1, values.shape[-1])
    return rows.T @ rows / len(rows)


def inverse_of(covariance: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """Invert a covariance, to whose diagonal a share of its mean is added.

    Args:
        covariance: Covariance (n, n); where there are fewer examples than n, it has no
            inverse of its own.
        ridge: That share.
    """
    more = ridge * np.trace(covariance) / len(covariance)
    return np.linalg.inv(covariance + more * np.eye(len(covariance)))


def toeplitz_deviation(matrix: ArrayLike, height: int, width: int) -> float:
    """Share of a matrix over places that no convolution has.

    ‖M - T‖² / ‖M‖², with T the nearest matrix whose entries depend only on how far two
    places are apart, in rows and in columns: the mean of all entries as far apart.

    Args:
        matrix: Matrix (height * width, height * width), rows of places first.
        height: Number of rows of places.
        width: Number of columns.

    Returns:
        Share, from 0 for a convolution, whatever lies around the border.

    Example:
        >>> toeplitz_deviation(np.eye(6), 2, 3)
        0.0
    """
    values = np.asarray(matrix, np.float64)
    if values.shape != (height * width,) * 2:
        raise DataError(
            f"matrix {values.shape}: expected {height * width} places on both sides"
        )
    rows, columns = np.divmod(np.arange(height * width), width)
    apart = (rows[:, None] - rows + height) * 2 * width + (
        columns[:, None] - columns + width
    )
    sums = np.bincount(apart.ravel(), values.ravel())
    counts = np.bincount(apart.ravel())
    nearest = (sums / np.maximum(counts, 1))[apart]
    return float(np.sum((values - nearest) ** 2) / np.sum(values**2))


def _centred(maps: ArrayLike) -> np.ndarray:
    values = np.asarray(maps, np.float64)
    if values.ndim != 4 or len(values) < 2:
        raise DataError(
            "features: expected maps (images, height, width, channels) of two images "
            f"or more, found {values.shape}"
        )
    return values - values.mean(0)
