"""Labelled image sets: an .npz file, a folder of images, or a tfds name."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from jinv.errors import DataError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class LabelledImages(Protocol):
    """A split of a data set, read by index."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Images (batch, height, width, 3) uint8 and labels (batch,) int32."""
        ...


class ArrayImages:
    """Images that lie in memory."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        """Hold images (n, height, width, 3) uint8 and labels (n,)."""
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise DataError(
                "images must be uint8 of shape (n, height, width, 3), not "
                f"{images.dtype} of shape {images.shape}"
            )
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"{len(images)} images need labels of shape ({len(images)},), not "
                f"{labels.shape}"
            )
        self.images, self.labels = images, labels.astype(np.int32)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices):
        """See `LabelledImages.read`."""
        return self.images[indices], self.labels[indices]


class DecodedImages:
    """Images decoded when they are read, each scaled and cut to one size."""

    def __init__(self, load, labels: Sequence[int], size: int):
        """Read image i by `load(i)`, a PIL image, and cut it to `size`²."""
        self._load, self._size = load, size
        self.labels = np.asarray(labels, np.int32)
        self._pool = ThreadPoolExecutor()

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices):
        """See `LabelledImages.read`."""
        images = self._pool.map(self._one, [int(i) for i in indices])
        return np.stack(list(images)), self.labels[indices]

    def _one(self, index: int) -> np.ndarray:
        image = self._load(index).convert("RGB")
        if image.size != (self._size, self._size):
            # The usual evaluation crop: 224 pixels from a short side of 256.
            short = self._size if self._size < 64 else round(self._size * 8 / 7)
            image = centre_crop(image, short, self._size)
        return np.asarray(image)


def centre_crop(image: Image.Image, short_side: int, size: int) -> Image.Image:
    """Scale an image's short side, then cut the central square of `size` pixels."""
    scale = short_side / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def load_labelled(
    source: str, split: str, classes: Sequence[str], size: int
) -> LabelledImages:
    """Open one split of a labelled set.

    Args:
        source: An .npz file with `x_SPLIT` (uint8, NHWC) and `y_SPLIT`; a folder
            `SPLIT/class/image.png`; or `tfds:NAME`.
        split: "train" or "test".
        classes: Names of the classes in the order of the labels.
        size: Height and width of the images, in pixels.

    Raises:
        DataError: The source is missing or not of one of these forms.
    """
    if source.startswith("tfds:"):
        return _from_tfds(source.removeprefix("tfds:"), split, size)
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, split, classes, size)
    if path.suffix == ".npz" and path.is_file():
        return _from_npz(path, split, len(classes), size)
    raise DataError(
        f"no labelled images at {source!r}: expected an .npz file, a folder with "
        f"{split}/CLASS/*.png, or tfds:NAME"
    )


def batches(
    data: LabelledImages, order: np.ndarray, batch_size: int, drop_last: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read the images of `order`, a batch at a time."""
    stop = len(order) - batch_size + 1 if drop_last else len(order)
    for start in range(0, stop, batch_size):
        yield data.read(order[start : start + batch_size])


def _from_npz(path: Path, split: str, classes: int, size: int) -> ArrayImages:
    with np.load(path) as arrays:
        wanted = (f"x_{split}", f"y_{split}")
        missing = [name for name in wanted if name not in arrays]
        if missing:
            raise DataError(
                f"{path} has no {' and no '.join(missing)}; it holds "
                f"{', '.join(arrays.files)}"
            )
        data = ArrayImages(*(arrays[name] for name in wanted))
    if data.images.shape[1:3] != (size, size):
        raise DataError(
            f"{path}: expected images of {size}x{size} pixels, found "
            f"{data.images.shape[1]}x{data.images.shape[2]}"
        )
    if len(data) and not 0 <= data.labels.min() <= data.labels.max() < classes:
        raise DataError(f"{path}: labels must lie in 0..{classes - 1}")
    return data


def _from_folder(
    path: Path, split: str, classes: Sequence[str], size: int
) -> DecodedImages:
    root = path / split
    if not root.is_dir():
        raise DataError(f"{path} has no folder {split!r}")
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    unknown = [name for name in folders if name not in classes]
    if unknown:
        raise DataError(
            f"{root / unknown[0]} is named after no class of the model "
            f"({', '.join(classes[:5])}, …)"
        )
    pairs = [
        (file, classes.index(name))
        for name in folders
        for file in sorted((root / name).iterdir())
        if file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not pairs:
        raise DataError(f"{root} holds no images")
    return DecodedImages(
        lambda i: Image.open(pairs[i][0]), [label for _, label in pairs], size
    )


def _from_tfds(name: str, split: str, size: int) -> DecodedImages:
    try:
        import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise DataError(
            f"reading tfds:{name} needs tensorflow-datasets: pip install 'jinv[tfds]'"
        ) from error
    source = tfds.data_source(name, split=split)
    labels = [int(source[i]["label"]) for i in range(len(source))]
    return DecodedImages(lambda i: Image.fromarray(source[i]["image"]), labels, size)
