"""How far a run is, and what it has taken: noted beside every checkpoint."""

from dataclasses import dataclass, fields
from pathlib import Path

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import Position


@dataclass
class Notes:
    """What a checkpoint notes beside the arrays.

    Attributes:
        batch: Number of the batch at work, negative for rehearsals.
        phase: Number of the phase at work.
        step: Steps of the phase that are done.
        best: Lowest loss of the phase, of those that patience compares.
        best_step: The step at which it was seen.
        compiling: Seconds spent compiling.
        running: Seconds spent computing.
        passes: Images that went through the teacher, forward and backward.
        begun: What `passes` was when the batch began, or the rehearsals before it.
        seconds: Seconds that it took since then, in the sessions before this one.
    """

    batch: int = 0
    phase: int = 0
    step: int = 0
    best: float = float("inf")
    best_step: int = 0
    compiling: float = 0.0
    running: float = 0.0
    passes: int = 0
    begun: int = 0
    seconds: float = 0.0

    @property
    def position(self) -> Position:
        """Place in the run."""
        return Position(self.batch, self.phase, self.step)


@dataclass(frozen=True)
class Outcome:
    """The bill of a run, over all sessions that it took.

    Attributes:
        compiling: Seconds spent compiling.
        running: Seconds spent computing.
        passes: Images that went through the teacher, forward and backward.
    """

    compiling: float
    running: float
    passes: int


def run_checkpoints(folder: Path) -> Checkpoints:
    """Make the checkpoints of a run, whose notes say how far it is."""
    names = {field.name for field in fields(Notes)}
    later = {"begun", "seconds"}  # which earlier versions left out
    return Checkpoints(folder, names - later)
