"""Zip archives of arrays, which expand to no more than was foreseen.

A zip file of six megabytes may claim six gigabytes. PyTorch's archives are stored as
they are, and NumPy's rarely shrink to a tenth.
"""

import math
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

EXPANSION = 20
"""How often what is compressed may expand to its own size, and 16 MiB."""
TORN = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    ArithmeticError,
    SyntaxError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a .npz file raises that is torn, or was made to mislead."""
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def most_expanded(size: int) -> int:
    """Bytes to which an archive of so many bytes may expand."""
    return EXPANSION * size + 2**24


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file that expands to at most 20 times its size and 16 MiB.

    Raises:
        ValueError: The file claims to expand to more.
    """
    with zipfile.ZipFile(path) as archive:
        if any(e.compress_type not in _COMPRESSIONS for e in archive.infolist()):
            raise ValueError("it is compressed in a way that NumPy and PyTorch are not")
        claimed = sum(entry.file_size for entry in archive.infolist())
        allowed = most_expanded(path.stat().st_size)
        if claimed > allowed:
            raise ValueError(
                f"it claims to expand to {claimed:,} bytes, more than the {allowed:,} "
                "that an archive of its size may: save it uncompressed"
            )
        yield archive


def names_in_npz(path: Path) -> list[str]:
    """The names of the arrays in a .npz file.

    Raises:
        ValueError: The file claims to expand to more than `open_archive` lets it.
    """
    with open_archive(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_npz(
    path: Path, names: Collection[str] | None = None, text: bool = False
) -> dict[str, np.ndarray]:
    """Read a .npz file of numbers.

    Args:
        path: Path of the file.
        names: Names of the arrays wanted; by default all.
        text: Whether arrays of text are read too.

    Raises:
        ValueError: The file holds anything else, or not what it claims to hold.
    """
    kinds = "biufUS" if text else "biuf"
    with open_archive(path) as archive:
        return {
            name: _read_array(archive, entry, kinds)
            for entry in archive.infolist()
            if (name := entry.filename.removesuffix(".npy")) in (names or [name])
        }


def _read_array(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, kinds: str
) -> np.ndarray:
    with archive.open(entry) as file:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"{entry.filename} is of an unknown format")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how Python 2 wrote headers
            shape, fortran, dtype = read[version](file)
        if dtype.kind not in kinds:
            plain = "numbers or text" if "U" in kinds else "numbers"
            raise ValueError(f"{entry.filename} holds {dtype}, not plain {plain}")
        size = math.prod(shape) * dtype.itemsize
        if size != entry.file_size - file.tell():
            raise ValueError(f"{entry.filename} has not the bytes that its shape needs")
        data = np.frombuffer(file.read(), dtype)
    return data.reshape(shape, order="F" if fortran else "C")
