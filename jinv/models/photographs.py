"""Photographs that are given, as a network takes them and files hold them."""

from typing import Any

import numpy as np

from jinv.errors import ConfigError
from jinv.levels import to_uint8
from jinv.models.classifier import Classifier
from jinv.values import shown


def levels_of(
    classifier: Classifier, name: str, given: Any, size: tuple[int, ...]
) -> np.ndarray:
    """Make levels of photographs, as they can be saved.

    Args:
        classifier: Network that takes them.
        name: Name of the photographs in errors.
        given: Photographs (images, height, width, channels), or one of them: uint8, or
            floats in [0, 1].
        size: Height and width, in pixels; empty for those of the photographs.

    Returns:
        Photographs (images, height, width, channels), uint8, of as many channels as the
        network takes.

    Raises:
        ConfigError: They are no photographs.
    """
    try:
        found = np.asarray(given)
    except ValueError:
        raise ConfigError(
            f"{name}: expected photographs of one size, or files, which are cut to it, "
            f"found {shown(given)}"
        ) from None
    found = found[None] if found.ndim == 3 else found
    if found.ndim != 4 or found.shape[-1] not in (1, 3) or not found.size:
        raise ConfigError(
            f"{name}: expected an array (images, height, width, 3), or 1 where "
            f"grey, uint8 or floats in [0, 1], found {shown(given)}"
        )
    if not _are_levels(found):
        raise ConfigError(
            f"{name}: expected uint8 or floats in [0, 1], found {found.dtype} from "
            f"{found.min():g} to {found.max():g}"
        )
    height, width = size or found.shape[1:3]
    inputs = classifier.inputs_of(found, (height, width))
    return to_uint8(classifier.denormalise(np.asarray(inputs)))


def _are_levels(found: np.ndarray) -> bool:
    """Whether these are bytes, or floats that are levels but for rounding."""
    if not np.issubdtype(found.dtype, np.floating):
        return found.dtype == np.uint8
    return bool(-0.5 / 255 <= found.min() and found.max() <= 1 + 0.5 / 255)
