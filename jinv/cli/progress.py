"""Progress of an inversion, shown while it goes on."""

import time
from datetime import timedelta

from rich.console import Console

from jinv.cli.bar import Bar
from jinv.engine.events import BatchDone, Compiled, Event, Far, Logged

_QUIET_SECONDS = 10.0
"""Time between two lines, where there is no terminal to show a bar on."""


class Progress(Bar):
    """A bar on a terminal; elsewhere, a line now and then."""

    def __init__(self, console: Console):
        """Show where work is told of."""
        super().__init__(console)
        self._lines = not console.is_terminal
        self._spoken = 0.0
        self._first: tuple[float, int] | None = None
        self._text = ""

    def on_event(self, event: Event) -> None:
        """Show what the engine reports."""
        match event:
            case Compiled():
                self.compiled(event)
            case Logged(row=row, far=far):
                self._text = f"loss {row['loss']:.3g}"
                if "top1" in row:
                    self._text += f", teacher {100 * row['top1']:.0f} %"
                if row["batch"] < 0:
                    self._text += ", rehearsing"
                self.show(far, self._text)
                self._say(far)
            case BatchDone(far=far):
                self.show(far, self._text)

    def _say(self, far: Far) -> None:
        if not self._lines:
            return
        now = time.monotonic()
        self._first = self._first or (now, far.done)
        if now - self._spoken >= _QUIET_SECONDS or far.done == far.total:
            self._spoken = now
            self.note(
                f"step {far.done}/{far.total}: {self._text}{self._left(now, far)}"
            )

    def _left(self, now: float, far: Far) -> str:
        """Time remaining, at the pace since the first report."""
        then, before = self._first or (now, far.done)
        if far.done in (before, far.total):
            return ""
        seconds = (now - then) / (far.done - before) * (far.total - far.done)
        return f", about {timedelta(seconds=round(seconds))} left"
