"""What a labelled set is: images that are read by index, and their labels."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from jinv.data.labels import check_whole
from jinv.data.pictures import cut
from jinv.errors import DataError

_MODES = {1: "L", 3: "RGB"}


class LabelledImages(Protocol):
    """A split of a data set, read by index.

    Attributes:
        labels: Classes of the images, (images,), int32.
    """

    labels: np.ndarray

    def __len__(self) -> int:
        """Number of images."""
        ...

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""
        ...


class ArrayImages:
    """Images that lie in memory."""

    def __init__(self, images: ArrayLike, labels: ArrayLike):
        """Hold images uint8 and labels (n,).

        Images are (n, height, width, 3), or, where grey, (n, height, width, 1) or
        (n, height, width).

        Raises:
            DataError: They are no such arrays, or labels are no whole numbers.
        """
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim == 3:
            images = images[..., None]
        if (
            images.ndim != 4
            or images.shape[-1] not in _MODES
            or images.dtype != np.uint8
        ):
            raise DataError(
                "images must be uint8 of shape (n, height, width, 3), or (n, height, "
                f"width, 1) where grey, not {images.dtype} of shape {images.shape}"
            )
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"{len(images)} images need labels of shape ({len(images)},), not "
                f"{labels.shape}"
            )
        check_whole(labels, "labels")
        self.images, self.labels = images, labels.astype(np.int32)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices):
        """Images (batch, height, width, channels) uint8, labels (batch,) int32."""
        return self.images[indices], self.labels[indices]


def check_size(where: str, images: np.ndarray, size: int | None) -> None:
    """Refuse arrays of images of another size, as only files are scaled.

    Args:
        where: What errors call the images.
        images: Array (n, height, width, …).
        size: Height and width wanted, in pixels; None takes any.

    Raises:
        DataError: They are of another size.
    """
    height, width = images.shape[1:3]
    if size is not None and (height, width) != (size, size):
        raise DataError(
            f"{where}: expected images of {size}x{size} pixels, found {height}x"
            f"{width}: choose a model of such images, or give a folder of image files, "
            "which are scaled"
        )


class DecodedImages:
    """Images decoded when they are read, each scaled and cut to one size."""

    def __init__(
        self,
        load: Callable[[int], Image.Image],
        labels: Sequence[int] | np.ndarray,
        size: int | None,
        channels: int = 3,
        name: Callable[[int], str] = "image {}".format,
    ):
        """Read image i, which errors call `name(i)`, by `load(i)`, and cut it.

        Where `size` is None, images are left as they are, and must all be alike. They
        are made grey where there is to be one channel.
        """
        self._load, self._size, self._name = load, size, name
        self._mode = _MODES[channels]
        self.labels = np.asarray(labels, np.int32)
        self._pool = ThreadPoolExecutor()

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices):
        """Decode images (batch, height, width, channels) uint8, and labels (batch,)."""
        images = list(self._pool.map(self._one, [int(i) for i in indices]))
        for index, image in zip(indices, images, strict=True):
            if image.shape != images[0].shape:
                raise DataError(
                    f"{self._name(index)} has {_size(image)} pixels, others have "
                    f"{_size(images[0])}: expected images of one size; --size N cuts "
                    "them to it"
                )
        return np.stack(images), self.labels[indices]

    def _one(self, index: int) -> np.ndarray:
        try:
            image = self._load(index).convert(self._mode)
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises
            raise DataError(
                f"{self._name(index)} cannot be read as an image: {error}"
            ) from error
        if self._size is not None:
            image = cut(image, self._size)
        return np.asarray(image).reshape(image.height, image.width, -1)


class ChosenImages:
    """The images of a set that have these indices, in this order.

    Attributes:
        whole: Set that they are of.
        chosen: Index of each in it (n,), int.
        labels: Class of each (n,), int32.
    """

    def __init__(self, data: LabelledImages, chosen: np.ndarray):
        """Leave the set as it is, and show only what was chosen, (n,) int."""
        self.whole, self.chosen = data, chosen
        self.labels = data.labels[chosen]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices):
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""
        return self.whole.read(self.chosen[indices])


class JoinedImages:
    """Sets one after the other, as one; their images are alike in size and channels."""

    def __init__(self, *parts: LabelledImages):
        """Number the images of the first set first."""
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.labels = np.concatenate([part.labels for part in parts])

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices):
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""
        indices = np.asarray(indices)
        which = np.searchsorted(self._starts, indices, "right") - 1
        images = None
        for number, part in enumerate(self._parts):
            (here,) = np.nonzero(which == number)
            if len(here):
                found, _ = part.read(indices[here] - self._starts[number])
                if images is None:
                    images = np.empty((len(indices), *found.shape[1:]), found.dtype)
                images[here] = found
        return images, self.labels[indices]


class SomeImages(ChosenImages):
    """Some images of a set, drawn at random."""

    def __init__(self, data: LabelledImages, most: int, seed: int):
        """Draw so many images, or take all where there are no more."""
        rng = np.random.default_rng(seed)
        super().__init__(data, np.sort(rng.permutation(len(data))[:most]))


def hold_out(data: LabelledImages, seed: int) -> tuple[ChosenImages, ChosenImages]:
    """Part a set in nine tenths and one tenth, which shares every class alike.

    Args:
        data: Set to part; of fewer than ten images none is held out.
        seed: Seed of the choice.

    Returns:
        What remains, and what is held out, both in the order of the set.
    """
    order = np.random.default_rng(seed).permutation(len(data))
    by_class = order[np.argsort(data.labels[order], kind="stable")]
    held = np.zeros(len(data), bool)
    held[by_class[9::10]] = True
    return (
        ChosenImages(data, np.flatnonzero(~held)),
        ChosenImages(data, np.flatnonzero(held)),
    )


def minibatches(
    data: LabelledImages, order: np.ndarray, batch_size: int, drop_last: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read the images of `order`, a batch at a time."""
    stop = len(order) - batch_size + 1 if drop_last else len(order)
    for start in range(0, stop, batch_size):
        yield data.read(order[start : start + batch_size])


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
