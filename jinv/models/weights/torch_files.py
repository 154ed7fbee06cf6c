"""Reading what `torch.save` wrote, without PyTorch and without running it."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jinv.formats.archives import open_archive
from jinv.formats.inert import Inert
from jinv.formats.pickled_arrays import Refused
from jinv.formats.pickles import run_pickle
from jinv.models.weights.torch_tensors import (
    TYPES,
    UNREAD,
    Storage,
    check_kind,
    tensor_functions,
)

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_INNER, _LONGEST_INNER = 10_000, 100
"""Files within a file, each of one storage, and the instructions of each."""


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote, or another pickle in which tensors may lie.

    Both formats are read: the zip archive, and that of PyTorch before 1.6. Arrays
    cannot be written to; bfloat16 becomes float32.

    Returns:
        Containers in which arrays and drafts stand for tensors, see `run_pickle`.

    Raises:
        pickle.UnpicklingError: The file makes no sense as a program.
        ValueError: The file claims to hold more than it can.
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
        known: dict[str, Storage] = {}

        def load_storage(kind: Any, key: str, *_: Any) -> Any:
            if isinstance(kind, Inert):
                return kind
            check_kind(kind)
            if kind.name in UNREAD:
                return Inert(f"torch.{kind.name}")
            if key not in known:
                content = archive.read(f"{folder}data/{key}")
                whole = len(content) // kind.dtype.itemsize * kind.dtype.itemsize
                known[key] = Storage(kind, np.frombuffer(content[:whole], kind.dtype))
            if known[key].kind is not kind:
                raise Refused("it gives one storage two types")
            return known[key]

        content = io.BytesIO(archive.read(program))
        return run_pickle(
            content, tensor_functions(4 * path.stat().st_size), load_storage
        )


def _read_stream(file: io.BytesIO, size: int) -> Any:
    functions = tensor_functions(4 * size) | _inner_files()
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
    storages: dict[str, Storage] = {}
    claimed = 0

    def load_storage(kind: Any, key: str, _: Any, length: int, *view: Any) -> Storage:
        nonlocal claimed
        check_kind(kind)
        if any(part is not None for part in view):
            raise Refused("it holds views of storages")
        if key not in storages:
            claimed += length * kind.dtype.itemsize
            if length < 0 or claimed > size:
                raise Refused("its storages are larger than the file")
            storages[key] = Storage(kind, np.zeros(length, kind.dtype))
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
        return _read_legacy(file, len(content), {**TYPES}, _LONGEST_INNER)

    return {("torch.storage", "_load_from_bytes"): load}
