"""Requests: what is asked of each image, what it is called, and how one judges it.

All that depends on the question follows from here: the arrays that programs read, names
of files, rows of grids, verdicts, and what is measured on the way.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.engine.phase import Procedure, Term
from jinv.inversion.terms import LABELS, TOP1
from jinv.models.classifier import Classifier
from jinv.models.classify import classify

Arrays = Mapping[str, np.ndarray]
START = "start"
"""The array that tells of each image which picture it starts from: mid-grey for none.
"""
_TARGET = "features of "
_NO_LABELS = np.zeros(0, np.int32)


def target(layer: str) -> str:
    """Name of the array that tells of each image which features it is to have."""
    return _TARGET + layer


def targeted(asks: Iterable[str]) -> tuple[str, ...]:
    """Layers of whose features such arrays tell, in order, among names of arrays."""
    layers = (ask.removeprefix(_TARGET) for ask in asks if ask.startswith(_TARGET))
    return tuple(sorted(layers))


class Request(ABC):
    """What is asked of images, which are numbered from 0.

    What finished images are judged by is told once, by `labels_of`, as it may take a
    network to tell; names and rows follow from it.

    Attributes:
        watched: What is measured of them while they are made, and not optimised.
    """

    watched: tuple[Term, ...] = ()

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of images that are to be made."""

    @property
    def labels(self) -> np.ndarray:
        """Classes of the images (images,), as far as they are known beforehand."""
        return _NO_LABELS

    @property
    def company(self) -> Arrays:
        """What is asked of images that accompany every batch, and are dropped."""
        return {}

    @abstractmethod
    def asked(self, numbers: np.ndarray) -> Arrays:
        """What is asked of the images of these numbers: arrays by name."""

    def fitting(self, procedure: Procedure) -> "Request":
        """Make the request that fits what a procedure asks of images."""
        del procedure
        return self

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """All that is asked, as JSON."""

    @abstractmethod
    def about(self) -> str:
        """What is asked, in a few words for people."""

    def labels_of(self, numbers: Sequence[int], images: np.ndarray) -> np.ndarray:
        """Tell by which classes to judge finished images; none where they are not.

        Args:
            numbers: Numbers of the images.
            images: Images (images, height, width, channels), uint8.
        """
        del numbers, images
        return _NO_LABELS

    @abstractmethod
    def names_of(self, numbers: Sequence[int], labels: np.ndarray) -> list[str]:
        """Name images by numbers and labels, for file names and pages."""

    def rows_of(
        self, numbers: Sequence[int], labels: np.ndarray
    ) -> tuple[list[int], Sequence[str]]:
        """Tell the row of each image on a grid, and titles of the rows."""
        names = self.names_of(numbers, labels)
        titles = list(dict.fromkeys(names))
        return [titles.index(name) for name in names], titles


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class ClassRequest(Request):
    """Images of given classes.

    Attributes:
        classifier: Network that knows the classes.
        wanted: Class of each image (images,).
        others: Classes of further images that are optimised with each batch, and
            dropped: they let it have the statistics of all classes.
    """

    classifier: Classifier
    wanted: np.ndarray
    others: np.ndarray

    watched = (TOP1,)

    def fitting(self, procedure: Procedure) -> Request:
        """Ask for the classes; for whatever comes where a procedure asks for none."""
        kind = ClassRequest if LABELS in procedure.asks else OpenRequest
        return kind(self.classifier, self.wanted, self.others)

    @property
    def count(self) -> int:
        """Number of images that are to be made."""
        return len(self.wanted)

    @property
    def labels(self) -> np.ndarray:
        """Classes of the images (images,)."""
        return self.wanted

    @property
    def company(self) -> Arrays:
        """Classes of the images that accompany every batch."""
        return {LABELS: self.others}

    def asked(self, numbers: np.ndarray) -> Arrays:
        """Classes of the images of these numbers."""
        return {LABELS: self.wanted[numbers]}

    def describe(self) -> dict[str, Any]:
        """All that is asked, as JSON."""
        return {"labels": self.wanted.tolist(), "company": self.others.tolist()}

    def about(self) -> str:
        """Say how many images there are, and of how many classes."""
        return about_labels(self.wanted)

    def names_of(self, numbers: Sequence[int], labels: np.ndarray) -> list[str]:
        """Name the images by their classes."""
        del numbers
        return [self.classifier.spec.classes[label] for label in labels]

    def labels_of(self, numbers: Sequence[int], images: np.ndarray) -> np.ndarray:
        """Tell the classes that were asked for."""
        del images
        return self.wanted[np.asarray(numbers, int)]

    def rows_of(
        self, numbers: Sequence[int], labels: np.ndarray
    ) -> tuple[list[int], Sequence[str]]:
        """Give each class a row of the grid."""
        del numbers
        return labels.tolist(), self.classifier.spec.classes


@dataclass(frozen=True, eq=False)
class OpenRequest(ClassRequest):
    """Images of whatever comes: nothing is asked, and the classifier names them.

    Its classes only say how many images there are.
    """

    watched = ()

    def asked(self, numbers: np.ndarray) -> Arrays:
        """Ask nothing of the images."""
        del numbers
        return {}

    def labels_of(self, numbers: Sequence[int], images: np.ndarray) -> np.ndarray:
        """Let the classifier name the images' classes."""
        del numbers
        return np.argmax(classify(self.classifier, images), -1).astype(np.int32)


def about_labels(labels: np.ndarray) -> str:
    """Say how many images there are, and of how many classes.

    Example:
        >>> about_labels(np.array([3, 3, 5]))
        '3 images of 2 classes'
    """
    images, classes = len(labels), len(np.unique(labels))
    return (
        f"{images} image{'s' * (images != 1)} of {classes} class{'es' * (classes != 1)}"
    )
