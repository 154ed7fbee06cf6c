"""The few files of a set as it is distributed: in a folder, or still in a tar archive.

An archive is read from its beginning to its end, and nothing of it is written to disk.
"""

import tarfile
import zlib
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from jinv.errors import DataError
from jinv.formats.archives import EXPANSION, most_expanded

MOST_BYTES = 2**28
"""Most bytes of one file; the largest of CIFAR's has 148 MiB."""
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_TORN = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error)


class Bundle(Protocol):
    """Files of one folder, by their names.

    Attributes:
        where: What errors call the folder.
        names: Names of all its files.
    """

    where: str
    names: frozenset[str]

    def read(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield names and contents of these files, in the bundle's own order.

        Raises:
            DataError: A file cannot be read, or has more than `MOST_BYTES`.
        """
        ...


class FolderBundle:
    """The files in a folder."""

    def __init__(self, folder: Path):
        """List the files of a folder; what is no folder has none."""
        self.where, self._folder = str(folder), folder
        entries = folder.iterdir() if folder.is_dir() else ()
        self.names = frozenset(entry.name for entry in entries if entry.is_file())

    def read(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield names and contents of these files, in the order asked for."""
        for name in wanted:
            path = self._folder / name
            try:
                _check_size(str(path), path.stat().st_size)
                content = path.read_bytes()
            except OSError as error:
                raise DataError(
                    f"cannot read {path}: {error.strerror or error}"
                ) from error
            yield name, content


class TarBundle:
    """The files in a tar archive, whichever folder they lie in there."""

    def __init__(self, path: Path):
        """List the files of an archive."""
        self.where, self._path = str(path), path
        status = path.stat()
        self.names = _names_in_tar(path, status.st_size, status.st_mtime_ns)

    def read(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield names and contents of these files, in the archive's order."""
        left = set(wanted)
        # In one go: to go back in a compressed file is to begin anew.
        for name, content in _files_of_tar(self._path, left):
            if name in left:
                yield name, content
                left.discard(name)
            if not left:
                return


def is_tar(path: Path) -> bool:
    """Whether a file is called like a tar archive."""
    return path.name.lower().endswith(_SUFFIXES) and path.is_file()


@lru_cache(maxsize=8)
def _names_in_tar(path: Path, size: int, changed: int) -> frozenset[str]:
    return frozenset(name for name, _ in _files_of_tar(path, ()))


def _files_of_tar(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Names of the files in an archive; contents of those that are wanted."""
    allowed = most_expanded(path.stat().st_size)
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                allowed -= member.size
                if allowed < 0:
                    raise DataError(
                        f"{path} claims to expand to more than {EXPANSION} times its "
                        "size: unpack it yourself if you trust it, and give the folder"
                    )
                # A sparse file's data are elsewhere than its size says.
                if not member.isreg() or member.issparse():
                    continue
                name, content = member.name.rpartition("/")[2], b""
                if name in wanted:
                    _check_size(f"{path}: {member.name[-200:]}", member.size)
                    file = archive.extractfile(member)
                    content = file.read() if file else b""
                    if len(content) != member.size:
                        raise EOFError(f"{name[:80]} ends early")
                yield name, content
    except _TORN as error:
        raise DataError(
            f"{path} cannot be read as a tar archive: "
            f"{' '.join(str(error).split())}; download it anew"
        ) from error


def _check_size(where: str, size: int) -> None:
    if size > MOST_BYTES:
        raise DataError(
            f"{where} has {size:,} bytes, more than the {MOST_BYTES:,} that a file of "
            "such a set may have"
        )
