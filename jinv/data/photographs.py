"""Photographs: image files of any sizes, without labels."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from jinv.data.labelled import LabelledImages
from jinv.data.pictures import SUFFIXES, read_image
from jinv.data.sets import has_split, open_labelled
from jinv.errors import ConfigError, DataError

_ANY = [str(number) for number in range(100_000)]
"""Names for classes that nobody will ask for."""


def photographs_in(given: Sequence[Path]) -> list[Path]:
    """List the image files that are given, those of folders by name.

    Raises:
        DataError: There are none, or a path does not exist.
    """
    found: list[Path] = []
    for path in (path.expanduser() for path in given):
        if path.is_dir():
            found += _photographs_of(path)
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"{path} does not exist: give photographs, or a folder")
    if not given:
        raise DataError("no photographs are given: expected files or folders of files")
    if not found:
        raise DataError(
            f"{', '.join(map(str, given))}: expected photographs, files or folders of "
            "files, found none"
        )
    return found


def _photographs_of(folder: Path) -> list[Path]:
    shown = (each for each in folder.iterdir() if not each.name.startswith("."))
    files = (each for each in shown if each.is_file())  # no dead links
    return sorted(each for each in files if each.suffix.lower() in SUFFIXES)


def names_of(paths: Sequence[Path]) -> list[str]:
    """Name photographs by their files, so that no two are called alike.

    Those that would be have their folders' names too, as many as it takes; and the same
    file a number when it comes again.

    Example:
        >>> names_of([Path("cats/1.png"), Path("dogs/1.png"), Path("dogs/2.png")])
        ['cats 1.png', 'dogs 1.png', '2']
    """
    parts = [path.absolute().parts for path in paths]
    folders = [0] * len(paths)

    def named(index: int) -> str:
        above = folders[index]
        return " ".join(parts[index][-above - 1 :]) if above else paths[index].stem

    while True:
        names = [named(index) for index in range(len(paths))]
        alike = Counter(names)
        more = [
            index
            for index, name in enumerate(names)
            if alike[name] > 1 and folders[index] + 2 < len(parts[index])
        ]
        if not more:
            break
        for index in more:
            folders[index] += 1
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[index] = f"{name} ({seen[name]})"
    return names


def named(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Give so many photographs their names; by default numbers.

    Raises:
        ConfigError: There are more or fewer names.
    """
    found = tuple(names or (f"photograph {number}" for number in range(count)))
    if len(found) != count:
        raise ConfigError(f"{len(found)} names for {count} photographs")
    return found


class _Images(Sequence[np.ndarray], ABC):
    """Images of any sizes, read when they are asked for."""

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Read an image (height, width, channels), uint8."""

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index):
        """Read an image (height, width, channels), uint8, or several."""
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        return self.read(index)


class Photographs(_Images):
    """Photographs of any sizes, decoded when they are asked for."""

    def __init__(
        self,
        given: Sequence[Path],
        channels: int | None = 3,
        fit: Callable[[Image.Image], Image.Image] | None = None,
    ):
        """List files and folders of files.

        Args:
            given: Files, and folders of files.
            channels: 3 for RGB, 1 for grey images; None for what each is.
            fit: (picture) → picture, in the size wanted; by default they stay as
                they are.

        Raises:
            DataError: There are none, or a path does not exist.
        """
        self.files = photographs_in(given)
        self._mode = {None: None, 1: "L"}.get(channels, "RGB")
        self._fit = fit

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> np.ndarray:
        """Read an image (height, width, channels), uint8."""
        image = read_image(self.files[index])
        image = image.convert(self._mode) if self._mode else image
        image = self._fit(image) if self._fit else image
        return np.asarray(image).reshape(image.height, image.width, -1)


class Unlabelled(_Images):
    """The images of a labelled set, one by one, each of its own size."""

    def __init__(self, data: LabelledImages):
        """Leave the labels of a set aside."""
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def read(self, index: int) -> np.ndarray:
        """Read an image (height, width, channels), uint8."""
        return self._data.read(np.array([index]))[0][0]


def unlabelled_images(source: str, split: str = "train") -> Sequence[np.ndarray]:
    """Open images of which only the pixels count.

    Args:
        source: A photograph, a folder of photographs of any sizes, or a labelled set,
            see `load_labelled`.
        split: Split of a labelled set.

    Returns:
        Images (height, width, channels), uint8, read when they are asked for.

    Raises:
        DataError: There are none.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() in SUFFIXES:
        return Photographs([path])
    # A labelled set may have pictures beside it, such as an overview.
    if path.is_dir() and not _labelled(path, split) and _photographs_of(path):
        return Photographs([path])
    try:
        _, data = open_labelled(source, split, _ANY, None, 3)
    except DataError:
        # Arrays may be grey; whatever else is wrong with a set is wrong again.
        _, data = open_labelled(source, split, _ANY, None, 1)
    return Unlabelled(data)


def _labelled(folder: Path, split: str) -> bool:
    try:
        return has_split(folder, split)
    except DataError:
        return False
