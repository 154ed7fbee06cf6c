"""Structural similarity (SSIM), and the three parts that it is the product of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d

from jinv.metrics.checks import image_pairs

WINDOW = 11
"""Height and width of the window, in pixels; images must be as large."""

_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03
_C1, _C2 = _K1**2, _K2**2
"""Constants for brightness in [0, 1]."""


class Similarity(NamedTuple):
    """Structural similarity of each image and its target, with its parts.

    At every place the similarity is the product of the three; what is told are means
    over all places and channels, of which that is no longer true.

    Attributes:
        ssim: Structural similarity (images,), 1 where they are equal.
        luminance: Agreement of local means (images,), 1 where they are equal.
        contrast: Agreement of local deviations (images,), 1 where they are equal.
        structure: Local correlation (images,), from -1 to 1.
    """

    ssim: np.ndarray
    luminance: np.ndarray
    contrast: np.ndarray
    structure: np.ndarray


def structural_similarity(images: ArrayLike, targets: ArrayLike) -> Similarity:
    """Structural similarity of images to their targets, with its three parts.

    luminance = (2 μx μy + C1) / (μx² + μy² + C1)

    contrast = (2 σx σy + C2) / (σx² + σy² + C2)

    structure = (σxy + C2/2) / (σx σy + C2/2)

    SSIM = luminance · contrast · structure (Wang, Bovik, Sheikh & Simoncelli 2004, eqs.
    6, 9, 10 and 13), with C1 = 0.01², C2 = 0.03² for brightness in [0, 1]; moments
    under a Gaussian window of 11x11 pixels and deviation 1.5, by which the biased
    covariances are weighted too; the mean over all places where the window lies within
    the image, and over channels. These are scikit-image's `structural_similarity` with
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1`.

    Args:
        images: Images (images, height, width, channels): uint8, or floats in [0, 1].
        targets: Targets of the same shape.

    Raises:
        DataError: They are no such images, smaller than the window, or not of one
            shape.

    Example:
        >>> grey = np.full((1, 16, 16, 1), 0.5)
        >>> found = structural_similarity(grey, grey / 2)
        >>> found.ssim.round(3).item(), found.structure.item()
        (0.8, 1.0)
    """
    x, y = image_pairs(images, targets, least=WINDOW)
    mean_x, mean_y = _blurred(x), _blurred(y)
    # Differences of large numbers may come out below zero.
    var_x = np.maximum(_blurred(x * x) - mean_x**2, 0)
    var_y = np.maximum(_blurred(y * y) - mean_y**2, 0)
    covariance = _blurred(x * y) - mean_x * mean_y
    deviations = np.sqrt(var_x * var_y)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    contrast = (2 * deviations + _C2) / (var_x + var_y + _C2)
    structure = (2 * covariance + _C2) / (2 * deviations + _C2)
    parts = luminance * contrast * structure, luminance, contrast, structure
    return Similarity(*(part.mean((1, 2, 3)) for part in parts))


def _blurred(values: np.ndarray) -> np.ndarray:
    """Means under the window, where all of it lies within the image."""
    reach = WINDOW // 2
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (1, 2):
        values = correlate1d(values, weights, axis)
    return values[:, reach:-reach, reach:-reach]
