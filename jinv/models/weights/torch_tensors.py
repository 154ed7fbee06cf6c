"""Tensors and storages as PyTorch's files describe them."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jinv.formats.inert import Inert
from jinv.formats.pickled_arrays import Draft, Function, Refused, check_numbers

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
UNREAD = {
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
_MOST_ARGUMENTS = 16


class StorageType:
    """A name for the type of a storage; calling it makes nothing."""

    def __init__(self, name: str, code: str):
        """Name a type of NumPy's, or bfloat16."""
        self.name, self.bfloat16 = name, code == _BFLOAT16
        self.dtype = np.dtype("<u2" if self.bfloat16 else code)

    def __call__(self, *_: Any) -> Any:
        """Refuse to make a storage.

        Raises:
            Refused: Always.
        """
        raise Refused("it makes a storage of its own")


class Storage(NamedTuple):
    """A row of numbers; only a reader of files makes one."""

    kind: StorageType
    data: np.ndarray


class _Brain(Draft):
    """A tensor of bfloat16, whose storage may be filled when the program has ended."""

    def __init__(self, bits: np.ndarray):
        self._bits, self._numbers = bits, None

    def finished(self) -> np.ndarray:
        if self._numbers is None:
            self._numbers = _from_bfloat16(self._bits)
        return self._numbers


def check_kind(kind: Any) -> None:
    """Refuse anything but the known types of a storage.

    Raises:
        Refused: It is no such type.
    """
    if isinstance(kind, Inert):
        raise Refused(f"it has a storage of a type that is not known, {kind.name}")
    if type(kind) is not StorageType:
        raise Refused("a storage has no type")


def _view(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    """The elements of a storage that a tensor says are its own, all in elements."""
    if type(storage) is not Storage or type(offset) is not int or offset < 0:
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


def tensor_functions(most: int) -> dict[tuple[str, str], Callable]:
    """Functions for a pickle's program; they make at most so many of bfloat16."""
    left = most

    def tensor(storage: Any, *place: Any) -> Any:
        nonlocal left
        if isinstance(storage, Inert):
            return Inert(f"a tensor of {storage.name}")
        if type(storage) is Storage and storage.kind.name in UNREAD:
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
        **TYPES,
    }


def _from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """bfloat16 is the upper half of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _parameter(data: Any, *_: Any) -> Any:
    if not isinstance(data, np.ndarray | Draft | Inert):
        raise Refused("a parameter is no tensor")
    return data


_KINDS = {name: StorageType(name, code) for name, code in _STORAGES.items()} | {
    name: StorageType(name, f"V{size}") for name, size in UNREAD.items()
}
TYPES: dict[tuple[str, str], Callable] = {
    (module, name): kind
    for module in ("torch", "torch.storage", "torch.cuda")
    for name, kind in _KINDS.items()
}
