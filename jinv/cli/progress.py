"""Progress of an inversion, and of a lesson, shown while they go on."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from rich.console import Console

from jinv.cli.bar import Bar
from jinv.engine.events import (
    BatchDone,
    Begun,
    Compiled,
    Event,
    Learning,
    LessonEvent,
    Logged,
    Measured,
)


class Progress(Bar):
    """A bar on a terminal; elsewhere, a line now and then."""

    def __init__(self, console: Console):
        """Show where work is told of."""
        super().__init__(console)
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
                self.say(far, self._text)
            case BatchDone(far=far):
                self.show(far, self._text)


class LessonProgress(Bar):
    """A bar on a terminal; elsewhere, a line now and then, and after every part."""

    def __init__(
        self,
        console: Console,
        unit: str,
        count: int,
        words: Callable[[Mapping[str, float]], str],
        text: str = "compiling",
    ):
        """Follow a lesson.

        Args:
            console: Where its progress is told.
            unit: What its parts are called, as in its log.
            count: Number of the parts.
            words: Words for what a part's row of the log tells beside the loss.
            text: What is done before the first step.
        """
        super().__init__(console, text)
        self._text = text
        self._unit, self._count, self._words = unit, count, words

    def on_event(self, event: LessonEvent) -> None:
        """Show what a lesson reports."""
        match event:
            case Begun(far=far):
                self.show(far, self._text)
            case Compiled():
                self.compiled(event)
            case Learning(row=row, far=far):
                text = f"loss {row['loss']:.3g}"
                self.show(far, text)
                self.say(far, text)
            case Measured(row=row, far=far):
                left = round(row["seconds"] * (self._count - row[self._unit]))
                told = (
                    f"{self._unit} {row[self._unit]:>3}/{self._count}",
                    f"loss {row['loss']:.4f}",
                    self._words(row),
                    f"{row['seconds']:.0f} s",
                    f"about {timedelta(seconds=left)} left",
                )
                self.note("  ".join(filter(None, told)))
                self.show(far, f"loss {row['loss']:.4f}")
