"""Reading what `torch.save` wrote, without PyTorch and without running it."""

import io
import math
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jinv.formats.archives import open_archive
from jinv.formats.pickles import Refused, check_numbers, run_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_BFLOAT16 = "bfloat16"
_STORAGES: dict[str, Any] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MOST_REPEATED = 2**20
"""Elements of a tensor that repeats elements of its storage (stride 0)."""


class _StorageType:
    """Names the type of a storage; calling it makes nothing."""

    def __init__(self, name: str):
        self.bfloat16 = name == _BFLOAT16
        self.dtype = np.dtype("<u2" if self.bfloat16 else name)

    def __call__(self, *_: Any) -> Any:
        raise Refused("it makes a storage of its own")


class _Storage(NamedTuple):
    """Numbers in a row; only a reader of files makes one."""

    kind: _StorageType
    data: np.ndarray


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote: containers with arrays in the place of tensors.

    Both formats are read: the zip archive, and that of PyTorch before 1.6. Arrays
    cannot be written to; bfloat16, which the old format hardly had, becomes float32.

    Raises:
        pickle.UnpicklingError: It holds anything but containers, numbers and tensors.
        ValueError: It claims to hold more than it can.
    """
    if zipfile.is_zipfile(path):
        return _read_archive(path)
    return _read_legacy(io.BytesIO(path.read_bytes()), path.stat().st_size)


def _read_archive(path: Path) -> Any:
    with open_archive(path) as archive:
        names = archive.namelist()
        program = next((n for n in names if n.endswith("data.pkl")), None)
        if program is None:
            raise Refused("the archive holds no data.pkl")
        folder = program.removesuffix("data.pkl")
        known: dict[str, _Storage] = {}

        def load_storage(kind: Any, key: str, *_: Any) -> _Storage:
            _check_kind(kind)
            if key not in known:
                content = archive.read(f"{folder}data/{key}")
                whole = len(content) // kind.dtype.itemsize * kind.dtype.itemsize
                known[key] = _Storage(kind, np.frombuffer(content[:whole], kind.dtype))
            if known[key].kind is not kind:
                raise Refused("it gives one storage two types")
            return known[key]

        content = io.BytesIO(archive.read(program))
        return run_pickle(content, _functions(4 * path.stat().st_size), load_storage)


def _read_legacy(file: io.BytesIO, size: int) -> Any:
    if run_pickle(file) != _LEGACY_MAGIC:
        raise Refused("it was not written by torch.save")
    run_pickle(file)  # version of the format
    run_pickle(file)  # sizes of the writer's types
    storages: dict[str, _Storage] = {}
    claimed = 0

    def load_storage(kind: Any, key: str, _: Any, length: int, *view: Any) -> _Storage:
        nonlocal claimed
        _check_kind(kind)
        if any(part is not None for part in view):
            raise Refused("it holds views of storages")
        if key not in storages:
            claimed += length * kind.dtype.itemsize
            if length < 0 or claimed > size:
                raise Refused("its storages are larger than the file")
            storages[key] = _Storage(kind, np.zeros(length, kind.dtype))
        return storages[key]

    # The arrays are views of storages that are filled afterwards.
    content = run_pickle(file, _functions(0), load_storage)
    keys = run_pickle(file)
    if type(keys) is not list or sorted(keys) != sorted(storages):
        raise Refused("its storages are not those that its tensors need")
    for key in keys:
        data = storages[key].data
        (length,) = struct.unpack("<q", file.read(8))
        if length != data.size:
            raise Refused("a storage has another length than it was said to have")
        data[:] = np.frombuffer(file.read(data.nbytes), data.dtype)
    return content


def _check_kind(kind: Any) -> None:
    if type(kind) is not _StorageType:
        raise Refused("a storage has no type")


def _view(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    """The elements of a storage that a tensor says are its own, all in elements."""
    if type(storage) is not _Storage or type(offset) is not int or offset < 0:
        raise Refused("a tensor has no storage")
    check_numbers(size)
    check_numbers(stride)
    count, data = math.prod(size), storage.data
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count and last >= data.size:
        raise Refused("a tensor reaches beyond its data")
    if count > max(data.size, _MOST_REPEATED):
        raise Refused("a tensor repeats its data too often")
    if not count:
        return np.empty(size, data.dtype)
    strides = tuple(n * data.itemsize for n in stride)
    return np.lib.stride_tricks.as_strided(
        data[offset:], size, strides, writeable=False
    )


def _functions(most: int) -> dict[tuple[str, str], Callable]:
    """What a program may call that makes at most so many elements of bfloat16."""
    left = most

    def tensor(storage: Any, *place: Any) -> np.ndarray:
        nonlocal left
        view = _view(storage, *place)
        if not storage.kind.bfloat16:
            return view
        left -= view.size
        if left < 0:
            raise Refused("its tensors are larger than the file")
        return _from_bfloat16(view)

    return {
        ("torch._utils", "_rebuild_tensor"): tensor,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
    } | {("torch", name): kind for name, kind in _KINDS.items()}


def _from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """bfloat16 is the upper half of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _parameter(data: Any, *_: Any) -> Any:
    if not isinstance(data, np.ndarray):
        raise Refused("a parameter is no tensor")
    return data


_KINDS = {name: _StorageType(code) for name, code in _STORAGES.items()}
