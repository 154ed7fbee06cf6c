"""Events: what running work reports."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Position(NamedTuple):
    """A place in a run: batch, phase, and how many of its steps are done."""

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
        numbers: Numbers of the images in the whole run.
        inputs: Inputs as optimised (images, height, width, channels), normalised.
        images: Images as bytes, uint8, of the same shape.
        labels: Class by which each is judged; empty where they are not.
        names: Name of each image.
    """

    numbers: range
    inputs: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    names: list[str]


@dataclass(frozen=True)
class Compiled:
    """A program is ready, which took so many seconds to compile."""

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
        """Place of an inversion at this step."""
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
        position: Place in the run.
        made: Images as they are now.
        complete: Whether the batch came to its end.
        far: How far the work is.
        cost: Cost of the batch, with rehearsals before it.
    """

    position: Position
    made: Made
    complete: bool
    far: Far
    cost: Cost


Event = Compiled | Logged | Frame | BatchDone


@dataclass(frozen=True)
class Begun:
    """A lesson is taken up, where it was left if it was."""

    far: Far


@dataclass(frozen=True)
class Learning:
    """What some steps of a lesson measured.

    Attributes:
        row: Means since the last such event, the loss among them.
        far: How far the work is.
    """

    row: dict[str, float]
    far: Far


@dataclass(frozen=True)
class Measured:
    """An epoch of a lesson is done, and kept.

    Attributes:
        row: Row of the log: the epoch's number, means over its steps, its seconds, and
            what was measured after it.
        far: How far the work is.
    """

    row: dict[str, float]
    far: Far


LessonEvent = Begun | Compiled | Learning | Measured
