"""What visualisations have in common as requests: questions, and where images start."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jinv.inversion.request import START, Arrays, Request
from jinv.models.classifier import Classifier
from jinv.models.features import features_of
from jinv.models.weights.checksums import fingerprint_of

_GREY = 0.5
_AT_ONCE = 32
"""Images whose features are computed together."""


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class VisualRequest(Request):
    """Images that shall excite a network, each from where it starts.

    What is asked of an image is a question; some of them may share one.

    Attributes:
        classifier: Network that is excited.
        layers: Layers that count.
        shape: Shape of each image (height, width, channels).
        starts: Photographs (questions, height, width, channels), uint8, from which
            images start; None for grey.
        each: Images of each question.
        measure: What `excitation` tells, in a word or two.
        compared: Whether it differs from question to question.
    """

    classifier: Classifier
    layers: tuple[str, ...]
    shape: tuple[int, int, int]
    starts: np.ndarray | None = None
    each: int = 1

    measure: ClassVar[str]
    compared: ClassVar[bool] = True

    @property
    @abstractmethod
    def questions(self) -> tuple[str, ...]:
        """Name of each question."""

    @property
    @abstractmethod
    def photographs(self) -> np.ndarray | None:
        """Photographs that are shown beside the images, one for each question."""

    @abstractmethod
    def excitation(self, images: np.ndarray) -> np.ndarray:
        """Tell how far images are what the questions ask for.

        Args:
            images: Images (images, height, width, channels), uint8.

        Returns:
            Values (questions, images), the greater, the better.
        """

    @abstractmethod
    def ask(self, questions: np.ndarray) -> Arrays:
        """Arrays that tell what the questions of these numbers ask for."""

    @property
    def count(self) -> int:
        """Number of images that are to be made."""
        return self.each * len(self.questions)

    def question_of(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Tell the number of the question that each image is asked."""
        return np.asarray(numbers, int) // self.each

    def asked(self, numbers: np.ndarray) -> Arrays:
        """What is asked of the images of these numbers, and where they start."""
        questions = self.question_of(numbers)
        starts = np.full((len(questions), *self.shape), _GREY, np.float32)
        if self.starts is not None:
            starts = self.starts[questions].astype(np.float32) / 255
        return {START: starts, **self.ask(questions)}

    def describe(self) -> dict[str, Any]:
        """All that is asked, as JSON."""
        about: dict[str, Any] = {"questions": list(self.questions)}
        if self.starts is not None:
            about["starts"] = [fingerprint_of(start) for start in self.starts]
        return about

    def about(self) -> str:
        """Say what is asked for, and how many images there are."""
        several = "s" * (self.count != 1)
        return f"{self.count} image{several} by {', '.join(self.layers)}"

    def names_of(self, numbers: Sequence[int], labels: np.ndarray) -> list[str]:
        """Name the images by their questions."""
        del labels
        return [self.questions[question] for question in self.question_of(numbers)]

    def rows_of(
        self, numbers: Sequence[int], labels: np.ndarray
    ) -> tuple[list[int], Sequence[str]]:
        """Give each question a row of the grid."""
        del labels
        return self.question_of(numbers).tolist(), self.questions

    def features(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Features of images (images, height, width, channels), uint8, by layer."""
        parts = [
            features_of(self.classifier, self.layers, images[first : first + _AT_ONCE])
            for first in range(0, len(images), _AT_ONCE)
        ]
        return {name: np.concatenate([p[name] for p in parts]) for name in self.layers}
