"""Facts in what was read from files, of which any may be missing."""

import math
from collections.abc import Mapping
from typing import Any


def number(tree: Any, *names: str) -> float | None:
    """Find a finite number in nested mappings; None where there is none.

    Args:
        tree: Mapping that was read.
        *names: Names on the way to the number.

    Example:
        >>> number({"budget": {"images": 40000}}, "budget", "images")
        40000
    """
    found = _find(tree, names)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return found if math.isfinite(found) else None


def text(tree: Any, *names: str) -> str:
    """Find a text in nested mappings; empty where there is none.

    Args:
        tree: Mapping that was read.
        *names: Names on the way to the text.

    Example:
        >>> text({"teacher": {"name": "vgg16"}}, "teacher", "name")
        'vgg16'
    """
    found = _find(tree, names)
    return found if isinstance(found, str) else ""


def _find(tree: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree
