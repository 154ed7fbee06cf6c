"""A folder of images, `SPLIT/CLASS/image.png`, as torchvision reads it."""

from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from jinv.data.class_folders import class_name, labels_by_folder
from jinv.data.image_files import folders_with_images, list_images, tell_left_out
from jinv.data.labelled import DecodedImages
from jinv.data.labels import listed, unknown_classes
from jinv.data.pictures import read_image
from jinv.errors import DataError

_WORDS = {
    "train": ("train", "training", "trn"),
    "test": ("test", "testing", "tst", "val", "valid", "validation", "eval", "dev"),
}
"""What splits are called, in lower case."""


class FolderSet:
    """A set in folders of splits, with a folder for each class in them."""

    def __init__(self, path: Path):
        """Hold the path of the set, at which nothing looks yet."""
        self._path = path

    @classmethod
    def find(cls, source: str, split: str) -> "FolderSet | None":
        """The set that a source is, if it is a folder: any may be one."""
        path = Path(source).expanduser()
        return cls(path) if path.is_dir() else None

    def has(self, split: str) -> bool:
        """Whether there is a folder of a split."""
        if (self._path / split).is_dir():
            return True
        if others := self._others(split):
            raise self._lacks(split, others)
        return False

    def classes(self, split: str) -> tuple[str, ...] | None:
        """Names of the classes, as their folders are called."""
        root = self._path / split
        if not root.is_dir():
            return None
        names = (class_name(folder) for folder in folders_with_images(root))
        return tuple(dict.fromkeys(names))

    def load(
        self, split: str, classes: Sequence[str], size: int | None, channels: int
    ) -> DecodedImages:
        """Open a split; see `load_labelled`."""
        root = self._path / split
        if not root.is_dir():
            raise self._lacks(split, self._others(split))
        listing = list_images(root)
        labels = labels_by_folder(listing.files, classes)
        if unknown := [folder for folder, label in labels.items() if label is None]:
            raise unknown_classes(unknown, str(root), classes)
        files = [file for found in listing.files.values() for file in found]
        tell_left_out(root, listing)
        if not files:
            raise DataError(
                f"{root} holds no images: expected them in a folder for each class, "
                f"as {root / 'CLASS' / 'image.png'}"
            )
        return DecodedImages(
            lambda i: read_image(files[i]),
            [labels[name] or 0 for name, found in listing.files.items() for _ in found],
            size,
            channels,
            lambda i: str(files[i]),
        )

    def places(self, split: str, written: Sequence[str]) -> list[int]:
        """The place of each image in a list of the names of all that were written.

        Args:
            split: Name of the split.
            written: Names as `export` notes them in `metadata.jsonl`.

        Raises:
            LookupError, TypeError: An image is not in the list, or that has no names.
        """
        # What was written in NFC, macOS may list in NFD.
        known = {normalize("NFC", name): place for place, name in enumerate(written)}
        root = self._path / split
        return [
            known[normalize("NFC", file.relative_to(root).as_posix())]
            for files in list_images(root).files.values()
            for file in files
        ]

    def _others(self, split: str) -> list[str]:
        """Folders whose names say the same as that of a split."""
        words = next((w for w in _WORDS.values() if split.lower() in w), ())
        return sorted(
            entry.name
            for entry in self._path.iterdir()
            if entry.is_dir() and entry.name.lower() in {split.lower(), *words}
        )

    def _lacks(self, split: str, others: Sequence[str]) -> DataError:
        wanted = f"{self._path} has no folder {split!r}"
        if others:
            return DataError(
                f"{wanted}, but {listed(others)}: name or link it {split!r}, or choose "
                f"it by an option (train: --split, --test-split {others[0]}; "
                "evaluate: --split, --real-split, --control-split)"
            )
        entries = sorted(entry.name for entry in self._path.iterdir())
        holds = f"it holds {listed(entries, 5)}" if entries else "it is empty"
        return DataError(
            f"{wanted}; {holds}; where the folders of classes lie in it directly, the "
            "split is '.'"
        )
