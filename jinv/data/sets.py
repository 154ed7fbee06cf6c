"""Labelled sets by where they lie: each form is asked, in order."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from jinv.checked import checked
from jinv.data.distributed_set import DistributedSet
from jinv.data.folder_set import FolderSet
from jinv.data.labelled import LabelledImages
from jinv.data.npz_set import NpzSet
from jinv.data.soft_labels import SoftLabels, read_soft_labels, soft_labels_path
from jinv.data.tfds_set import TfdsSet
from jinv.errors import DataError
from jinv.json_text import parse_json
from jinv.values import Count

Source = str | os.PathLike[str]
_NOT_NOTED = (OSError, LookupError, TypeError, ValueError, DataError)
"""What looking for what `export` noted raises, where it did not."""


class LabelledSet(Protocol):
    """A set in one of the known forms, of which nothing is read yet."""

    def has(self, split: str) -> bool:
        """Whether there are images of a split."""
        ...

    def classes(self, split: str) -> tuple[str, ...] | None:
        """The set's own names of its classes, if it tells them."""
        ...

    def load(
        self, split: str, classes: Sequence[str], size: int | None, channels: int
    ) -> LabelledImages:
        """Open a split; see `load_labelled`."""
        ...


_FORMS: tuple[Callable[[str, str], LabelledSet | None], ...] = (
    TfdsSet.find,
    NpzSet.find,
    DistributedSet.find,
    FolderSet.find,
)
"""Each tells whether a source is of its form; where none does, it is an error."""


@checked
def load_labelled(
    source: Source,
    split: str,
    classes: Sequence[str],
    size: Count | None,
    channels: int = 3,
) -> LabelledImages:
    """Open one split of a labelled set.

    | form | where the images and labels are |
    |---|---|
    | folder | `SPLIT/class/image.png`, or deeper below the class |
    | .npz | `x_SPLIT` (uint8, NHWC; grey also NHW), `y_SPLIT`, and `classes` if they \
have names; or `SPLIT_images`, `SPLIT_labels` |
    | what `export` wrote | a folder of images, or one with `set.npz` |
    | CIFAR-10, CIFAR-100 | the folder or the .tar.gz of the python or binary version |
    | MNIST and its likes | a folder of idx files, packed by gzip or not |
    | tfds | `tfds:NAME`, or a folder that it wrote |

    Args:
        source: Path of the set, or `tfds:NAME`.
        split: "train" or "test"; "." for a folder with no level of splits.
        classes: Names of the classes in the order of the labels. Where a set names its
            own, they are found among these by name.
        size: Height and width of the images, in pixels; None leaves them as they are.
        channels: Channels of the images: 3 of colour, or 1 of grey. All but .npz files
            are converted.

    Raises:
        DataError: The source is missing, torn, or of none of these forms; or it has
            classes that are not among these; or arrays of images have another size.

    Example:
        >>> import tempfile
        >>> images, labels = np.zeros((3, 8, 8, 3), np.uint8), np.array([0, 1, 1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/set.npz", x_train=images, y_train=labels)
        ...     data = load_labelled(folder, "train", ["cat", "dog"], size=8)
        >>> len(data), data.labels.tolist()
        (3, [0, 1, 1])
    """
    return _find(source, split).load(split, classes, size, channels)


def open_labelled(
    source: Source,
    split: str,
    otherwise: Sequence[str],
    size: int | None,
    channels: int = 3,
) -> tuple[Sequence[str], LabelledImages]:
    """Open a set by its own names of its classes: these, and its images.

    Args:
        source: Path or name of the set, as for `load_labelled`.
        split: Name of the split.
        otherwise: Names of the classes of a set that does not tell them.
        size: Height and width of the images, in pixels; None leaves them as they are.
        channels: Channels of the images: 3 of colour, or 1 of grey.

    Raises:
        DataError: The set cannot be opened, as for `load_labelled`.
    """
    classes = classes_of(source, split) or otherwise
    return classes, load_labelled(source, split, classes, size, channels)


def has_split(source: Source, split: str) -> bool:
    """Whether a labelled set has images and labels of this split.

    Args:
        source: Path or name of the set, as for `load_labelled`.
        split: Name of the split.

    Raises:
        DataError: The source is missing or of no known form; or a folder has this split
            under another name, such as "val" for "test".
    """
    return _find(source, split).has(split)


def classes_of(source: Source, split: str) -> tuple[str, ...] | None:
    """The names that a set itself gives to its classes, in the order of its labels.

    Args:
        source: Path or name of the set, as for `load_labelled`.
        split: Name of the split.

    Returns:
        The names; None where the set, an .npz file, does not tell them.
    """
    return _find(source, split).classes(split)


def batch_numbers_of(source: Source, split: str, count: int) -> np.ndarray | None:
    """The batch of synthesis that each image comes from, if a set of ours tells it.

    It does so in the `metadata.jsonl` that `export` wrote beside the images.

    Args:
        source: Path or name of the set, as for `load_labelled`.
        split: Name of the split.
        count: Number of images that `load_labelled` found.

    Returns:
        Numbers (images,), in the order of `load_labelled`; None where the set does not
        tell it of every image.
    """
    try:
        rows, places = _noted(source, split)
        numbers = np.asarray([rows[place]["batch"] for place in places], np.int64)
    except _NOT_NOTED:
        # Any set may lie beside such a file, with other contents.
        return None
    return numbers if len(numbers) == count else None


def soft_labels_of(
    source: Source, split: str, classes: Sequence[str], count: int
) -> SoftLabels:
    """What a teacher said of each image, if it was stored when the set was made.

    Args:
        source: Path or name of the set, as for `load_labelled`.
        split: Name of the split.
        classes: Names of the classes, in the order of the logits wanted.
        count: Number of images that `load_labelled` found.

    Returns:
        The soft labels, in the order of `load_labelled`.

    Raises:
        DataError: The set has none, or they are of other images or classes.
    """
    path = soft_labels_path(_folder(source), split)
    if not path.is_file():
        raise DataError(
            f"{os.fspath(source)} has no soft labels: expected {path.name} beside its "
            "images, as `jinv synthesize --soft-labels` writes it"
        )
    found = read_soft_labels(path).among(classes, str(path))
    try:
        rows, places = _noted(source, split)
    except _NOT_NOTED:
        rows, places = [], []
    if not (len(rows) == len(found.logits) and len(places) == count):
        raise DataError(
            f"{path} holds logits of {len(found.logits)} images, which are not the "
            f"{count} of the set, by its metadata.jsonl: make the set anew"
        )
    return found._replace(logits=found.logits[places])


def _noted(source: Source, split: str) -> tuple[list[Any], list[int]]:
    """Rows that `export` noted of images, and which of them each image here has.

    Raises:
        OSError, LookupError, TypeError, ValueError, DataError: It noted nothing.
    """
    if not Path(source).expanduser().exists():
        raise DataError(f"{source} is no folder and no file")
    found, folder = _find(source, split), _folder(source)
    if isinstance(found, FolderSet):
        folder = folder / split
    with (folder / "metadata.jsonl").open(encoding="utf-8") as lines:
        rows = [parse_json(line) for line in lines]
    if isinstance(found, FolderSet):
        return rows, found.places(split, [row["file_name"] for row in rows])
    return rows, sorted(range(len(rows)), key=lambda place: rows[place]["index"])


def _folder(source: Source) -> Path:
    """The folder in which `export` left what a source is."""
    path = Path(source).expanduser()
    return path if path.is_dir() else path.parent


def _find(source: Source, split: str) -> LabelledSet:
    text = os.fspath(source)
    for find in _FORMS:
        if (found := find(text, split)) is not None:
            return found
    path = Path(text).expanduser()
    if path.is_file():
        raise DataError(
            f"no labelled images at {text!r}: this file is of no known form; of an "
            "archive give the unpacked folder, and of a set of several files theirs"
        )
    raise DataError(
        f"no labelled images at {text!r}: expected an .npz file, a folder with "
        f"{split}/CLASS/*.png, the files of CIFAR or MNIST, or tfds:NAME"
    )
