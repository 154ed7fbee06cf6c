"""A bar that shows on a terminal how far work is."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Columns
from rich.text import Text

from jinv.engine.events import Compiled, Far
from jinv.folders import Held

_QUIET_SECONDS = 10.0
"""Time between two lines, where there is no terminal to show a bar on."""


class Bar(Held):
    """A text, the steps done of all, and the time left; nothing if no terminal."""

    def __init__(self, console: Console, text: str = "compiling"):
        """Show a bar, empty so far."""
        self._console = console
        self._columns = Columns(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._columns.add_task(text, total=None)
        self._begun: int | None = None
        self._spoken = 0.0
        self._first: tuple[float, int] | None = None
        self._columns.start()

    def show(self, far: Far, text: str) -> None:
        """Say how far the work is."""
        if self._begun in (None, far.done):
            # What was done before, and compiling, say nothing of the pace; nor does
            # what comes before the first step, such as rehearsals.
            self._columns.reset(self._task, total=far.total, completed=far.done)
            self._begun = far.done
        self._columns.update(self._task, completed=far.done, description=text)

    def say(self, far: Far, text: str) -> None:
        """Print a line now and then, where there is no terminal to show a bar on."""
        if self._console.is_terminal:
            return
        now = time.monotonic()
        if self._first is None or self._first[1] == far.done:
            self._first = now, far.done
        if now - self._spoken >= _QUIET_SECONDS or far.done == far.total:
            self._spoken = now
            self.note(f"step {far.done}/{far.total}: {text}{self._left(now, far)}")

    def _left(self, now: float, far: Far) -> str:
        """Time remaining, at the pace since the last report before the first step."""
        then, before = self._first or (now, far.done)
        if far.done in (before, far.total):
            return ""
        seconds = (now - then) / (far.done - before) * (far.total - far.done)
        return f", about {timedelta(seconds=round(seconds))} left"

    def compiled(self, event: Compiled) -> None:
        """Say how long compiling took, if anybody noticed."""
        if event.seconds >= 1:
            self.note(f"compiled in {event.seconds:.0f} s")

    def note(self, text: str | Text) -> None:
        """Print a line without disturbing the bar."""
        self._console.print(text)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._columns.stop()
