"""The errors that a user can cause or meet, and the exit status of each accident."""

import errno

STOPPED = 128
"""A shell expects of a program that a signal ended: this and the signal's number."""


class JinvError(Exception):
    """An error with a message meant for the person at the keyboard.

    The message says what was expected, what came, and what to do. The command line
    prints it on one line and ends with `exit_status`.
    """

    exit_status = 2


class ConfigError(JinvError):
    """A setting that cannot work, found before anything was computed."""


class ValueRefused(ConfigError):
    """A value that is not what its annotation says.

    Attributes:
        expected: Expected value in words, after the value's name.
        found: Found value in words.
        owner: Class whose field it is, if it is one.
    """

    owner: type | None = None

    def __init__(self, expected: str, found: str):
        """Say what was expected, and what came."""
        super().__init__(f"{expected}, found {found}")
        self.expected, self.found = expected, found


class WeightsError(JinvError):
    """Weights that are missing, unreadable, or belong to another architecture."""


class DataError(JinvError):
    """A data set that is missing, unreadable, or not of the expected form."""


class FolderError(JinvError):
    """An output folder that is taken, holds something else, or cannot be written."""


class Diverged(JinvError):
    """The loss became NaN or infinite; what was finite is kept."""

    exit_status = 1


class Interrupted(JinvError):
    """Work was asked to stop, and did, after saving what it had."""

    exit_status = STOPPED + 2


class JinvWarning(UserWarning):
    """Something that a person should know, though the work goes on.

    Raised by `warnings.warn`; the command line prints it on one line.
    """


def explain(error: OSError) -> str:
    """Explain what the system refused, on one line: path, reason, and what to do."""
    path = error.filename if error.filename is not None else "the system"
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    reason = error.strerror or str(error) or type(error).__name__
    return f"{path}: {reason}; {_ADVICE.get(error.errno or 0, _OTHERWISE)}"


_ROOM = "make room, then give the same command again: what was done is kept"
_PERMISSION = "choose a place where you may write (--out), or a file you may read"
_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EROFS: _PERMISSION,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.ENOENT: "was it removed meanwhile? The same command begins it again",
    errno.ENOTDIR: "a file lies where a folder is needed: choose another --out",
    errno.EEXIST: "something else lies there: choose another --out",
    errno.EISDIR: "a folder lies where a file is needed: choose another --out",
    errno.ENOTEMPTY: "something else lies there: choose another --out",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "links lead in a circle, or may not be followed there: remove them",
    errno.ENOMEM: "there is too little memory: take a smaller --batch-size",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
}
_OTHERWISE = "see to it, then give the same command again: what was done is kept"
