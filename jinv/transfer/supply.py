"""What a student learns from, round by round: images that are there, or are made."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jinv.data.labelled import LabelledImages
from jinv.engine.events import Cost, Event
from jinv.engine.lesson import Lesson
from jinv.folders import Held
from jinv.models.classifier import Classifier
from jinv.transfer.description import described_images
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.drawing import drawn
from jinv.transfer.examples import Examples
from jinv.transfer.lesson import student_lesson


class Supply(Held):
    """What a student's lessons are made of.

    `open` comes first, and `see_to` before the steps of each round.

    Attributes:
        cost: Cost of the images: so far, or of all where that is known beforehand.
    """

    cost: Cost

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""

    @abstractmethod
    def about(self) -> str:
        """What the images are, in a few words for people."""

    @abstractmethod
    def count(self, round_number: int) -> int:
        """Number of the images that there have been by a round."""

    def lesson(
        self, teacher: Classifier, student: Classifier, config: DistillConfig
    ) -> Lesson:
        """Make the lesson; see `student_lesson`."""
        return student_lesson(teacher, student, config)

    def steps(self, config: DistillConfig) -> int:
        """Number of the steps of a round."""
        return config.round_steps

    @abstractmethod
    def batches(
        self, round_number: int, first: int, config: DistillConfig
    ) -> Iterator[Any]:
        """Yield what the steps of a round learn from, from the given one on."""

    def open(
        self,
        folder: Path,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Take up the work in a folder of the student's.

        Args:
            folder: Folder in which images may be kept.
            on_event: Told what happens while images are made.
            should_stop: Asked meanwhile.
        """

    def see_to(self, round_number: int, student: dict[str, Any]) -> None:
        """Make sure that the images of a round are there.

        Args:
            round_number: Number of the round.
            student: Variables of the student, as it is when the round begins.

        Raises:
            Interrupted: `should_stop` said so; what is done is kept.
            Diverged: The loss of images became NaN or infinite.
        """

    def finish(self) -> None:
        """Leave the images in a form that others read."""

    def close(self) -> None:
        """Let go of the folder."""


class KeptImages(Supply):
    """Images that stay, and of which each step draws some."""

    @abstractmethod
    def since(self, round_number: int) -> int:
        """The round in which there began to be so many."""

    @abstractmethod
    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""

    def batches(
        self, round_number: int, first: int, config: DistillConfig
    ) -> Iterator[Examples]:
        """Yield images in an order that can be told from any step; see `drawn`."""
        begun = self.since(round_number) * config.round_steps
        count = self.count(round_number)
        for step in range(first, config.round_steps):
            number = round_number * config.round_steps + step
            index = drawn(count, config.batch_size, config.seed, begun, number)
            images, labels = self.read(index)
            places = np.arange(len(index), dtype=np.int32)
            yield Examples(images, labels, places, images.shape[1])


class GivenImages(KeptImages):
    """Images that are there: a synthetic set, or the real ones."""

    def __init__(self, data: LabelledImages, cost: Cost | None = None):
        """Learn from all images of a set, which may have cost something."""
        self._data, self.cost = data, cost or Cost(0, 0.0)

    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""
        return described_images(self._data)

    def about(self) -> str:
        """What the images are, in a few words for people."""
        return f"a set of {len(self._data)} images"

    def count(self, round_number: int) -> int:
        """Number of the images, at all times."""
        return len(self._data)

    def since(self, round_number: int) -> int:
        """The first round."""
        return 0

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""
        return self._data.read(indices)
