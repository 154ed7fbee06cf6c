"""Processes that share what was imported, so that each trial is quick."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

PATIENCE = 180  # seconds that a command may take


def fork(act: Callable[[], int | None]) -> int:
    """Act in a process of its own, and return its number."""
    if number := os.fork():
        return number
    status = 70
    try:
        signal.alarm(PATIENCE)  # ends a process that hangs
        status = act() or 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(number: int, meanwhile: Callable[[], Any] | None = None) -> int:
    """The exit status of a process; if it stops, act before it goes on."""
    _, status = os.waitpid(number, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        try:
            if meanwhile:
                meanwhile()
        finally:
            os.kill(number, signal.SIGCONT)
        _, status = os.waitpid(number, 0)
    return os.waitstatus_to_exitcode(status)
