"""MNIST's files, and those of sets that look like it (Fashion-MNIST, KMNIST).

LeCun et al.; http://yann.lecun.com/exdb/mnist. After two zeros a file says what its
numbers are (8 for bytes) and how many axes it has, then the length of each (32 bits,
high byte first).
"""

import gzip
import io
import math
import zlib

import numpy as np

from jinv.data.bundles import Bundle
from jinv.errors import DataError
from jinv.formats.archives import most_expanded

_PREFIXES = {"train": "train", "test": "t10k"}
_BYTES = 8
_GZIP = b"\x1f\x8b"


class Idx:
    """MNIST or a set like it: its files do not tell what its ten classes are."""

    title = "MNIST (idx)"
    folders = ("MNIST/raw", "FashionMNIST/raw", "KMNIST/raw", "raw")

    def is_in(self, bundle: Bundle) -> bool:
        """Whether images of any split are in a bundle."""
        return any(self.has(bundle, split) for split in _PREFIXES)

    def has(self, bundle: Bundle, split: str) -> bool:
        """Whether images of a split are in a bundle."""
        return _file(bundle, split, "images", 3) is not None

    def classes(self, bundle: Bundle) -> tuple[str, ...]:
        """Names of the classes: digits, whatever they stand for."""
        return tuple("0123456789")

    def load(self, bundle: Bundle, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Load a split: images (n, height, width, 1) uint8 and labels (n,)."""
        images, labels = (
            self._array(bundle, split, what, axes)
            for what, axes in (("images", 3), ("labels", 1))
        )
        if len(images) != len(labels):
            raise DataError(
                f"{bundle.where}: {len(images)} {split} images have {len(labels)} "
                "labels: download the set anew"
            )
        return images[..., None], labels

    def _array(self, bundle: Bundle, split: str, what: str, axes: int) -> np.ndarray:
        name = _file(bundle, split, what, axes)
        if name is None:
            raise DataError(
                f"{bundle.where} lacks {_PREFIXES[split]}-{what}-idx{axes}-ubyte of "
                f"{self.title}: download the set anew"
            )
        ((_, content),) = bundle.read((name,))
        try:
            return read_idx(content, axes)
        except (ValueError, EOFError, OSError, zlib.error) as error:
            raise DataError(
                f"{bundle.where}: {name} is no file of {self.title}, or torn: {error}; "
                "download the set anew"
            ) from error


def read_idx(content: bytes, axes: int) -> np.ndarray:
    """An array of bytes from a file's content, packed by gzip or not.

    Args:
        content: Content of the file.
        axes: Number of axes that the array must have.

    Raises:
        ValueError: The content is something else, or longer or shorter than it says.
    """
    # A browser may have unpacked a file and left its name.
    packed = content[:2] == _GZIP
    file = gzip.open(io.BytesIO(content)) if packed else io.BytesIO(content)
    head = file.read(4)
    if head != bytes((0, 0, _BYTES, axes)):
        raise ValueError(f"it begins with {head.hex(' ')}, not 00 00 08 0{axes}")
    lengths = file.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise ValueError("it ends within its head")
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    size = math.prod(shape)
    # Asked before it is given memory: a few packed bytes may claim gigabytes.
    allowed = most_expanded(len(content)) if packed else len(content)
    if size > allowed:
        raise ValueError(f"it claims {size:,} bytes of data, and cannot hold them")
    data = file.read(size + 1)
    if len(data) != size:
        more = "more" if len(data) > size else f"{len(data):,}"
        raise ValueError(f"it claims {size:,} bytes of data, and holds {more}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _file(bundle: Bundle, split: str, what: str, axes: int) -> str | None:
    if split not in _PREFIXES:
        return None
    names = (
        f"{_PREFIXES[split]}-{what}{dot}idx{axes}-ubyte{suffix}"
        for suffix in ("", ".gz")
        for dot in "-."
    )
    return next((name for name in names if name in bundle.names), None)
