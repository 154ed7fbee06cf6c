"""Ctrl-C and SIGTERM as a wish to stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from jinv.errors import STOPPED, Interrupted

_WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal came where work can be left at once: what is on disk is complete."""

    def __init__(self, number: int):
        """Say by which signal the work was stopped."""
        super().__init__(
            f"stopped by {signal.Signals(number).name}; what was done is kept, and the "
            "same command goes on"
        )
        self.exit_status = STOPPED + number


@contextmanager
def signals_that_stop() -> Iterator[None]:
    """Let a first signal end the block by `Stopped`, and a second one the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Stopped(number)

    before = _handle(stop)
    try:
        yield
    finally:
        _restore(before)


class Stop:
    """Notes a signal instead of ending at once; a second one does.

    A context manager: afterwards, signals do again what they did before, and work that
    was interrupted for a signal ends with the exit status of that.
    """

    def __init__(self) -> None:
        """Note signals from now on."""
        self.signal = 0
        self._before = _handle(self._note)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, *_: object) -> None:
        _restore(self._before)
        if isinstance(error, Interrupted):
            error.exit_status = self.exit_status

    def requested(self) -> bool:
        """Whether a signal came."""
        return self.signal != 0

    @property
    def exit_status(self) -> int:
        """Exit status that a shell expects of a program that a signal ended."""
        return STOPPED + self.signal

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, signal.SIG_DFL)


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Set a handler; returns those before. Only a main thread can, and is told."""
    try:
        return {number: signal.signal(number, handler) for number in _WATCHED}
    except ValueError:
        return {}


def _restore(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
