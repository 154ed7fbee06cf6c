"""What time goes into: compiling, or computing."""

import time

from jinv.engine.notes import Notes


class Clock:
    """Adds to the bill in a run's notes; what others do meanwhile counts as running."""

    def __init__(self, now: Notes):
        """Keep the bill in these notes."""
        self._now = now
        self._mark: tuple[float, int] | None = None
        """When the last lap ended, and the passes then."""

    def start(self) -> None:
        """Begin the first lap, unless one has begun."""
        self._mark = self._mark or (time.monotonic(), self._now.passes)

    def compiled(self, seconds: float) -> None:
        """Take note of seconds that compiling took; they are in no lap."""
        self._now.compiling += seconds
        if self._mark is not None:
            self._mark = (self._mark[0] + seconds, self._mark[1])

    def lap(self) -> float:
        """End a lap; returns how many images a second the teacher saw during it."""
        assert self._mark is not None
        (began, before), now = self._mark, time.monotonic()
        self._mark = (now, self._now.passes)
        self._now.running += now - began
        return (self._now.passes - before) / max(now - began, 1e-9)
