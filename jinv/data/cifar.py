"""CIFAR-10 and CIFAR-100 as they are distributed, as Python's pickles or binary.

Krizhevsky 2009; https://www.cs.toronto.edu/~kriz/cifar.html. Pickles are read without
running what is in them.
"""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.data.bundles import Bundle
from jinv.errors import DataError
from jinv.formats.pickled_arrays import Draft
from jinv.formats.pickles import run_pickle

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_BROKEN = (ValueError, TypeError, LookupError, EOFError, ArithmeticError,
           AttributeError, RuntimeError, pickle.UnpicklingError)  # fmt: skip


@dataclass(frozen=True)
class Cifar:
    """CIFAR-10 or CIFAR-100, in one of the four forms that are distributed.

    Attributes:
        title: Title that people know it by.
        folders: Folders where torchvision leaves it, below the one that it is given.
        mark: Files by any of which the form is known.
        files: Files of each split.
        names_file: File that holds the names of the classes.
        images_of: Images (n, 3072) and labels (n,) of the content of a file.
        names_of: Names of the classes, from the content of that file.
    """

    title: str
    folders: tuple[str, ...]
    mark: frozenset[str]
    files: dict[str, tuple[str, ...]]
    names_file: str
    images_of: Callable[[bytes], tuple[np.ndarray, np.ndarray]]
    names_of: Callable[[bytes], Any]

    def is_in(self, bundle: Bundle) -> bool:
        """Whether any of the form's files is in a bundle."""
        return not self.mark.isdisjoint(bundle.names)

    def has(self, bundle: Bundle, split: str) -> bool:
        """Whether any file of a split is in a bundle."""
        return not bundle.names.isdisjoint(self.files.get(split, ()))

    def classes(self, bundle: Bundle) -> tuple[str, ...]:
        """Names of the classes, as a bundle's file has them."""
        content = self._read(bundle, (self.names_file,))[self.names_file]
        names = self._understood(bundle, self.names_file, self.names_of, content)
        if not names or not all(type(name) is str for name in names):
            raise self._foreign(bundle, self.names_file, "it names no classes")
        return tuple(names)

    def load(self, bundle: Bundle, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Load a split: images (n, 32, 32, 3) uint8 and labels (n,)."""
        files = self.files[split]
        parts = self._read(
            bundle,
            files,
            lambda name, content: self._understood(
                bundle, name, self.images_of, content
            ),
        )
        images, labels = zip(*(parts[name] for name in files), strict=True)
        planes = np.concatenate(images).reshape(-1, 3, _SIDE, _SIDE)
        return planes.transpose(0, 2, 3, 1), np.concatenate(labels)

    def _read(
        self,
        bundle: Bundle,
        files: tuple[str, ...],
        make: Callable[[str, bytes], Any] = lambda _, content: content,
    ) -> dict[str, Any]:
        """What is made of each of these files, one after the other."""
        if missing := [name for name in files if name not in bundle.names]:
            raise DataError(
                f"{bundle.where} lacks {', '.join(missing)} of {self.title}: download "
                "the set anew"
            )
        return {name: make(name, content) for name, content in bundle.read(files)}

    def _understood(
        self, bundle: Bundle, name: str, read: Callable[[bytes], Any], content: bytes
    ) -> Any:
        try:
            return read(content)
        except _BROKEN as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            reason = f"it has no {reason}" if isinstance(error, KeyError) else reason
            raise self._foreign(bundle, name, reason) from error

    def _foreign(self, bundle: Bundle, name: str, reason: str) -> DataError:
        return DataError(
            f"{bundle.where}: {name} is no file of {self.title}, or torn: "
            f"{reason[:300]}; download the set anew"
        )


def _pickled(labels: str) -> Callable[[bytes], tuple[np.ndarray, np.ndarray]]:
    def read(content: bytes) -> tuple[np.ndarray, np.ndarray]:
        batch = _unpickled(content)
        images, numbers = batch["data"], batch[labels]
        if images.dtype != np.uint8 or images.shape != (len(numbers), _PIXELS):
            raise ValueError(
                f"{len(numbers)} labels need data of {len(numbers)} x {_PIXELS} bytes, "
                f"found {images.dtype} of shape {images.shape}"
            )
        if not all(type(number) is int for number in numbers):
            raise ValueError(f"{labels} are not all numbers")
        return images, np.asarray(numbers)

    return read


def _unpickled(content: bytes) -> dict[Any, Any]:
    found = run_pickle(io.BytesIO(content))
    return {
        key: value.finished() if isinstance(value, Draft) else value
        for key, value in found.items()
    }


def _pickled_names(key: str) -> Callable[[bytes], Any]:
    return lambda content: [_text(name) for name in _unpickled(content)[key]]


def _text(name: Any) -> Any:
    """A text that somebody's Python 3 has saved as bytes."""
    return name.decode("latin1") if type(name) is bytes else name


def _binary(head: int) -> Callable[[bytes], tuple[np.ndarray, np.ndarray]]:
    """Reader of records with so many labels, the last of which is the one to learn."""

    def read(content: bytes) -> tuple[np.ndarray, np.ndarray]:
        record = head + _PIXELS
        if not content or len(content) % record:
            raise ValueError(f"{len(content):,} bytes are no records of {record:,}")
        records = np.frombuffer(content, np.uint8).reshape(-1, record)
        return records[:, head:], records[:, head - 1]

    return read


def _lines(content: bytes) -> list[str]:
    return content.decode().split()


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))

CIFARS = (
    Cifar(
        "CIFAR-10 (python version)",
        ("cifar-10-batches-py",),
        frozenset((*_BATCHES, "test_batch", "batches.meta")),
        {"train": _BATCHES, "test": ("test_batch",)},
        "batches.meta",
        _pickled("labels"),
        _pickled_names("label_names"),
    ),
    Cifar(
        "CIFAR-100 (python version)",
        ("cifar-100-python",),
        frozenset(["meta"]),
        {"train": ("train",), "test": ("test",)},
        "meta",
        _pickled("fine_labels"),
        _pickled_names("fine_label_names"),
    ),
    Cifar(
        "CIFAR-10 (binary version)",
        ("cifar-10-batches-bin",),
        frozenset((*(f"{name}.bin" for name in _BATCHES), "test_batch.bin")),
        {
            "train": tuple(f"{name}.bin" for name in _BATCHES),
            "test": ("test_batch.bin",),
        },
        "batches.meta.txt",
        _binary(1),
        _lines,
    ),
    Cifar(
        "CIFAR-100 (binary version)",
        ("cifar-100-binary",),
        frozenset(["fine_label_names.txt"]),
        {"train": ("train.bin",), "test": ("test.bin",)},
        "fine_label_names.txt",
        _binary(2),
        _lines,
    ),
)
