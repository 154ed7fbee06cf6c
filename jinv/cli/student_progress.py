"""Progress of a student, and of the images that are made for it."""

from rich.console import Console

from jinv.cli.bar import Bar
from jinv.engine.events import (
    Begun,
    Compiled,
    Event,
    Far,
    Learning,
    LessonEvent,
    Logged,
    Measured,
)


class StudentProgress(Bar):
    """A bar on a terminal; elsewhere, a line now and then, and after every test."""

    def __init__(self, console: Console):
        """Follow a student."""
        super().__init__(console)
        self._far = Far(0, 0)
        self._text = ""

    def on_event(self, event: Event | LessonEvent) -> None:
        """Show what a distillation reports."""
        match event:
            case Begun(far=far):
                self._far = far
                self.show(far, "compiling")
            case Compiled():
                self.compiled(event)
            case Logged(row=row):
                doing = "rehearsing" if row["batch"] < 0 else "making images"
                self._tell(", ".join(filter(None, (self._text, doing))))
            case Learning(row=row, far=far):
                self._far = far
                self._text = f"loss {row['loss']:.3g}, agrees {row['agreement']:.0f} %"
                self._tell(self._text)
            case Measured(row=row, far=far) if "test_accuracy" in row:
                self._far = far
                self.note(
                    f"step {far.done}/{far.total}: loss {row['loss']:.3g}, agrees "
                    f"{row['agreement']:.0f} %, test {row['test_accuracy']:.2f} %, "
                    f"{row['images']:,} images"
                )

    def _tell(self, text: str) -> None:
        self.show(self._far, text)
        self.say(self._far, text)
