"""Whitening: patches are measured so that they are as wide in every direction.

Score matching is not indifferent to linear maps: where filters are of unit norm, and
what is learnt, depends on how the data lie. After whitening their mean is 0 and their
covariance the identity.
"""

from typing import Literal, NamedTuple

import numpy as np

Whiten = Literal["pca", "zca"]
_LEAST = 1e-6
"""Share of the largest variance below which a direction is taken for empty."""


class Whitening(NamedTuple):
    """A linear map that whitens.

    Attributes:
        matrix: Map (whitened dimensions, dimensions).
        mean: What is subtracted before it is applied, (dimensions,).
        basis: Projection of whitened data (whitened dimensions, whitened dimensions) on
            where they are: the identity, unless directions are empty under "zca".
    """

    matrix: np.ndarray
    mean: np.ndarray
    basis: np.ndarray

    def __call__(self, data: np.ndarray) -> np.ndarray:
        """Whiten data (count, dimensions), in float32."""
        return ((data - self.mean) @ self.matrix.T).astype(np.float32)


def whiten(
    data: np.ndarray,
    kind: Whiten = "pca",
    without: np.ndarray | None = None,
    centred: bool = False,
    most: int = 0,
) -> Whitening:
    """Find the map that whitens data.

    Hyvärinen, Hurri & Hoyer 2009, "Natural Image Statistics", chapter 5.

    Args:
        data: Data (count, dimensions).
        kind: "pca" measures along the axes of the covariance, the widest first; "zca"
            turns back, so that whitened patches still look like patches.
        without: Direction (dimensions,) that is left out: the constant patch, where
            the mean brightness shall not matter.
        centred: Whether the data's mean is 0 already.
        most: Number of directions that are kept, the widest; 0 for all.

    Returns:
        The map; directions in which there is next to nothing are left out too.
    """
    mean = np.zeros(data.shape[1]) if centred else data.mean(0, dtype=np.float64)
    covariance = np.zeros((data.shape[1], data.shape[1]))
    for part in np.array_split(data, max(1, len(data) // 4096)):
        apart = part - mean
        covariance += apart.T @ apart
    covariance /= len(data)
    if without is not None:
        axis = without / np.linalg.norm(without)
        covariance = _without(_without(covariance, axis).T, axis)
    values, axes = np.linalg.eigh(covariance)
    values, axes = values[::-1], axes[:, ::-1]
    kept = values > _LEAST * values[0]
    if without is not None:
        kept &= np.arange(len(values)) < len(values) - 1
    kept = np.flatnonzero(kept)[: most or None]
    values, axes = values[kept], axes[:, kept]
    # A sign is anybody's choice; the same one at every call.
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    matrix, basis = (axes / np.sqrt(values)).T, np.eye(len(values))
    if kind == "zca":
        matrix, basis = axes @ matrix, axes @ axes.T
    return Whitening(
        matrix.astype(np.float32), mean.astype(np.float32), basis.astype(np.float32)
    )


def _without(rows: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Take what lies along an axis out of each row."""
    return rows - (rows @ axis)[:, None] * axis
