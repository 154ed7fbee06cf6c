"""The errors that a user can cause, and can mend."""


class JinvError(Exception):
    """An error with a message meant for the person at the keyboard.

    The message says what was expected, what came, and what to do. The command line
    prints it on one line and exits with status 2.
    """


class ConfigError(JinvError):
    """A setting that cannot work, found before anything was computed."""


class WeightsError(JinvError):
    """Weights that are missing, unreadable, or belong to another architecture."""


class DataError(JinvError):
    """A data set that is missing, unreadable, or not of the expected form."""


class RunFolderError(JinvError):
    """An output folder that holds something other than what was expected."""
