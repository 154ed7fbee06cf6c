"""Soft labels: what a teacher says of each image of a set, in a file beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jinv.atomic import replacing
from jinv.data.labels import to_labels
from jinv.errors import DataError
from jinv.formats.archives import TORN, read_npz

SOFT_LABELS = "soft_labels-*.npz"
"""Pattern of the files' names."""


class SoftLabels(NamedTuple):
    """What a teacher says of the images of a set, in their order.

    Attributes:
        logits: Logits (images, classes), float16.
        classes: Names of the classes, in the order of the logits.
        teacher: Name of the network that said so.
        sha256: Checksum of its weights.
    """

    logits: np.ndarray
    classes: Sequence[str]
    teacher: str
    sha256: str

    def among(self, classes: Sequence[str], where: str) -> "SoftLabels":
        """The same, in the order of a model's classes.

        Args:
            classes: Names of the model's classes.
            where: What errors call the soft labels.

        Raises:
            DataError: They are not of all of these classes, and no others.
        """
        places = to_labels(np.asarray(self.classes, str), where, classes)
        if sorted(places.tolist()) != list(range(len(classes))):
            raise DataError(
                f"{where} holds logits of {len(self.classes)} classes, the model has "
                f"{len(classes)}: choose a model of the teacher's classes, or name "
                "these by --class-names"
            )
        return self._replace(
            logits=self.logits[:, np.argsort(places)], classes=tuple(classes)
        )


def half(logits: np.ndarray) -> np.ndarray:
    """Logits as they are stored: float16, the largest of which has to do for more."""
    most = np.finfo(np.float16).max
    return np.clip(logits, -most, most).astype(np.float16)


def soft_labels_path(folder: Path, split: str) -> Path:
    """Path of the soft labels of a split of the set in a folder."""
    return folder / SOFT_LABELS.replace("*", split)


def write_soft_labels(path: Path, found: SoftLabels) -> None:
    """Write soft labels, in the order in which the images were written."""
    arrays: dict[str, Any] = found._asdict()
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def read_soft_labels(path: Path) -> SoftLabels:
    """Read soft labels, in the order in which the images were written.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    try:
        arrays = read_npz(path, SoftLabels._fields, text=True)
    except TORN as error:
        raise DataError(
            f"{path} cannot be read as soft labels: {' '.join(str(error).split())}"
        ) from error
    if missing := [name for name in SoftLabels._fields if name not in arrays]:
        raise DataError(f"{path} holds no soft labels: it has no {missing[0]}")
    logits, classes = arrays["logits"], arrays["classes"]
    if (
        logits.dtype.kind != "f"
        or logits.ndim != 2
        or classes.dtype.kind != "U"
        or classes.shape != logits.shape[1:]
        or not np.all(np.isfinite(logits))
    ):
        raise DataError(
            f"{path}: expected finite logits (images, classes) and a name of each "
            f"class, found {logits.dtype} of shape {logits.shape} and {classes.size} "
            "names"
        )
    teacher, sha256 = (str(arrays[name]) for name in ("teacher", "sha256"))
    return SoftLabels(logits, tuple(classes.tolist()), teacher, sha256)
