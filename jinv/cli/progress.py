"""Progress of an inversion, shown while it goes on."""

from rich.console import Console

from jinv.cli.bar import Bar
from jinv.engine.events import BatchDone, Compiled, Event, Logged


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
