"""Locks: files by which processes tell each other that they are at work.

The system lets go of a lock when its process ends, however it ends, so a killed one
leaves nothing that has to be cleared away. Where a file system or a platform has no
locks, work goes on without them.
"""

import errno
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

fcntl: Any
try:
    import fcntl
except ModuleNotFoundError:  # on Windows
    fcntl = None

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_POLL = 0.05  # seconds


class Busy(Exception):
    """Another process holds the lock; the message says which, if it can be known."""


class Lock:
    """A lock that is held, alone or with others, until it is released."""

    def __init__(self, path: Path, *, shared: bool = False, wait: float = 0.0):
        """Take a lock, alone or with others.

        Args:
            path: The file; made if missing, and removed by whoever releases it last.
            shared: Whether to hold it together with others that share it.
            wait: Seconds to wait for those who hold it.

        Raises:
            Busy: Somebody holds it still.
            OSError: The file cannot be made.
        """
        self._path, self._shared = path, shared
        deadline = time.monotonic() + wait
        while (descriptor := self._attempt()) is None:
            if time.monotonic() >= deadline:
                raise Busy(_holder(path))
            time.sleep(_POLL)
        self._descriptor: int | None = descriptor
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def alone(self) -> bool:
        """Hold the lock alone from now on, if nobody shares it; says whether so."""
        if self._descriptor is None:
            return False
        if self._shared:
            self._shared = not _flock(self._descriptor, shared=False)
            if self._shared:
                self._share_again()
        return not self._shared

    def share(self) -> None:
        """Let others share the lock from now on."""
        if self._descriptor is None or self._shared:
            return
        self._shared = True
        if not _flock(self._descriptor, shared=True):
            self._share_again()

    def release(self) -> None:
        """Let go of the lock; it is no error to do so twice."""
        if self._descriptor is None:
            return
        if not self._shared or _flock(self._descriptor, shared=False):
            # Held while it is removed, so nobody can have taken it meanwhile.
            with suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None

    def _share_again(self) -> None:
        """Take a shared lock anew, where asking for another has cost it.

        A lock changes its kind by being given up first; if then somebody else is
        quicker, it is lost, and he may have removed the file.
        """
        held, self._descriptor = self._descriptor, None
        if held is not None:
            os.close(held)
        while (descriptor := self._attempt()) is None:
            time.sleep(_POLL)
        self._descriptor = descriptor

    def _attempt(self) -> int | None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self._path, flags, 0o666)
        try:
            if _flock(descriptor, self._shared) and self._is_current(descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file was not removed between its opening and its locking."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(descriptor))
        except FileNotFoundError:
            return False


def _flock(descriptor: int, shared: bool) -> bool:
    """Lock an open file without waiting; says whether that succeeded."""
    if fcntl is None:
        return True
    wish = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, wish | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return True


def _holder(path: Path) -> str:
    """Who holds a lock, as he wrote into it."""
    try:
        number, host = path.read_text("utf-8").split()
    except (OSError, ValueError):
        return "another process"
    here = host == socket.gethostname()
    return f"process {number}" + ("" if here else f" on {host}")
