"""An .npz file of arrays: `x_train`, `y_train` and so on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jinv.data.labelled import ArrayImages, check_size
from jinv.data.labels import to_labels
from jinv.errors import DataError
from jinv.formats.archives import TORN, names_in_npz, read_npz

NPZ = "set.npz"
"""Name of the file that `export` leaves in the form "npz"."""

_NAMES = (("x_{}", "y_{}"), ("{}_images", "{}_labels"))
"""Names of a split's images and labels: Keras' and ours, and MedMNIST's."""
_COLOURS = {1: "grey", 3: "colour"}


class NpzSet:
    """A set in one .npz file."""

    def __init__(self, path: Path):
        """Hold the path of the file, at which nothing looks yet."""
        self._path = path

    @classmethod
    def find(cls, source: str, split: str) -> "NpzSet | None":
        """The .npz file that a source is, or that `export` left in it."""
        path = Path(source).expanduser()
        if path.is_dir() and not (path / split).is_dir():
            path = path / NPZ
        return cls(path) if path.suffix.lower() == ".npz" and path.is_file() else None

    def has(self, split: str) -> bool:
        """Whether the file has images of a split."""
        return self._pair(split, self._names()) is not None

    def classes(self, split: str) -> tuple[str, ...] | None:
        """Names of the classes, if the file tells them."""
        if "classes" not in self._names():
            return None
        names = self._read("classes")["classes"]
        if names.dtype.kind != "U" or names.ndim != 1:
            raise DataError(
                f"{self._path}: classes holds {names.dtype} of shape {names.shape}: "
                "expected names, np.asarray(names, str)"
            )
        return tuple(names.tolist())

    def load(
        self, split: str, classes: Sequence[str], size: int | None, channels: int
    ) -> ArrayImages:
        """Open a split; see `load_labelled`."""
        present = self._names()
        pair = self._pair(split, present)
        if pair is None:
            wanted = [name.format(split) for name in _NAMES[0]]
            missing = [name for name in wanted if name not in present]
            raise DataError(
                f"{self._path} has no {' and no '.join(missing)}; it holds "
                f"{', '.join(present)[:300] or 'nothing'}"
            )
        arrays = self._read(*pair)
        images, found = (arrays[name] for name in pair)
        self._check_images(pair[0], images, size, channels)
        own = self.classes(split)
        labels = to_labels(found, f"{self._path}, {pair[1]}", classes, own)
        if len(images) != len(labels):
            raise DataError(
                f"{self._path}: {pair[0]} holds {len(images)} images, {pair[1]} "
                f"{len(labels)} labels: expected one for each"
            )
        return ArrayImages(images, labels)

    def _check_images(
        self, name: str, images: np.ndarray, size: int | None, channels: int
    ) -> None:
        where, shape = f"{self._path}: {name}", images.shape
        if images.dtype != np.uint8:
            how = "(255 * x).round()" if images.dtype.kind == "f" else "x"
            raise DataError(
                f"{where} holds {images.dtype}: expected uint8 in 0..255; save "
                f"{how}.astype(np.uint8)"
            )
        if len(shape) == 4 and shape[1] in _COLOURS and shape[3] not in _COLOURS:
            raise DataError(
                f"{where} has the shape {shape}, channels first: expected (n, height, "
                "width, channels); save np.moveaxis(x, 1, -1)"
            )
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in _COLOURS):
            raise DataError(
                f"{where} has the shape {shape}: expected (n, height, width, 3), or "
                "(n, height, width) where grey"
            )
        if images.size == 0:
            raise DataError(f"{where} holds no images: its shape is {shape}")
        check_size(str(self._path), images, size)
        if (found := shape[3] if len(shape) == 4 else 1) != channels:
            raise DataError(
                f"{self._path}: expected {_COLOURS[channels]} images (n, height, "
                f"width, {channels}), found {_COLOURS[found]} ones: choose a model of "
                f"{_COLOURS[found]} images, or give a folder of image files, which are "
                "converted"
            )

    def _pair(self, split: str, present: Sequence[str]) -> tuple[str, str] | None:
        for images, labels in _NAMES:
            pair = images.format(split), labels.format(split)
            if set(pair) <= set(present):
                return pair
        return None

    def _names(self) -> list[str]:
        try:
            return names_in_npz(self._path)
        except TORN as error:
            raise self._unreadable(error) from error

    def _read(self, *names: str) -> dict[str, np.ndarray]:
        try:
            return read_npz(self._path, names, text=True)
        except TORN as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return DataError(f"{self._path} cannot be read as a set of arrays: {reason}")
