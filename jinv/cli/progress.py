"""Showing how far an inversion is."""

import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from jinv.engine.events import BatchDone, Compiled, Event, Logged, Position
from jinv.inversion.job import Job

_QUIET_SECONDS = 10.0
"""Between two lines, where there is no terminal to show a bar on."""


class Progress:
    """A bar on a terminal; elsewhere, a line now and then."""

    def __init__(
        self, job: Job, console: Console, numbers: Sequence[int] | None = None
    ):
        """Follow one job, or those of its batches that will be done."""
        phases = job.procedure.phases
        self._starts = [sum(s.steps for s in phases[:i]) for i in range(len(phases))]
        self._steps = sum(phase.steps for phase in phases)
        numbers = range(job.batch_count) if numbers is None else numbers
        if job.procedure.lasting and numbers:
            numbers = range(-job.procedure.rehearsals, max(numbers) + 1)
        self._order = {batch: position for position, batch in enumerate(numbers)}
        self._total = self._steps * len(numbers)
        self._console = console
        self._spoken = 0.0
        self._first: tuple[float, int] | None = None
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("compiling", total=self._total)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Print a line without disturbing the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def on_event(self, event: Event) -> None:
        """Show what the engine reports."""
        match event:
            case Compiled(seconds=seconds) if seconds >= 1:
                self.note(f"compiled in {seconds:.0f} s")
            case Logged(position=at, row=row):
                done = self._before(at) + self._starts[at.phase] + at.step
                text = f"loss {row['loss']:.3g}"
                if row["top1"] is not None:
                    text += f", teacher {100 * row['top1']:.0f} %"
                if at.batch < 0:
                    text += ", rehearsing"
                self._bar.update(self._task, completed=done, description=text)
                self._say(done, text)
            case BatchDone(position=position):
                done = self._before(position) + self._steps
                self._bar.update(self._task, completed=done)

    def _before(self, position: Position) -> int:
        """Steps of the batches before this one."""
        return self._steps * self._order[position.batch]

    def _say(self, done: int, text: str) -> None:
        if self._console.is_terminal:
            return
        now = time.monotonic()
        self._first = self._first or (now, done)
        if now - self._spoken >= _QUIET_SECONDS or done == self._total:
            self._spoken = now
            self.note(f"step {done}/{self._total}: {text}{self._left(now, done)}")

    def _left(self, now: float, done: int) -> str:
        """Time remaining, at the pace since the first report."""
        then, before = self._first or (now, done)
        if done == before or done == self._total:
            return ""
        seconds = (now - then) / (done - before) * (self._total - done)
        return f", about {timedelta(seconds=round(seconds))} left"
