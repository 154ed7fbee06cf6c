"""Ctrl-C and SIGTERM as a wish to stop."""

import signal
from types import FrameType
from typing import Self


class Stop:
    """Notes a signal instead of dying of it; a second one stops at once.

    A context manager: afterwards, signals do again what they did before.
    """

    def __init__(self) -> None:
        """Note signals from now on."""
        self.signal = 0
        watched = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._note) for number in watched}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def requested(self) -> bool:
        """Whether a signal came."""
        return self.signal != 0

    @property
    def exit_status(self) -> int:
        """What a shell expects of a program that a signal ended."""
        return 128 + self.signal

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, signal.SIG_DFL)
