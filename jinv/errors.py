"""The errors that a user can cause or meet, and the exit status of each accident."""

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
