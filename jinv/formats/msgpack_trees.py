"""Flax's msgpack files (`flax.serialization.to_bytes`), as trees of arrays.

The usual reader gives a file as much memory as it claims to need. This one reads before
it makes anything, and passes over what is no array.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

_MOST_THINGS = 1_000_000
_DEEPEST = 64
_PLAIN = {
    np.dtype(kind).name: np.dtype(kind)
    for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
} | {"bfloat16": np.dtype(jnp.bfloat16)}
_ARRAY = 1
"""Flax's mark of an array: its shape, its type and its bytes."""


def read_msgpack(content: bytes) -> Any:
    """Read a tree of dictionaries, lists, numbers, text and arrays.

    Raises:
        ValueError: The content is no such tree, or ends before it should.
    """
    reader = _Reader(content)
    tree = reader.thing(0)
    if reader.left:
        raise ValueError("something follows where its tree of arrays should end")
    return tree


class _Reader:
    """Reads one thing after another."""

    def __init__(self, content: bytes, arrays: bool = True):
        self._content, self._at, self._count = memoryview(content), 0, 0
        self._arrays = arrays

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def _take(self, size: int) -> memoryview:
        if size > self.left:
            raise ValueError("it ends too early")
        part = self._content[self._at : self._at + size]
        self._at += size
        return part

    def _number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), "big", signed=signed)

    def thing(self, depth: int) -> Any:
        self._count += 1
        if self._count > _MOST_THINGS or depth > _DEEPEST:
            raise ValueError("it has too many things, or too deep ones")
        code = self._number(1)
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code < 0x90:
            return self._dictionary(code & 15, depth)
        if code < 0xA0:
            return self._list(code & 15, depth)
        if code < 0xC0:
            return self._text(code & 31)
        match code:
            case 0xC0:
                return None
            case 0xC2 | 0xC3:
                return code == 0xC3
            case 0xC4 | 0xC5 | 0xC6:
                return bytes(self._take(self._number(1 << (code - 0xC4))))
            case 0xC7 | 0xC8 | 0xC9:
                return self._extension(self._number(1 << (code - 0xC7)))
            case 0xCA | 0xCB:
                size = 4 if code == 0xCA else 8
                return float(np.frombuffer(self._take(size), f">f{size}")[0])
            case 0xCC | 0xCD | 0xCE | 0xCF:
                return self._number(1 << (code - 0xCC))
            case 0xD0 | 0xD1 | 0xD2 | 0xD3:
                return self._number(1 << (code - 0xD0), signed=True)
            case 0xD4 | 0xD5 | 0xD6 | 0xD7 | 0xD8:
                return self._extension(1 << (code - 0xD4))
            case 0xD9 | 0xDA | 0xDB:
                return self._text(self._number(1 << (code - 0xD9)))
            case 0xDC | 0xDD:
                return self._list(self._number(2 << (code - 0xDC)), depth)
            case 0xDE | 0xDF:
                return self._dictionary(self._number(2 << (code - 0xDE)), depth)
        raise ValueError("it is no msgpack, or a broken one")

    def _text(self, size: int) -> str:
        return str(self._take(size), "utf-8", "replace")

    def _list(self, size: int, depth: int) -> list:
        return [self.thing(depth + 1) for _ in range(size)]

    def _dictionary(self, size: int, depth: int) -> dict:
        found = {}
        for _ in range(size):
            key, value = self.thing(depth + 1), self.thing(depth + 1)
            if type(key) in (str, int):
                found[key] = value
        return found

    def _extension(self, size: int) -> Any:
        kind = self._number(1)
        content = self._take(size)
        return _array(content) if self._arrays and kind == _ARRAY else None


def _array(content: memoryview) -> np.ndarray:
    # Without arrays in arrays, each of which would be copied once more.
    parts = _Reader(bytes(content), arrays=False).thing(0)
    if type(parts) is not list or len(parts) != 3:
        raise ValueError("an array comes without its shape, type and bytes")
    shape, name, data = parts
    sizes: list[Any] = shape if type(shape) is list else [None]
    plain = all(type(size) is int and 0 <= size < 2**63 for size in sizes)
    if not plain or len(sizes) > 32:
        raise ValueError("an array has a shape that is none")
    if name not in _PLAIN or type(data) is not bytes:
        raise ValueError(f"an array holds {str(name)[:40]}, not plain numbers")
    if len(data) != math.prod(sizes) * _PLAIN[name].itemsize:
        raise ValueError("an array has not the bytes that its shape needs")
    return np.frombuffer(data, _PLAIN[name]).reshape(sizes)
