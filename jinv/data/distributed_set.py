"""A set in the files that its authors distribute: CIFAR's, MNIST's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from jinv.data.bundles import Bundle, FolderBundle, TarBundle, is_tar
from jinv.data.cifar import CIFARS
from jinv.data.idx import Idx
from jinv.data.labelled import ArrayImages, check_size
from jinv.data.labels import to_labels
from jinv.data.pictures import to_picture
from jinv.errors import DataError

_SPLITS = ("train", "test")
_TOGETHER = 1000


class Layout(Protocol):
    """How a set lies in its files."""

    @property
    def title(self) -> str:
        """What people call the set."""
        ...

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders where the set may lie as well, below the one that is given."""
        ...

    def is_in(self, bundle: Bundle) -> bool:
        """Whether a bundle's files are of this layout."""
        ...

    def has(self, bundle: Bundle, split: str) -> bool:
        """Whether a bundle has files of a split."""
        ...

    def classes(self, bundle: Bundle) -> tuple[str, ...]:
        """Names of the classes, as far as a bundle tells them."""
        ...

    def load(self, bundle: Bundle, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Load a split: images (n, height, width, channels) uint8 and labels (n,)."""
        ...


LAYOUTS: tuple[Layout, ...] = (*CIFARS, Idx())


class DistributedSet:
    """A layout, and the files that have it."""

    def __init__(self, layout: Layout, bundle: Bundle):
        """Hold a layout and its files, of which nothing is read yet."""
        self._layout, self._bundle = layout, bundle

    @classmethod
    def find(cls, source: str, split: str) -> "DistributedSet | None":
        """Look for a set in a folder, where torchvision leaves them, or in an archive.

        Raises:
            DataError: A folder holds several, or an archive none.
        """
        path = Path(source).expanduser()
        if is_tar(path):
            found = _known(TarBundle(path))
            if not found:
                raise DataError(
                    f"{path} holds no set of a known layout "
                    f"({', '.join(layout.title for layout in LAYOUTS)}): unpack it, "
                    "and give the folder"
                )
        elif path.is_dir() and not any((path / name).is_dir() for name in _SPLITS):
            found = _known(FolderBundle(path)) or [
                cls(layout, bundle)
                for layout in LAYOUTS
                for name in layout.folders
                if layout.is_in(bundle := FolderBundle(path / name))
            ]
        else:
            return None
        if len(found) > 1:
            places = (f"{one._layout.title} in {one._bundle.where}" for one in found)
            raise DataError(
                f"{path} holds several sets: give the folder of one of them "
                f"({', '.join(places)})"
            )
        return found[0] if found else None

    def has(self, split: str) -> bool:
        """Whether there are files of a split."""
        return self._layout.has(self._bundle, split)

    def classes(self, split: str) -> tuple[str, ...] | None:
        """Names of the classes, as the files tell them."""
        return self._layout.classes(self._bundle)

    def load(
        self, split: str, classes: Sequence[str], size: int | None, channels: int
    ) -> ArrayImages:
        """Open a split; see `load_labelled`."""
        where = f"{self._bundle.where} ({self._layout.title})"
        if not self.has(split):
            there = [name for name in _SPLITS if self.has(name)]
            raise DataError(
                f"{where} has no split {split!r}, but {' and '.join(there) or 'none'}"
            )
        images, labels = self._layout.load(self._bundle, split)
        if images.size == 0:
            raise DataError(f"{where} holds no {split} images")
        check_size(where, images, size)
        own: Sequence[str] | None = self._layout.classes(self._bundle)
        if isinstance(self._layout, Idx) and not set(own) <= set(classes):
            own = None  # the digits may be numbers of any classes
        numbers = to_labels(labels, where, classes, own)
        return ArrayImages(_of_channels(images, channels), numbers)


def _known(bundle: Bundle) -> list[DistributedSet]:
    return [DistributedSet(each, bundle) for each in LAYOUTS if each.is_in(bundle)]


def _of_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey images for colour, or the other way round, as folders' are converted."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        # A view: what is read of it becomes a copy.
        return np.broadcast_to(images, (*images.shape[:3], 3))
    grey = np.empty((*images.shape[:3], 1), np.uint8)
    for start in range(0, len(images), _TOGETHER):
        some = images[start : start + _TOGETHER]
        stacked = np.ascontiguousarray(some).reshape(-1, *some.shape[2:])
        grey[start : start + len(some)] = np.asarray(
            to_picture(stacked).convert("L")
        ).reshape(*some.shape[:3], 1)
    return grey
