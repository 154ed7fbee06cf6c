"""Folders in which Orbax keeps a tree of arrays."""

import logging
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jinv.formats.archives import most_expanded

_MARK = "_METADATA"


def orbax_folder(path: Path) -> Path | None:
    """Find the folder of a tree: this one, or the only one below, as managers make."""
    if (path / _MARK).is_file():
        return path
    for pattern in ("*", "*/*"):
        found = sorted(place.parent for place in path.glob(f"{pattern}/{_MARK}"))
        if len(found) > 1:
            names = ", ".join(str(place.relative_to(path)) for place in found[:3])
            raise ValueError(f"it has several checkpoints of Orbax: pass one ({names})")
        if found:
            return found[0]
    return None


def read_orbax(path: Path) -> Any:
    """Read the arrays of a folder of Orbax's.

    Raises:
        ValueError: The arrays claim to be larger than the files can make them.
        Exception: Orbax could not read it.
    """
    import orbax.checkpoint as orbax

    # It tells everybody whose devices wrote the folder.
    logging.getLogger("absl").setLevel(logging.ERROR)
    reader = orbax.PyTreeCheckpointer()
    described: Any = reader.metadata(path.absolute())
    tree = described.item_metadata.tree
    leaves = jax.tree.leaves(tree, is_leaf=_is_described)
    claimed = sum(_size(leaf) for leaf in leaves)
    held = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    if claimed > most_expanded(held):  # they are compressed
        raise ValueError(
            f"it claims to expand to {claimed:,} bytes, more than a folder of its size "
            "may"
        )
    arguments = jax.tree.map(
        lambda _: orbax.RestoreArgs(restore_type=np.ndarray),
        tree,
        is_leaf=_is_described,
    )
    return reader.restore(path.absolute(), restore_args=arguments)


def _is_described(node: Any) -> bool:
    return hasattr(node, "dtype") or hasattr(node, "shape")


def _size(leaf: Any) -> int:
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    return math.prod(shape) * np.dtype(dtype).itemsize if shape and dtype else 8
