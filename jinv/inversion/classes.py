"""Which classes are asked for, and which image shows which."""

from collections.abc import Sequence

import numpy as np

from jinv.errors import ConfigError
from jinv.suggest import near

RANDOM = -1
"""Stands for a class drawn anew for each image."""


def parse_classes(text: str, names: Sequence[str]) -> tuple[int, ...]:
    """Read a comma-separated list of classes.

    Args:
        text: Items may be indices (3), names (cat), ranges (0-4, both ends included),
            "all", or "random" (drawn anew for each image).
        names: The classifier's classes.

    Returns:
        Indices, in the order given; `RANDOM` for "random".

    Raises:
        ConfigError: An item is no class of the classifier; near matches are offered.

    Example:
        >>> parse_classes("cat, 0-1", ["plane", "car", "bird", "cat"])
        (3, 0, 1)
    """
    # A name may contain commas.
    if text.strip() in names:
        return (list(names).index(text.strip()),)
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise ConfigError("no classes were given: expected e.g. cat,ship or 0-4 or all")
    return tuple(index for item in items for index in _one(item, names))


def assign_labels(
    targets: Sequence[int], images: int, classes: int, seed: int
) -> np.ndarray:
    """Give each image a class, cycling through the targets.

    Args:
        targets: As `parse_classes` returns them.
        images: How many images.
        classes: How many classes there are to draw from.
        seed: Of the draw.

    Returns:
        (images,), int32.
    """
    labels = np.asarray(targets, np.int32)[np.arange(images) % len(targets)]
    drawn = np.random.default_rng(seed).integers(0, classes, images, np.int32)
    return np.where(labels == RANDOM, drawn, labels)


def _one(item: str, names: Sequence[str]) -> list[int]:
    if item in names:
        return [list(names).index(item)]
    lowered = [name.lower() for name in names]
    if item.lower() in lowered:
        return [lowered.index(item.lower())]
    if item == "all":
        return list(range(len(names)))
    if item == "random":
        return [RANDOM]
    first, dash, last = item.partition("-")
    if first.isdigit() and (last.isdigit() if dash else True):
        low, high = int(first), int(last or first)
        if low > high:
            raise ConfigError(f"the range {item} runs backwards: write {high}-{low}")
        if high >= len(names):
            raise ConfigError(
                f"class {high} is out of range: the classes are 0..{len(names) - 1}"
            )
        return list(range(low, high + 1))
    raise ConfigError(f"unknown class {item!r}{near(item.lower(), lowered)}")
