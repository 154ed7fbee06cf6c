"""Which classes are asked for, and which image shows which."""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any
from unicodedata import normalize

import numpy as np

from jinv.errors import ConfigError
from jinv.suggest import near
from jinv.values import shown

RANDOM = -1
"""Stands for a class drawn anew for each image."""


Classes = str | int | Sequence[int | str]
"""How classes are asked for: by text, by an index, or by a list of either."""


def find_classes(asked: Any, names: Sequence[str]) -> tuple[int, ...]:
    """Find the classes that are asked for.

    Args:
        asked: Classes as text, which `parse_classes` reads, as an index, or as a list
            of names and indices, where a name may have commas.
        names: Names of the classifier's classes.

    Returns:
        Indices, in the order given; `RANDOM` for "random".

    Raises:
        ConfigError: What is asked is none of these, or no class of the classifier.

    Example:
        >>> find_classes([3, "car"], ["plane", "car", "bird", "cat"])
        (3, 1)
    """
    if isinstance(asked, str):
        return parse_classes(asked, names)
    if _is_index(asked):
        return (_index(int(asked), names),)
    listed = isinstance(asked, Sequence | np.ndarray) and not isinstance(asked, bytes)
    items = list(asked) if listed else []
    if not items or not all(isinstance(i, str) or _is_index(i) for i in items):
        raise ConfigError(
            f"classes: expected text such as 'cat,0-4', an index, or a list of names "
            f"and indices, found {shown(asked)}"
        )
    return tuple(
        index
        for item in items
        for index in (
            _one(item.strip(), names)
            if isinstance(item, str)
            else [_index(int(item), names)]
        )
    )


def parse_classes(text: str, names: Sequence[str]) -> tuple[int, ...]:
    """Read a comma-separated list of classes.

    Args:
        text: Items may be names (cat), indices (3), ranges (0-4, both ends included),
            "all", or "random" (drawn anew for each image). Where classes are called by
            numbers that are not their indices, `name:3` and `index:3` tell them apart.
        names: Names of the classifier's classes.

    Returns:
        Indices, in the order given; `RANDOM` for "random".

    Raises:
        ConfigError: An item is no class of the classifier, or may be one of two; near
            matches are offered.

    Example:
        >>> parse_classes("cat, 0-1", ["plane", "car", "bird", "cat"])
        (3, 0, 1)
    """
    # A name may contain commas.
    if text.strip() in names:
        return tuple(_one(text.strip(), names))
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise ConfigError("no classes were given: expected e.g. cat,ship or 0-4 or all")
    return tuple(index for item in items for index in _one(item, names))


def assign_labels(
    targets: Sequence[int], images: int, classes: int, seed: int
) -> np.ndarray:
    """Give each image a class, cycling through the targets.

    Args:
        targets: Classes, as `parse_classes` returns them.
        images: Number of images.
        classes: Number of classes to draw from.
        seed: Seed of the draw.

    Returns:
        Labels (images,), int32.
    """
    labels = np.asarray(targets, np.int32)[np.arange(images) % len(targets)]
    drawn = np.random.default_rng(seed).integers(0, classes, images, np.int32)
    return np.where(labels == RANDOM, drawn, labels)


def _is_index(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _index(index: int, names: Sequence[str]) -> int:
    if not 0 <= index < len(names):
        raise ConfigError(
            f"class {index} is out of range: the classes are 0..{len(names) - 1}"
        )
    return index


def _one(item: str, names: Sequence[str]) -> list[int]:
    kind, colon, rest = item.partition(":")
    if colon and kind in ("name", "index") and item not in names:
        found = _named(rest, names) if kind == "name" else _numbered(rest, names)
        if found is None:
            raise ConfigError(f"{item!r}: there is no class of this {kind}")
        return found
    named, numbered = _named(item, names), _numbered(item, names)
    if numbered is not None and (other := _called_otherwise(numbered, names)):
        raise ConfigError(
            f"{item!r} may be a name or an index, and class {other[0]} is called "
            f"{other[1]!r}: write name:{item} or index:{item} (in Python, a list of "
            "integers for indices)"
        )
    if found := named or numbered:
        return found
    if item == "all":
        return list(range(len(names)))
    if item == "random":
        return [RANDOM]
    lowered = [name.lower() for name in names]
    raise ConfigError(f"unknown class {item!r}{near(item.lower(), lowered)}")


def _named(item: str, names: Sequence[str]) -> list[int] | None:
    item = normalize("NFC", item)
    if item in names:
        return [list(names).index(item)]
    alike = [i for i, name in enumerate(names) if name.lower() == item.lower()]
    if len(alike) > 1:
        found = " and ".join(repr(names[i]) for i in alike)
        raise ConfigError(f"class {item!r} may be {found}: write it as it is")
    return alike or None


def _numbered(item: str, names: Sequence[str]) -> list[int] | None:
    """Indices of a number or a range; None where a text is neither."""
    if not (found := re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", item, re.ASCII)):
        return None
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise ConfigError(f"the range {item} runs backwards: write {high}-{low}")
    if item not in names:
        _index(high, names)
    return [index for index in range(low, high + 1) if index < len(names)]


def _called_otherwise(
    indices: Sequence[int], names: Sequence[str]
) -> tuple[int, str] | None:
    """The first index that is the name of another class, with its own name."""
    for index in indices:
        if str(index) in names and names[index] != str(index):
            return index, names[index]
    return None
