"""What running work reports."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Position(NamedTuple):
    """Where a run is; the step counts the finished ones of this phase."""

    batch: int
    phase: int
    step: int


class Far(NamedTuple):
    """How far work is: so many steps are done, of how many in all."""

    done: int
    total: int


class Cost(NamedTuple):
    """What a batch took: images that went through the teacher, and seconds."""

    passes: int
    seconds: float


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Made:
    """Images of a batch as they are kept, without company.

    Attributes:
        numbers: Their numbers in the whole run.
        inputs: As optimised (images, height, width, channels), normalised.
        images: As bytes, uint8, of the same shape.
        names: What each is called.
    """

    numbers: range
    inputs: np.ndarray
    images: np.ndarray
    names: list[str]


@dataclass(frozen=True)
class Compiled:
    """A program is ready.

    Attributes:
        seconds: How long compiling it took.
    """

    seconds: float


@dataclass(frozen=True)
class Logged:
    """Measurements of one step.

    Attributes:
        row: The loss, each term raw and weighted, and so on: numbers only.
        far: How far the work is.
    """

    row: dict[str, Any]
    far: Far

    @property
    def position(self) -> Position:
        """Where an inversion was then."""
        return Position(self.row["batch"], self.row["phase"], self.row["step"])


@dataclass(frozen=True, eq=False)
class Frame:
    """How the first batch's images look at this step."""

    position: Position
    made: Made


@dataclass(frozen=True, eq=False)
class BatchDone:
    """A batch's images, finished or cut short.

    Attributes:
        position: Where the run is.
        made: The images.
        complete: Whether the batch came to its end.
        far: How far the work is.
        cost: What the batch took, with rehearsals before it.
    """

    position: Position
    made: Made
    complete: bool
    far: Far
    cost: Cost


Event = Compiled | Logged | Frame | BatchDone


@dataclass(frozen=True)
class Learning:
    """What some steps of a lesson measured.

    Attributes:
        row: Means since the last such event, the loss among them.
    """

    row: dict[str, float]
    far: Far


@dataclass(frozen=True)
class Measured:
    """An epoch of a lesson is done, and kept.

    Attributes:
        row: Its number, the means over its steps, its seconds, and what was measured
            after it.
    """

    row: dict[str, float]
    far: Far
