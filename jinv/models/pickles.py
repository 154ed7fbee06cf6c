"""Reading pickled arrays without running what is in the pickle.

A pickle is a program: loading a downloaded one with `pickle.load` lets its author run
anything. The readers here know the few functions that arrays and PyTorch's tensors are
rebuilt with, and refuse all others. They need no PyTorch.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_numpy_pickle(path: Path) -> Any:
    """Read a pickle of nested containers of NumPy arrays.

    Raises:
        pickle.UnpicklingError: It holds anything else.
    """
    with path.open("rb") as file:
        return _Unpickler(file).load()


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote: containers with arrays in the place of tensors.

    Both formats are read: the zip archive, and that of PyTorch before 1.6.

    Raises:
        pickle.UnpicklingError: It holds anything but containers, numbers and tensors.
    """
    if zipfile.is_zipfile(path):
        return _read_archive(path)
    with path.open("rb") as file:
        return _read_legacy(file)


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows arrays, tensors, containers, and nothing else."""

    def __init__(self, file: Any, load_storage: Callable | None = None):
        super().__init__(file, encoding="latin1")
        self._load_storage = load_storage

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return np.dtype(_STORAGES[name])
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is no array, tensor or container"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        if self._load_storage is None:
            raise pickle.UnpicklingError("it refers to data outside the pickle")
        return self._load_storage(*pid[1:])


def _read_archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        program = next((n for n in names if n.endswith("data.pkl")), None)
        if program is None:
            raise pickle.UnpicklingError("the archive holds no data.pkl")
        folder = program.removesuffix("data.pkl")

        def load_storage(dtype: np.dtype, key: str, *_: Any) -> np.ndarray:
            return np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)

        return _Unpickler(io.BytesIO(archive.read(program)), load_storage).load()


def _read_legacy(file: BinaryIO) -> Any:
    if _Unpickler(file).load() != _LEGACY_MAGIC:
        raise pickle.UnpicklingError("it was not written by torch.save")
    _Unpickler(file).load()  # version of the format
    _Unpickler(file).load()  # sizes of the writer's types
    storages: dict[str, np.ndarray] = {}

    def load_storage(dtype, key, _, length, view):
        if view is not None:
            raise pickle.UnpicklingError("it holds views of storages")
        return storages.setdefault(key, np.empty(length, dtype))

    # The arrays are views of storages that are filled afterwards.
    content = _Unpickler(file, load_storage).load()
    for key in _Unpickler(file).load():
        (length,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        data = file.read(length * storage.itemsize)
        storage[:] = np.frombuffer(data, storage.dtype)
    return content


def _tensor(storage, offset, size, stride, *_: Any) -> np.ndarray:
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if min((*size, *stride, offset), default=0) < 0 or (
        0 not in size and last >= len(storage)
    ):
        raise pickle.UnpicklingError("a tensor reaches beyond its data")
    strides = tuple(s * storage.itemsize for s in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)


def _parameter(data: np.ndarray, *_: Any) -> np.ndarray:
    return data


_multiarray: Any = np.empty(0).__reduce__()[0]

_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _multiarray,
    ("numpy._core.multiarray", "_reconstruct"): _multiarray,
}
