"""The arrays of a file by the names that an architecture may look for."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jinv.formats.trees import Arrays
from jinv.models.weights.state_dict import (
    KERNEL,
    canonical_key,
    kernel_to_torch,
    parts_of,
    torch_words,
)

_OPTIMIZERS = re.compile(
    r"(^|/)(tx|opt(im(i[sz]ers?)?)?(_?states?)?(_dict)?)(/|$)", re.I
)
_COLLECTIONS = ("params", "batch_stats")


class MaskedWeight(NamedTuple):
    """A weight as `torch.nn.utils.prune` keeps it: what it was, and a mask."""

    original: np.ndarray
    mask: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return self.original.shape


class Entry(NamedTuple):
    """An array of a file.

    Attributes:
        value: Array, in PyTorch's layout.
        container: Path of its container.
        origin: Path in the file, for messages.
    """

    value: Any
    container: str
    origin: str

    @property
    def folder(self) -> str:
        """Path where the array lies, also if a flat file writes that into its key."""
        return self.origin.rpartition("/")[0]


class Entries(NamedTuple):
    """The arrays of a file by their names in full, in PyTorch's and our words.

    Attributes:
        by_name: Entries, one for each name.
        twice: Other entries of the same names.
    """

    by_name: dict[str, Entry]
    twice: dict[str, list[Entry]]


def entries_of(groups: Mapping[str, Arrays], aliases: Mapping[str, str]) -> Entries:
    """Collect the arrays of a file's containers, but for those of optimizers.

    Where a layer's numbers are called as Flax calls them, they are brought into the
    names and layout of PyTorch.
    """
    found = [
        Entry(value, container, f"{container}/{key}" if container else key)
        for container, arrays in groups.items()
        for key, value in arrays.items()
    ]
    linen = any(parts_of(entry.origin)[-1:] == [KERNEL] for entry in found)
    found = [entry for entry in found if not _OPTIMIZERS.search(entry.folder)]
    named = _from_linen(found) if linen else [(parts_of(e.origin), e) for e in found]
    entries = Entries({}, {})
    for parts, entry in named:
        name = canonical_key(".".join(parts), aliases)
        if entries.by_name.setdefault(name, entry) is not entry:
            entries.twice.setdefault(name, []).append(entry)
    _multiply_out(entries.by_name)
    return entries


def _from_linen(found: list[Entry]) -> list[tuple[Sequence[str], Entry]]:
    """The names and layout in PyTorch of what may be variables of Flax."""
    names = []
    for entry in found:
        *place, leaf = parts_of(entry.origin)
        # Both collections of a network's variables begin alike, then.
        place = [_COLLECTIONS[0] if part in _COLLECTIONS else part for part in place]
        names.append((*place, leaf))
    words = torch_words(names)
    return [
        (words[name], _laid_out(entry) if name[-1] == KERNEL else entry)
        for name, entry in zip(names, found, strict=True)
    ]


def _laid_out(kernel: Entry) -> Entry:
    if not isinstance(kernel.value, np.ndarray):
        return kernel
    return kernel._replace(value=kernel_to_torch(kernel.value))


def _multiply_out(by_name: dict[str, Entry]) -> None:
    for name in [name for name in by_name if name.endswith("_mask")]:
        plain = name.removesuffix("_mask")
        original = by_name.get(f"{plain}_orig")
        if original is not None and plain not in by_name:
            pair = MaskedWeight(original.value, by_name[name].value)
            if all(isinstance(part, np.ndarray) for part in pair):
                by_name[plain] = original._replace(value=pair)
                del by_name[name], by_name[f"{plain}_orig"]


def same(one: Any, other: Any) -> bool:
    """Whether two values of entries hold the same numbers."""
    if isinstance(one, MaskedWeight) and isinstance(other, MaskedWeight):
        return same(one.original, other.original) and same(one.mask, other.mask)
    arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    return one is other or (arrays and np.array_equal(one, other))
