"""The containers of a file's arrays, by the path that leads to each.

Whatever a file is made of, dictionaries in dictionaries, lists, pickled modules or
objects that only stand for something, its arrays become flat dictionaries, one for each
place in the file that has some.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jinv.formats.inert import Inert
from jinv.formats.pickled_arrays import Draft, Refused

Arrays = dict[str, np.ndarray | Inert]
"""Arrays by their key, and what could not be read in the place of an array."""

_MOST_VISITS = 4
"""How often a container is met in different places: exponentially many lead to some."""
_DEEPEST = 64
_LONGEST_KEY = 1000
_MOST_TEXT = 2**23
"""Letters of all paths together; short files may write long ones again and again."""
_OF_MODULES = ("_parameters", "_buffers", "_modules")


def containers(tree: Any) -> dict[str, Arrays]:
    """The arrays below a node, by container, nearest first.

    Returns:
        By path, with slashes ("" is the node itself), the arrays that lie there. The
        parameters and buffers of a pickled module lie at the module's own path.

    Raises:
        pickle.UnpicklingError: An array was begun and not finished, or the paths are
            longer than those of any network.

    Example:
        >>> found = containers({"epoch": 3, "net": {"fc.bias": np.zeros(2)}})
        >>> {path: list(arrays) for path, arrays in found.items()}
        {'net': ['fc.bias']}
    """
    groups: dict[tuple[str, ...], Arrays] = {}
    visits: Counter[int] = Counter()
    left = _MOST_TEXT
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), tree)])
    while waiting:
        path, node = waiting.popleft()
        visits[id(node)] += 1
        if visits[id(node)] > _MOST_VISITS:
            continue
        length = sum(len(part) + 1 for part in path)
        for name, child in _children(node):
            place = path if name is None else (*path, name)
            value = child.finished() if isinstance(child, Draft) else child
            if _is_container(value):
                if len(place) <= _DEEPEST:
                    waiting.append((place, value))
                    left -= len(place)
            elif name is not None and isinstance(value, np.ndarray | Inert):
                groups.setdefault(path, {})[name] = value
                left -= length + len(name)
            if left < 0:
                raise Refused("its names are longer than those of weights can be")
    return {
        "/".join(path): arrays
        for path, arrays in groups.items()
        if any(isinstance(value, np.ndarray) for value in arrays.values())
    }


def _is_container(value: Any) -> bool:
    kept = isinstance(value, Inert) and any(value.contents())
    return kept or isinstance(value, Mapping | list | tuple)


def _children(node: Any) -> Iterator[tuple[str | None, Any]]:
    """What a container holds, by name; without one, what lies at its own path."""
    if isinstance(node, Inert):
        for state in node.contents():
            parts = [state[part] for part in _OF_MODULES if part in state]
            yield from ((None, part) for part in parts or [state])
    elif isinstance(node, Mapping):
        for key, value in node.items():
            name = str(key)
            if name and len(name) <= _LONGEST_KEY and name.isprintable():
                yield name, value
    elif isinstance(node, list | tuple):
        yield from ((str(index), value) for index, value in enumerate(node))


def first_inert(tree: Any) -> str:
    """The name of the inert object that a node is, or holds; empty without one."""
    values = tree.values() if isinstance(tree, Mapping) else [tree]
    names = (value.name for value in values if isinstance(value, Inert))
    return next(names, "")
