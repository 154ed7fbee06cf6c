"""The Fréchet distance between the features of two image sets (FID)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jinv.errors import DataError
from jinv.metrics.checks import matrix, same_width


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean and covariance of a set of features, which can be added part by part.

    Example:
        >>> parts = [[[0.0], [2.0]], [[4.0]]]
        >>> whole = FeatureStatistics.of(parts[0]) + FeatureStatistics.of(parts[1])
        >>> whole.count, whole.mean.item(), whole.covariance.item()
        (3, 2.0, 4.0)
    """

    count: int
    """Number of samples."""
    mean: np.ndarray
    """Mean (width,), float64."""
    covariance: np.ndarray
    """Covariance (width, width), float64, by count - 1; zero for a single sample."""

    @classmethod
    def of(cls, features: ArrayLike) -> "FeatureStatistics":
        """Measure a feature matrix (samples, width).

        Raises:
            DataError: There are no samples, or some are not finite.
        """
        centred = matrix(features).astype(np.float64)
        mean = centred.mean(0)
        centred -= mean
        freedom = max(len(centred) - 1, 1)
        return cls(len(centred), mean, centred.T @ centred / freedom)

    def __add__(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Statistics of the union of two sets, exact up to rounding.

        The sums of squares about the means add up as
        M = M1 + M2 + n1 n2 / (n1 + n2) (μ2 - μ1)(μ2 - μ1)ᵀ (Chan, Golub, LeVeque 1983).

        Raises:
            DataError: The features are not equally wide.
        """
        same_width(self.mean.size, other.mean.size)
        count = self.count + other.count
        shift = other.mean - self.mean
        squares = (
            (self.count - 1) * self.covariance
            + (other.count - 1) * other.covariance
            + self.count * other.count / count * np.outer(shift, shift)
        )
        mean = self.mean + other.count / count * shift
        return FeatureStatistics(count, mean, squares / (count - 1))


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """The squared Fréchet distance of two normal distributions.

    |μ1 - μ2|² + tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½) (Heusel et al. 2017). On the 2048 features
    of Inception-v3 this is the FID. It is biased upwards in small sets, so compare only
    values of equal sample sizes.

    Args:
        one: Statistics of one set, of at least two samples.
        other: Statistics of the other set, likewise.

    Raises:
        DataError: Too few samples, or features of different widths.
    """
    same_width(one.mean.size, other.mean.size)
    for statistics in (one, other):
        if statistics.count < 2:
            raise DataError("a Fréchet distance needs at least 2 samples in each set")
    # With Σ = A Aᵀ, the eigenvalues of Σ1 Σ2 are the squared singular values of A1ᵀ A2.
    # Unlike the root of the product, these lose no digits and cannot be complex.
    shared = _factor(one.covariance).T @ _factor(other.covariance)
    cross = np.linalg.svd(shared, compute_uv=False).sum()
    shift = one.mean - other.mean
    spread = np.trace(one.covariance) + np.trace(other.covariance)
    return max(0.0, float(shift @ shift + spread - 2 * cross))


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A (width, rank) with A Aᵀ = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    # Below this an eigenvalue is a rounding error, whose root would not be small.
    floor = values[-1] * values.size * np.finfo(np.float64).eps
    kept = values > floor
    return vectors[:, kept] * np.sqrt(values[kept])
