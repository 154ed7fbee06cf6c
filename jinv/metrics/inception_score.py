"""The Inception Score of a classifier's predictions."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from jinv.errors import DataError
from jinv.metrics.checks import matrix


def inception_score(
    probabilities: ArrayLike, splits: int = 10, seed: int | None = 0
) -> tuple[float, float]:
    """Inception Score: images of one clear class each, and of all classes together.

    exp(E KL(p(y|x) ‖ p(y))) on each of `splits` equal parts (Salimans et al. 2016),
    from 1 to the number of classes. Synthetic images often come sorted by class, and a
    part of few classes would score low: the parts are drawn at random.

    Args:
        probabilities: Softmax outputs (samples, classes).
        splits: Number of parts.
        seed: Seed of the permutation that is cut into parts; None keeps the order
            given, as the published script does.

    Returns:
        Mean and standard deviation over the parts.

    Raises:
        DataError: There are fewer samples than parts, or rows are no probabilities.

    Example:
        >>> inception_score([[1, 0], [0, 1]], splits=1)
        (2.0, 0.0)
    """
    probabilities = matrix(probabilities, "probabilities", least=splits)
    sums = probabilities.sum(1, dtype=np.float64)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > 1e-2:
        raise DataError(
            "probabilities must be positive with rows that sum to 1, found values from "
            f"{probabilities.min():.3g} and sums from {sums.min():.3g} to "
            f"{sums.max():.3g}: were these logits?"
        )
    order = np.arange(len(probabilities))
    if seed is not None:
        np.random.default_rng(seed).shuffle(order)
    scores = [_score(probabilities[part]) for part in np.array_split(order, splits)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(probabilities: np.ndarray) -> float:
    # The mean divergence from the mean is the entropy that averaging adds.
    probabilities = probabilities.astype(np.float64)
    added = entr(probabilities.mean(0)).sum() - entr(probabilities).sum(1).mean()
    return np.exp(added)
