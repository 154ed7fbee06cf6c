"""What priors are learnt from: images, or what a layer of a network makes of them."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import jax
import numpy as np
from PIL import Image

from jinv.data.pictures import as_photograph, cut, to_picture
from jinv.errors import DataError
from jinv.levels import from_uint8
from jinv.models.classifier import Classifier
from jinv.models.weights.checksums import fingerprint_of
from jinv.priors.form import Subject

_BATCH = 16
"""Images that a network sees together."""


class Material(Protocol):
    """Images or feature maps, read by their numbers.

    Attributes:
        subject: What they are.
    """

    subject: Subject

    def __len__(self) -> int:
        """Number of images."""
        ...

    def read(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield arrays (height, width, chosen channels), float32, in this order."""
        ...

    def describe(self) -> dict[str, Any]:
        """Describe what is read, as JSON, without reading all of it."""
        ...


class ImageMaterial:
    """Images in [0, 1], of any sizes."""

    def __init__(
        self, images: Sequence[np.ndarray], channels: int, shrink: float = 1.0
    ):
        """Show images (height, width, 1 or 3), uint8, as grey or as RGB.

        They are shrunk to this share of their height and width.
        """
        if not len(images):
            raise DataError("expected images to learn a prior from, found none")
        self.subject = Subject(channels)
        self._images, self._shrink = images, shrink

    def __len__(self) -> int:
        return len(self._images)

    def read(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield images (height, width, channels), float32 in [0, 1], in this order."""
        for number in numbers:
            image = _as(self.subject.channels, self._images[int(number)])
            yield from_uint8(_shrunk(image, self._shrink))

    def describe(self) -> dict[str, Any]:
        """Describe the images, as JSON: how many there are, and the outermost two."""
        ends = (np.asarray(self._images[n]) for n in (0, len(self) - 1))
        return {"images": len(self), "outermost": [*map(fingerprint_of, ends)]}


class FeatureMaterial:
    """Features of a layer, of images that are scaled and cut for its network."""

    def __init__(
        self,
        classifier: Classifier,
        layer: str,
        images: Sequence[np.ndarray],
        chosen: Sequence[int] = (),
    ):
        """Show what a layer makes of images (height, width, 1 or 3), uint8."""
        if not len(images):
            raise DataError("expected images to learn a prior from, found none")
        self.subject = Subject.of(classifier, layer, tuple(chosen))
        self._classifier, self._images = classifier, images
        # Features above the layer are not computed.
        self._features = jax.jit(
            lambda variables, inputs: classifier.features(variables, inputs)[layer]
        )

    def __len__(self) -> int:
        return len(self._images)

    def read(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield features (height, width, chosen channels), float32, in this order."""
        network = self._classifier
        size, channels = network.spec.input_size, network.spec.channels
        chosen = list(self.subject.chosen) or slice(None)
        for start in range(0, len(numbers), _BATCH):
            part = [int(number) for number in numbers[start : start + _BATCH]]
            pictures = (to_picture(_as(channels, self._images[n])) for n in part)
            images = [np.asarray(cut(picture, size)) for picture in pictures]
            images += images[:1] * (_BATCH - len(part))  # one program for all
            batch = np.stack(images).reshape(_BATCH, size, size, channels)
            found = self._features(network.variables, network.normalise(batch))
            yield from np.asarray(found, np.float32)[: len(part), ..., chosen]

    def describe(self) -> dict[str, Any]:
        """Describe the images, as JSON."""
        return ImageMaterial(self._images, 3).describe()


def _shrunk(image: np.ndarray, share: float) -> np.ndarray:
    if share == 1:
        return image
    height, width, channels = image.shape
    size = max(1, round(width * share)), max(1, round(height * share))
    found = np.asarray(to_picture(image).resize(size, Image.Resampling.BICUBIC))
    return found.reshape(size[1], size[0], channels)


def _as(channels: int, image: Any) -> np.ndarray:
    """A photograph as grey or as RGB."""
    image = as_photograph(image)
    if image.shape[-1] == channels:
        return image
    mode = {1: "L", 3: "RGB"}[channels]
    return np.asarray(to_picture(image).convert(mode)).reshape(*image.shape[:2], -1)
