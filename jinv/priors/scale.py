"""How the values that a prior is learnt from are measured."""

from typing import NamedTuple

import numpy as np

from jinv.errors import DataError
from jinv.priors.config import PriorConfig
from jinv.priors.form import Form


class Scale(NamedTuple):
    """How values are measured, before anything else.

    Attributes:
        centre: Mean of each channel, (channels,).
        scale: One over the deviation of each, (channels,); 0 where it never changes.
        sigma: Deviation of the noise, in units of the values.
    """

    centre: np.ndarray
    scale: np.ndarray
    sigma: float


def scale_of(form: Form, config: PriorConfig, values: np.ndarray) -> Scale:
    """Measure the channels of patches (count, height, width, channels).

    Raises:
        DataError: Nothing ever changes.
    """
    flat = values.reshape(-1, values.shape[-1])
    mean, deviation = flat.mean(0, np.float64), flat.std(0, dtype=np.float64)
    if not deviation.max() > 0:
        raise DataError(
            f"{form.subject} of these images are the same everywhere: there is nothing "
            "to learn"
        )
    least = 1e-4 * deviation.max()
    scale = np.where(deviation > least, 1 / np.maximum(deviation, least), 0)
    spread = float(np.sqrt(np.mean(np.square(deviation))))
    if form.layout == "channelwise" and not config.on_crops:
        sigma = config.sigma / 100  # patches are in deviations already
    else:
        sigma = config.sigma * (spread / 100 if form.subject.layer else 1 / 255)
    return Scale(mean.astype(np.float32), scale.astype(np.float32), sigma)


def alone(scale: Scale, patches: np.ndarray) -> np.ndarray:
    """Make of each channel of patches a patch of one channel, in its own deviations."""
    scaled = (patches - scale.centre) * scale.scale
    # A channel that never changes has nothing to teach.
    scaled = scaled[..., scale.scale > 0]
    return np.moveaxis(scaled, -1, 1).reshape(-1, *patches.shape[1:3], 1)
