"""What a running inversion reports."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Position:
    """Where a run is; the step counts the finished ones of this phase."""

    batch: int
    phase: int
    step: int


@dataclass(frozen=True)
class Compiled:
    """A phase's program is ready.

    Attributes:
        seconds: How long compiling it took.
    """

    position: Position
    seconds: float


@dataclass(frozen=True)
class Logged:
    """Measurements of one step.

    Attributes:
        row: The loss, each term raw and weighted, and so on: numbers only.
    """

    position: Position
    row: dict[str, Any]


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Frame:
    """How the first batch's images look at this step: inputs, NHWC."""

    position: Position
    inputs: np.ndarray


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class BatchDone:
    """A batch's images, finished or cut short: inputs, NHWC."""

    position: Position
    inputs: np.ndarray
    complete: bool


Event = Compiled | Logged | Frame | BatchDone
