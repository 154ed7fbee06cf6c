"""Fidelity of reconstructions: how near each is to its photograph, pixel by pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jinv.metrics.checks import image_pairs
from jinv.metrics.ssim import structural_similarity


@dataclass(frozen=True)
class Fidelity:
    """How near an image is to its target.

    Attributes:
        mse: Mean squared error over pixels and channels, of brightness in [0, 1].
        psnr: Peak signal-to-noise ratio in dB, -10 log10(mse); infinite for equal
            images, which JSON cannot say: write null.
        ssim: Structural similarity, see `jinv.metrics.ssim`.
        luminance: Part of it, the agreement of local means.
        contrast: Part of it, the agreement of local deviations.
        structure: Part of it, the local correlation.
    """

    mse: float
    psnr: float
    ssim: float
    luminance: float
    contrast: float
    structure: float


def psnr(mse: ArrayLike) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of errors of brightness in [0, 1].

    Infinite where nothing is wrong.

    Example:
        >>> psnr([0.01, 0.0]).round(6).tolist()
        [20.0, inf]
    """
    with np.errstate(divide="ignore"):
        return -10 * np.log10(mse)


def fidelity(images: ArrayLike, targets: ArrayLike) -> list[Fidelity]:
    """Compare images with their targets, pixel by pixel.

    Args:
        images: Images (images, height, width, channels): uint8, or floats in [0, 1].
        targets: Targets of the same shape.

    Returns:
        The fidelity of each image, in order; `jinv.metrics.means` has their means.

    Raises:
        DataError: They are no such images, smaller than 11x11 pixels, or not of one
            shape.

    Example:
        >>> black = np.zeros((1, 16, 16, 3))
        >>> round(fidelity(black + 0.1, black)[0].psnr, 6)
        20.0
    """
    found, wanted = image_pairs(images, targets)
    mse = np.square(found - wanted).mean((1, 2, 3))
    columns = mse, psnr(mse), *structural_similarity(images, targets)
    return [Fidelity(*map(float, row)) for row in zip(*columns, strict=True)]
