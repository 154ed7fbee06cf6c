"""Precision and recall of distributions (PRD)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits

from jinv.metrics.checks import matrices


@dataclass(frozen=True, eq=False)
class Prd:
    """A curve of precision and recall, one point per angle."""

    precision: np.ndarray
    """Precision by angle, ascending."""
    recall: np.ndarray
    """Recall by angle, descending."""

    def f_beta(self, beta: float) -> float:
        """The greatest F_β = (1 + β²) p r / (β² p + r) on the curve.

        The paper reports F_8, which weighs recall, and F_1/8, which weighs precision.
        """
        weighted = beta**2 * self.precision + self.recall
        product = (1 + beta**2) * self.precision * self.recall
        # Sets that share no cluster have no precision and no recall at any angle.
        scores = np.divide(product, weighted, np.zeros_like(product), where=product > 0)
        return float(scores.max())


def prd_curve(
    real: ArrayLike,
    synthetic: ArrayLike,
    clusters: int = 20,
    angles: int = 1001,
    runs: int = 10,
    seed: int = 0,
) -> Prd:
    """Precision and recall: how much of a distribution another one can make.

    k-means on the union of both sets turns them into histograms p (real) and q
    (synthetic). At the slopes λ = tan(π/2 · i / (angles + 1)), precision is
    Σ min(λ p, q) and recall Σ min(p, q / λ) (Sajjadi et al. 2018, algorithm 1). The
    curve is the mean over `runs` clusterings. Each takes equally many samples of both
    sets, all of the smaller one, as unequal sizes would pull the clusters to one side.

    Args:
        real: Features of real images, (real, width).
        synthetic: Features of synthetic images, (synthetic, width).
        clusters: Number of bins of the histograms.
        angles: Number of points of the curve.
        runs: Number of clusterings.
        seed: Seed of the clusterings and of the samples drawn from the larger set.

    Raises:
        DataError: A set has fewer samples than clusters, or widths differ, or features
            are not finite.
    """
    real, synthetic = matrices(real, synthetic, least=clusters)
    slopes = np.tan(np.pi / 2 * np.arange(1, angles + 1) / (angles + 1))[:, None]
    rng = np.random.default_rng(seed)
    precision = np.zeros(angles)
    for _ in range(runs):
        p, q = _histograms(real, synthetic, clusters, rng)
        precision += np.minimum(slopes * p, q).sum(1) / runs
    return Prd(precision, precision / slopes[:, 0])


def _histograms(
    real: np.ndarray, synthetic: np.ndarray, clusters: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the clusters in each set, both (clusters,)."""
    size = min(len(real), len(synthetic))
    halves = [x[rng.choice(len(x), size, replace=False)] for x in (real, synthetic)]
    means = MiniBatchKMeans(
        clusters,
        n_init=10,  # pyright: ignore[reportArgumentType]
        random_state=int(rng.integers(2**31)),
    )
    # Threads would wait for each other longer than they work.
    with threadpool_limits(1):
        labels = means.fit_predict(np.concatenate(halves))
    p, q = (np.bincount(x, minlength=clusters) / size for x in np.split(labels, 2))
    return p, q
