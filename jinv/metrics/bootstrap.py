"""Intervals of scores: how far the true one may lie from the one measured."""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from jinv.errors import ConfigError, DataError

_AT_ONCE = 4_000_000
"""Resampled values in memory at a time."""


@dataclass(frozen=True)
class Estimate:
    """A measured value, and its interval if there is one."""

    value: float
    low: float | None = None
    high: float | None = None


def bootstrap_mean(
    values: ArrayLike, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Estimate:
    """The mean of per-sample values, with its percentile interval.

    The mean is taken of `resamples` sets of as many values, drawn with replacement; the
    interval holds the middle `level` of them (Efron 1979). It covers the choice of
    samples, not that of the network or the seed that made them. Scores that count
    neighbours should not be resampled so, as repeated samples are their own neighbours:
    take the mean of their per-sample values.

    Args:
        values: Scores (samples,), numbers or truth values; one alone has no interval.
        resamples: Number of sets drawn; 0 for no interval.
        seed: Seed of the draws.
        level: Share of the resampled means that the interval holds, in 0..1.

    Raises:
        DataError: There are no values, or some are not finite.
        ConfigError: The level is not between 0 and 1.

    Example:
        >>> bootstrap_mean([2.0, 2.0, 2.0])
        Estimate(value=2.0, low=2.0, high=2.0)
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise DataError(
            f"values must be finite and of shape (samples,), found {values.shape}"
        )
    if len(values) < 1:
        raise DataError("a mean needs at least 1 sample, got none")
    if not 0 < level < 1:
        raise ConfigError(f"the level of an interval must lie in 0..1, not {level}")
    value = float(values.mean())
    if len(values) == 1 or resamples == 0:
        return Estimate(value)
    low, high = scipy.stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, _AT_ONCE // len(values)),
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(value, float(low), float(high))
