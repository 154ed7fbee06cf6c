"""Files that are there whole or not at all, whatever happens while they are written.

A file is written under a name of its own beside its place, brought to the disk, and
renamed. Those names cannot be guessed, so nobody can lay a link there beforehand, and
processes that have the same number, as in two containers, do not meet. What a killed
process leaves is known by its name, `is_leftover`.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jinv.json_text import parse_json

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.(partial|removed)")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a file beside `path`, which takes its place when the block succeeds.

    Args:
        path: Path of the file to write or to replace.

    Yields:
        Path to write to: an empty file.

    Raises:
        OSError: The file cannot be written; the error names `path`.
    """
    partial = _beside(path, "partial")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(partial, flags, 0o666)
        mode = os.fstat(descriptor).st_mode & 0o777
        os.close(descriptor)
        yield partial
        # Some libraries write to a private file of their own, and rename it.
        os.chmod(partial, mode)
        _sync(partial)
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that people can read."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def new_folder(path: Path) -> Path:
    """Make a folder beside `path` to be filled, and renamed to it when it is complete.

    Whoever removes what is left of killed processes removes it as well.
    """
    folder = _beside(path, "partial")
    folder.mkdir()
    return folder


def remove(path: Path) -> None:
    """Remove a file, a link or a folder: at once under its name, then from the disk.

    A folder that is half removed under its own name could be taken for a whole one. It
    is no error if there is none.
    """
    doomed = _beside(path, "removed")
    try:
        os.replace(path, doomed)
    except FileNotFoundError:
        return
    _erase(doomed)


def sweep(folder: Path, depth: int = 1) -> None:
    """Remove what killed processes left of their temporary files.

    Args:
        folder: Folder to which nobody else may be writing.
        depth: Depth of the folders below it to look into.
    """
    for entry in list(folder.iterdir()):
        if is_leftover(entry.name):
            _erase(entry)
        elif depth and entry.is_dir() and not entry.is_symlink():
            sweep(entry, depth - 1)


def is_leftover(name: str) -> bool:
    """Whether a name is one that `replacing` gives to what is not complete."""
    return _LEFTOVER.fullmatch(name) is not None


class JsonLines:
    """A log of one JSON object to a line, which may lose its end but not its sense."""

    def __init__(
        self,
        path: Path,
        read: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row,
    ):
        """Look at a log, which need not exist.

        Args:
            path: Path of the file.
            read: Function of each row that was read; the rows are what it makes.
        """
        self._path, self._read = path, read

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row at the end of the log."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """All rows that can be read; a power loss may have torn the last ones."""
        try:
            text = self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return []
        return [self._read(row) for line in text.splitlines() if (row := _object(line))]

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop the rows that are not wanted, and what cannot be read."""
        kept = (json.dumps(row) + "\n" for row in self.rows() if wanted(row))
        with replacing(self._path) as partial:
            partial.write_text("".join(kept), "utf-8")


def _beside(path: Path, state: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.{state}")


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # where folders cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems cannot, and need not.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = parse_json(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
