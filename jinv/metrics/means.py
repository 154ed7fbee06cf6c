"""Means over images, as tables print them."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_NORMAL = 1.96
"""Deviations of a normal distribution within which 95 % of it lie."""


class Mean(NamedTuple):
    """A mean over images, which is written `0.2134 ± 0.012`.

    Attributes:
        value: Mean; None where no image has a value.
        margin: 1.96 standard errors, half the width of its 95 % interval, as Mahendran
            & Vedaldi 2016 print it; None of fewer than two images, or where the mean is
            infinite.
        count: Number of images that have a value.
    """

    value: float | None
    margin: float | None
    count: int

    def __str__(self) -> str:
        """Write the mean with its margin, if it has one."""
        if self.value is None:
            return "-"
        margin = "" if self.margin is None else f" ± {self.margin:.2g}"
        return f"{self.value:.4g}{margin}"


def mean_of(values: Iterable[float | None]) -> Mean:
    """Take the mean over images; those whose value is None are left out.

    The standard error is s / √n with the sample's deviation s (by n - 1). A single
    infinite value makes the mean infinite: the PSNR of an image that is its target.

    Args:
        values: Values of the images.

    Example:
        >>> print(mean_of([1.0, 2.0, 3.0, None]))
        2 ± 1.1
    """
    known = [value for value in values if value is not None]
    if not known:
        return Mean(None, None, 0)
    mean, count = float(np.mean(known)), len(known)
    if count < 2 or not math.isfinite(mean):
        return Mean(mean, None, count)
    return Mean(mean, _NORMAL * float(np.std(known, ddof=1)) / math.sqrt(count), count)
