"""Reading what `torch.save` wrote, without PyTorch and without running it."""

import io
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jinv.formats.archives import open_archive
from jinv.formats.inert import Inert
from jinv.formats.pickled_arrays import Draft, Function, Refused, check_numbers
from jinv.formats.pickles import run_pickle

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
_UNREAD = {
    "UntypedStorage": 1,
    "QInt8Storage": 1,
    "QUInt8Storage": 1,
    "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1,
    "QInt32Storage": 4,
    "ComplexFloatStorage": 8,
    "ComplexDoubleStorage": 16,
}
"""Bytes of an element of those whose tensors are passed over."""
_MOST_REPEATED = 2**20
"""Elements of a tensor that repeats elements of its storage (stride 0)."""
_MOST_INNER, _LONGEST_INNER = 10_000, 100
"""Files within a file, each of one storage, and the instructions of each."""
_MOST_ARGUMENTS = 16


class _StorageType:
    """Names the type of a storage; calling it makes nothing."""

    def __init__(self, name: str, code: str):
        self.name, self.bfloat16 = name, code == _BFLOAT16
        self.dtype = np.dtype("<u2" if self.bfloat16 else code)

    def __call__(self, *_: Any) -> Any:
        raise Refused("it makes a storage of its own")


class _Storage(NamedTuple):
    """Numbers in a row; only a reader of files makes one."""

    kind: _StorageType
    data: np.ndarray


class _Brain(Draft):
    """A tensor of bfloat16, whose storage may be filled when the program has ended."""

    def __init__(self, bits: np.ndarray):
        self._bits, self._numbers = bits, None

    def finished(self) -> np.ndarray:
        if self._numbers is None:
            self._numbers = _from_bfloat16(self._bits)
        return self._numbers


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote, or another pickle in which tensors may lie.

    Both formats are read: the zip archive, and that of PyTorch before 1.6. Arrays
    cannot be written to; bfloat16 becomes float32.

    Returns:
        Containers in which arrays and drafts stand for tensors, see `run_pickle`.

    Raises:
        pickle.UnpicklingError: It makes no sense as a program.
        ValueError: It claims to hold more than it can.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if zipped:
        return _read_archive(path)
    return _read_stream(io.BytesIO(path.read_bytes()), path.stat().st_size)


def _read_archive(path: Path) -> Any:
    with open_archive(path) as archive:
        names = sorted(archive.namelist(), key=lambda name: name.count("/"))
        program = next((n for n in names if n.endswith("data.pkl")), None)
        if program is None:
            raise Refused("the archive holds no data.pkl")
        folder = program.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in names and archive.read(order) != b"little":
            raise Refused("its numbers begin with their big end")
        known: dict[str, _Storage] = {}

        def load_storage(kind: Any, key: str, *_: Any) -> Any:
            if isinstance(kind, Inert):
                return kind
            _check_kind(kind)
            if kind.name in _UNREAD:
                return Inert(f"torch.{kind.name}")
            if key not in known:
                content = archive.read(f"{folder}data/{key}")
                whole = len(content) // kind.dtype.itemsize * kind.dtype.itemsize
                known[key] = _Storage(kind, np.frombuffer(content[:whole], kind.dtype))
            if known[key].kind is not kind:
                raise Refused("it gives one storage two types")
            return known[key]

        content = io.BytesIO(archive.read(program))
        return run_pickle(content, _functions(4 * path.stat().st_size), load_storage)


def _read_stream(file: io.BytesIO, size: int) -> Any:
    functions = _functions(4 * size) | _inner_files()
    first = run_pickle(file, functions)
    if type(first) is not int or first != _LEGACY_MAGIC:
        # A pickle of arrays or of tensors, that torch.save has not written.
        return first
    return _read_legacy(file, size, functions)


def _read_legacy(
    file: io.BytesIO,
    size: int,
    functions: dict[tuple[str, str], Callable],
    most: int | None = None,
) -> Any:
    """What follows the magic number."""
    run_pickle(file, most=most)  # version of the format
    run_pickle(file, most=most)  # sizes of the writer's types
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
    content = run_pickle(file, functions, load_storage, most)
    keys = run_pickle(file, most=most)
    if type(keys) is not list or sorted(keys) != sorted(storages):
        raise Refused("its storages are not those that its tensors need")
    for key in keys:
        data = storages[key].data
        (length,) = struct.unpack("<q", file.read(8))
        if length != data.size:
            raise Refused("a storage has another length than it was said to have")
        data[:] = np.frombuffer(file.read(data.nbytes), data.dtype)
    return content


def _inner_files() -> dict[tuple[str, str], Callable]:
    """What reads the storages of tensors that went through `pickle.dump`."""
    left = _MOST_INNER

    def load(content: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or type(content) is not bytes:
            raise Refused("it holds too many files, or what are none")
        file = io.BytesIO(content)
        if run_pickle(file, most=_LONGEST_INNER) != _LEGACY_MAGIC:
            raise Refused("it holds a file that torch.save did not write")
        return _read_legacy(file, len(content), {**_TYPES}, _LONGEST_INNER)

    return {("torch.storage", "_load_from_bytes"): load}


def _check_kind(kind: Any) -> None:
    if isinstance(kind, Inert):
        raise Refused(f"it has a storage of a type that is not known, {kind.name}")
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

    def tensor(storage: Any, *place: Any) -> Any:
        nonlocal left
        if isinstance(storage, Inert):
            return Inert(f"a tensor of {storage.name}")
        if type(storage) is _Storage and storage.kind.name in _UNREAD:
            return Inert(f"a tensor of torch.{storage.kind.name}")
        view = _view(storage, *place)
        if not storage.kind.bfloat16:
            return view
        left -= view.size
        if left < 0:
            raise Refused("its tensors are larger than the file")
        return _Brain(view)

    def of_type(make: Any, kind: Any, arguments: Any, *_: Any) -> Any:
        # No other function: what it is given is not counted as a copy.
        known = type(make) is Function and make.call in (tensor, _parameter)
        few = type(arguments) is tuple and len(arguments) <= _MOST_ARGUMENTS
        if not known or not few:
            return Inert(kind.name if isinstance(kind, Inert) else "torch.Tensor")
        return make.call(*arguments)

    return {
        ("torch._utils", "_rebuild_tensor"): tensor,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
        ("torch._utils", "_rebuild_device_tensor_from_numpy"): _parameter,
        ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _parameter,
        ("torch._tensor", "_rebuild_from_type_v2"): of_type,
        **_TYPES,
    }


def _from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """bfloat16 is the upper half of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _parameter(data: Any, *_: Any) -> Any:
    if not isinstance(data, np.ndarray | Draft | Inert):
        raise Refused("a parameter is no tensor")
    return data


_KINDS = {name: _StorageType(name, code) for name, code in _STORAGES.items()} | {
    name: _StorageType(name, f"V{size}") for name, size in _UNREAD.items()
}
_TYPES: dict[tuple[str, str], Callable] = {
    (module, name): kind
    for module in ("torch", "torch.storage", "torch.cuda")
    for name, kind in _KINDS.items()
}
