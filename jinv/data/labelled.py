"""Labelled image sets: an .npz file, a folder of images, or a tfds name."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from jinv.data.tfds_features import check_features
from jinv.errors import DataError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_TFDS_MARK = "dataset_info.json"
_MODES = {1: "L", 3: "RGB"}
_COLOURS = {1: "grey", 3: "colour"}


class LabelledImages(Protocol):
    """A split of a data set, read by index.

    Attributes:
        labels: (images,), int32.
    """

    labels: np.ndarray

    def __len__(self) -> int:
        """Number of images."""
        ...

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Images (batch, height, width, channels) uint8, labels (batch,) int32."""
        ...


class ArrayImages:
    """Images that lie in memory."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        """Hold images uint8 and labels (n,).

        Images are (n, height, width, 3), or, where grey, (n, height, width, 1) or
        (n, height, width).
        """
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
        self.images, self.labels = images, labels.astype(np.int32)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices):
        """See `LabelledImages.read`."""
        return self.images[indices], self.labels[indices]


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
        """See `LabelledImages.read`."""
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
        if self._size is not None and image.size != (self._size, self._size):
            # The usual evaluation crop: 224 pixels from a short side of 256.
            short = self._size if self._size < 64 else round(self._size * 8 / 7)
            image = centre_crop(image, short, self._size)
        return np.asarray(image).reshape(image.height, image.width, -1)


class ChosenImages:
    """The images of a set that have these indices, in this order."""

    def __init__(self, data: LabelledImages, chosen: np.ndarray):
        """Leave the set as it is, and show only what was chosen, (n,) int."""
        self._data, self._chosen = data, chosen
        self.labels = data.labels[chosen]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices):
        """See `LabelledImages.read`."""
        return self._data.read(self._chosen[indices])


class SomeImages(ChosenImages):
    """Some images of a set, drawn at random."""

    def __init__(self, data: LabelledImages, most: int, seed: int):
        """Draw so many, or take all where there are no more."""
        rng = np.random.default_rng(seed)
        super().__init__(data, np.sort(rng.permutation(len(data))[:most]))


def hold_out(data: LabelledImages, seed: int) -> tuple[ChosenImages, ChosenImages]:
    """Part a set in nine tenths and one tenth, which shares every class alike.

    Args:
        data: The set; of fewer than ten images none is held out.
        seed: Of the choice.

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


def centre_crop(image: Image.Image, short_side: int, size: int) -> Image.Image:
    """Scale an image's short side, then cut the central square of `size` pixels."""
    scale = short_side / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def to_picture(image: np.ndarray) -> Image.Image:
    """An image (height, width, 3) or (height, width, 1), uint8, as Pillow's."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def load_labelled(
    source: str,
    split: str,
    classes: Sequence[str],
    size: int | None,
    channels: int = 3,
) -> LabelledImages:
    """Open one split of a labelled set.

    Args:
        source: An .npz file with `x_SPLIT` (uint8, NHWC; grey also NHW) and `y_SPLIT`;
            a folder `SPLIT/class/image.png`; a folder in which `export` left
            `set.npz`; a folder that tfds wrote; or `tfds:NAME`.
        split: "train" or "test"; "." for a folder with no level of splits.
        classes: Names of the classes in the order of the labels.
        size: Height and width of the images, in pixels; None leaves them as they are.
        channels: 3 of colour, or 1 of grey. Folders and tfds' sets are converted.

    Raises:
        DataError: The source is missing or not of one of these forms; or an .npz file
            holds images of another size, or grey ones instead of colour.
    """
    if _is_tfds(source):
        return _from_tfds(source, split, size, channels)
    if path := _npz_file(source, split):
        return _from_npz(path, split, len(classes), size, channels)
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, split, classes, size, channels)
    raise _nothing_at(source, split)


def has_split(source: str, split: str) -> bool:
    """Whether a labelled set has images of this split.

    Args:
        source: As for `load_labelled`.
        split: As for `load_labelled`.

    Raises:
        DataError: The source is missing or of no known form.
    """
    if _is_tfds(source):
        return split in _tfds_builder(source).info.splits
    if path := _npz_file(source, split):
        with np.load(path) as arrays:
            return f"x_{split}" in arrays
    path = Path(source)
    if path.is_dir():
        return (path / split).is_dir()
    raise _nothing_at(source, split)


def classes_of(source: str, split: str) -> tuple[str, ...] | None:
    """The names that a set itself gives to its classes, in the order of its labels.

    Args:
        source: As for `load_labelled`.
        split: As for `load_labelled`.

    Returns:
        The names; None where the set, an .npz file, does not tell them.
    """
    if _is_tfds(source):
        return tuple(_tfds_builder(source).info.features["label"].names)
    if path := _npz_file(source, split):
        with np.load(path) as arrays:
            return tuple(arrays["classes"].tolist()) if "classes" in arrays else None
    path = Path(source)
    return tuple(_folders(path / split)) if (path / split).is_dir() else None


def batches_of(source: str, split: str, count: int) -> np.ndarray | None:
    """The batch of synthesis that each image comes from, if a set of ours tells it.

    It does so in the `metadata.jsonl` that `export` wrote beside the images.

    Args:
        source: As for `load_labelled`.
        split: As for `load_labelled`.
        count: How many images `load_labelled` found.

    Returns:
        (images,), in the order of `load_labelled`; None where the set does not tell it
        of every image.
    """
    path = Path(source)
    if not path.exists():
        return None
    try:
        root = path / split
        if root.is_dir() and not _is_tfds(source):
            known = {row["file_name"]: row["batch"] for row in _metadata(root)}
            files = (file.relative_to(root) for file in _image_files(root))
            found = [known[file.as_posix()] for file in files]
        else:
            rows = _metadata(path if path.is_dir() else path.parent)
            found = [row["batch"] for row in sorted(rows, key=lambda row: row["index"])]
        numbers = np.asarray(found, np.int64)
    except (OSError, LookupError, TypeError, ValueError):
        # Any set may lie beside such a file, with other contents.
        return None
    return numbers if len(numbers) == count else None


def batches(
    data: LabelledImages, order: np.ndarray, batch_size: int, drop_last: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read the images of `order`, a batch at a time."""
    stop = len(order) - batch_size + 1 if drop_last else len(order)
    for start in range(0, stop, batch_size):
        yield data.read(order[start : start + batch_size])


def _npz_file(source: str, split: str) -> Path | None:
    """The .npz file that a source is, or that `export` left in it."""
    path = Path(source)
    if path.is_dir() and not (path / split).is_dir():
        path = path / "set.npz"
    return path if path.suffix == ".npz" and path.is_file() else None


def _nothing_at(source: str, split: str) -> DataError:
    return DataError(
        f"no labelled images at {source!r}: expected an .npz file, a folder with "
        f"{split}/CLASS/*.png, or tfds:NAME"
    )


def _from_npz(
    path: Path, split: str, classes: int, size: int | None, channels: int
) -> ArrayImages:
    with np.load(path) as arrays:
        wanted = (f"x_{split}", f"y_{split}")
        missing = [name for name in wanted if name not in arrays]
        if missing:
            raise DataError(
                f"{path} has no {' and no '.join(missing)}; it holds "
                f"{', '.join(arrays.files)}"
            )
        data = ArrayImages(*(arrays[name] for name in wanted))
    if size is not None and data.images.shape[1:3] != (size, size):
        raise DataError(
            f"{path}: expected images of {size}x{size} pixels, found "
            f"{data.images.shape[1]}x{data.images.shape[2]}"
        )
    if (found := data.images.shape[-1]) != channels:
        raise DataError(
            f"{path}: expected {_COLOURS[channels]} images (n, height, width, "
            f"{channels}), found {_COLOURS[found]} ones: choose a model of "
            f"{_COLOURS[found]} images, or give a folder of image files, which are "
            "converted"
        )
    if len(data) and not 0 <= data.labels.min() <= data.labels.max() < classes:
        raise DataError(f"{path}: labels must lie in 0..{classes - 1}")
    return data


def _from_folder(
    path: Path, split: str, classes: Sequence[str], size: int | None, channels: int
) -> DecodedImages:
    root = path / split
    if not root.is_dir():
        raise DataError(
            f"{path} has no folder {split!r}; where the folders of classes lie in it "
            "directly, the split is '.'"
        )
    labels = {folder_name(name): label for label, name in enumerate(classes)}
    folders = _folders(root)
    unknown = [name for name in folders if name not in labels]
    if unknown:
        raise DataError(
            f"{root / unknown[0]} is named after no class of the model "
            f"({', '.join(classes[:5])}, …)"
        )
    files = _image_files(root)
    if not files:
        raise DataError(f"{root} holds no images")
    return DecodedImages(
        lambda i: Image.open(files[i]),
        [labels[file.parent.name] for file in files],
        size,
        channels,
        lambda i: str(files[i]),
    )


def folder_name(name: str) -> str:
    """A class's name as that of a folder."""
    return name.replace("/", "-")


def _folders(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir())


def _image_files(root: Path) -> list[Path]:
    """The images in the folders of a folder, in the order of their numbers."""
    return [
        file
        for name in _folders(root)
        for file in sorted((root / name).iterdir())
        if file.suffix.lower() in IMAGE_SUFFIXES
    ]


def _metadata(root: Path) -> list[dict[str, Any]]:
    with (root / "metadata.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


def _is_tfds(source: str) -> bool:
    return source.startswith("tfds:") or (Path(source) / _TFDS_MARK).is_file()


def _from_tfds(
    source: str, split: str, size: int | None, channels: int
) -> DecodedImages:
    builder = _tfds_builder(source)
    if split not in builder.info.splits:
        raise DataError(
            f"{source} has no split {split!r}, but {', '.join(builder.info.splits)}"
        )
    import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

    images = builder.as_data_source(split)
    undecoded = {"image": tfds.decode.SkipDecoding()}
    labels = [
        int(row["label"]) for row in builder.as_data_source(split, decoders=undecoded)
    ]
    return DecodedImages(
        lambda i: to_picture(images[i]["image"]), labels, size, channels
    )


def _tfds_builder(source: str) -> Any:
    if not source.startswith("tfds:"):
        check_features(Path(source))
    try:
        import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise DataError(
            f"reading {source} needs tensorflow-datasets: pip install 'jinv[tfds]'"
        ) from error
    if source.startswith("tfds:"):
        builder = tfds.builder(source.removeprefix("tfds:"), file_format="array_record")
        builder.download_and_prepare()
        return builder
    return tfds.builder_from_directory(source)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
