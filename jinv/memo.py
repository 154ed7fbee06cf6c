"""Memory of what was made once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")

_MOST = 32
"""A program takes some 20 MiB, and a search has many that serve once."""


class Memo:
    """Values by what they were made from; of many, those that were used last."""

    def __init__(self, most: int = _MOST):
        """Keep so many values at most."""
        self._most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Look up the value for a key, and make it where it is not there.

        Args:
            key: All that the value depends on. Where a part of it cannot be hashed, the
                value is made anew each time.
            make: Makes the value; what it raises is passed on, and nothing is kept.

        Example:
            >>> memo = Memo()
            >>> memo.get("x", lambda: 1), memo.get("x", lambda: 2)
            (1, 1)
        """
        try:
            hash(key)
        except TypeError:
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]
