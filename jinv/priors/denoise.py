"""Removing noise from images: the front door."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.errors import ConfigError, DataError
from jinv.levels import from_uint8
from jinv.priors.files import embedded_prior, load_prior
from jinv.priors.form import COLOURS
from jinv.priors.prior import Prior
from jinv.priors.removal import (
    Removal,
    VariationRemoval,
    cleaned,
    prior_removal,
)
from jinv.values import Count, Positive, shown

LEVELS = 255


@checked
def denoise(
    images: Any,
    prior: Prior | Path | str | None = None,
    sigma: Positive = 25.0,
    *,
    tv: Positive | None = None,
    weight: Positive | None = None,
    steps: Count | None = None,
) -> list[np.ndarray]:
    """Remove noise from images: find the likeliest ones, by a learned prior.

    Args:
        images: Noisy images of any sizes, a list of (height, width, 1 or 3) or an array
            (images, height, width, 1 or 3): uint8, or floats with 0 for black and 1 for
            white, which the noise may leave.
        prior: Prior of images, or its file; by default `embedded_prior`. One of grey
            images sees each channel of other images by itself.
        sigma: Deviation of the noise, in levels of 255.
        tv: Weight of the total variation, in deviations of the noise, instead of a
            prior; about 0.7 suits photographs.
        weight: Weight of the prior, in squares of the noise's deviation; by default
            what its card says, or as `prior_removal` chooses.
        steps: Number of steps.

    Returns:
        Images of the same shapes, float32, which are not clipped either.

    Raises:
        ConfigError: There are both prior and tv, or the prior is not of such images.
        DataError: These are no images.
        WeightsError: The file is no prior.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> noisy = 0.5 + 0.1 * rng.normal(size=(1, 32, 32, 1))
        >>> (found,) = denoise(noisy, sigma=25)
        >>> found.shape, bool(found.std() < 0.03)
        ((32, 32, 1), True)
    """
    removal = make_removal(prior, sigma, tv=tv, weight=weight, steps=steps)
    found = as_floats(images)
    for number, image in enumerate(found):
        removal.check(image.shape[-1], f"image {number}")
    return [cleaned(removal, image) for image in found]


def make_removal(
    prior: Prior | Path | str | None,
    sigma: float,
    *,
    tv: float | None = None,
    weight: float | None = None,
    steps: int | None = None,
) -> Removal:
    """Choose how noise is removed; see `denoise`.

    Raises:
        ConfigError: There are both prior and tv, or tv and another weight.
        WeightsError: The file is no prior.
    """
    if prior is not None and tv is not None:
        raise ConfigError(
            "give a prior, or a weight of the total variation (tv): found both"
        )
    if tv is not None and weight is not None:
        raise ConfigError(
            "weight is that of a prior, and tv has one itself: leave weight out"
        )
    deviation = sigma / LEVELS
    if tv is not None:
        return VariationRemoval(deviation, tv, *(() if steps is None else (steps,)))
    if prior is None:
        prior = embedded_prior()
    elif not isinstance(prior, Prior):
        prior = load_prior(prior)
    return prior_removal(prior, deviation, weight, steps)


def as_floats(images: Any) -> list[np.ndarray]:
    """Bring images to floats, 0 for black and 1 for white.

    Raises:
        DataError: They are no images.
    """
    listed = isinstance(images, Sequence) or getattr(images, "ndim", 0) == 4
    found = [np.asarray(image) for image in images] if listed else []
    for image in found:
        fits = image.ndim == 3 and image.shape[-1] in COLOURS and image.size
        if not fits or not (image.dtype == np.uint8 or image.dtype.kind == "f"):
            raise DataError(
                "expected images (height, width, 1 or 3), uint8 or floats, found "
                f"{shown(image)} of {image.dtype}"
            )
        # Noise may be beyond black and white, half of the pixels hardly.
        if image.dtype.kind == "f" and not -1 <= np.median(image) <= 2:
            raise DataError(
                "expected floats, 0 for black and 1 for white, found numbers around "
                f"{np.median(image):g}"
            )
    if not found:
        raise DataError(
            "expected a list of images, or an array (images, height, width, 1 or 3), "
            f"found {shown(images)}"
        )
    return [from_uint8(image).astype(np.float32) for image in found]
