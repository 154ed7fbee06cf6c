"""Arrays and containers as pickles make them, from functions of ours alone.

NumPy's own constructors read memory that is not theirs when they are given bytes of a
stranger's making. Those here check what a file claims against the bytes that are there.
"""

import math
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import jax.numpy as jnp
import numpy as np

from jinv.formats.inert import Inert

_MOST_AXES = 32
_LONGEST_KEY = 1000
_PLAIN = re.compile(r"([<>|=]?)([iu][1248]|f[248]|b1|\?)")
"""Types that arrays of a file may have, beside bfloat16."""
_BFLOAT16 = np.dtype(jnp.bfloat16)


class Refused(UnpicklingError):
    """A pickle's program does what no file of arrays needs to do."""


class Function:
    """A function that a pickle's program may call, and do nothing else with."""

    def __init__(self, call: Callable):
        """Wrap one of our own functions."""
        self.call = call


class Draft(ABC):
    """An object that a pickle's program begins, and that is finished when it ends."""

    def set_state(self, state: Any) -> None:  # noqa: B027
        """Take the state that a file gives; beside an array, that is nothing to us."""

    @abstractmethod
    def finished(self) -> np.ndarray | Inert:
        """The finished object.

        Raises:
            Refused: The program did not finish the object.
        """


def shaped(data: np.ndarray, shape: Any, fortran: bool = False) -> np.ndarray:
    """Make an array of exactly the elements of `data`.

    Raises:
        Refused: The shape has other elements, or is none.
    """
    check_numbers(shape)
    if math.prod(shape) != data.size:
        raise Refused(f"an array of {data.size} elements claims to have others")
    return data.reshape(shape, order="F" if fortran else "C")


def check_numbers(values: Any) -> None:
    """Refuse values that are no tuple of a few natural numbers.

    Raises:
        Refused: They are no such tuple.
    """
    plain = type(values) is tuple and len(values) <= _MOST_AXES
    if not plain or not all(type(n) is int and 0 <= n < 2**63 for n in values):
        raise Refused("a shape is no tuple of natural numbers")


def usable_key(value: Any) -> str | int | None:
    """Turn a value into a key of a dictionary; None where it cannot be one.

    Bytes are the text that Python 2 had for them; long keys take forever to compare.
    """
    if type(value) in (str, bytes) and len(value) <= _LONGEST_KEY:
        return value.decode("latin1") if type(value) is bytes else value
    return value if type(value) is int and abs(value) < 2**31 else None


class _Type(Draft):
    """A type of plain numbers; `dtype` is None once it turns out to be another."""

    def __init__(self, order: str, kind: str):
        self.dtype: np.dtype | None = np.dtype(order + kind)

    def set_state(self, state: Any) -> None:
        version, order, *rest = state
        # Whatever else there could be belongs to structures, objects and subarrays.
        plain = type(version) is int and order in ("<", ">", "|", "=")
        if not plain or any(part is not None for part in rest[:3]):
            self.dtype = None
        elif self.dtype is not None and self.dtype != _BFLOAT16:
            self.dtype = self.dtype.newbyteorder(order)

    def finished(self) -> Inert:
        return Inert("numpy.dtype")


def _type(name: Any, *_: Any) -> Any:
    if isinstance(name, Inert) and name.name == "ml_dtypes.bfloat16":
        made = _Type("", "f4")
        made.dtype = _BFLOAT16
        return made
    found = _PLAIN.fullmatch(name) if type(name) is str else None
    return _Type(found[1], found[2]) if found else Inert("numpy.dtype")


class _Array(Draft):
    """An array."""

    array: np.ndarray | Inert | None = None

    def set_state(self, state: Any) -> None:
        _version, shape, kind, fortran, data = state
        self.array = _from_bytes(data, kind, shape, fortran is True)

    def finished(self) -> np.ndarray | Inert:
        if self.array is None:
            raise Refused("an array comes without its bytes")
        return self.array


def _from_bytes(data: Any, kind: Any, shape: Any, fortran: bool) -> np.ndarray | Inert:
    if isinstance(kind, Inert) or (type(kind) is _Type and kind.dtype is None):
        return Inert("an array of other things than plain numbers")
    # Text is what Python 2 made of bytes.
    content = data.encode("latin1") if type(data) is str else data
    if not isinstance(content, bytes | bytearray) or type(kind) is not _Type:
        raise Refused("an array comes without its bytes or its type")
    return shaped(np.frombuffer(bytes(content), kind.dtype), shape, fortran)


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any, *_: Any) -> Any:
    return _from_bytes(data, kind, shape, order == "F")


def _scalar(kind: Any, data: Any) -> Any:
    found = _from_bytes(data, kind, (1,), False)
    return found if isinstance(found, Inert) else found[0]


def _jax_array(_make: Any, _arguments: Any, state: Any, *_: Any) -> _Array:
    made = _Array()
    made.set_state(state)
    return made


def _encode(text: Any, codec: Any) -> Any:
    if type(text) is not str or codec != "latin1":
        return Inert("_codecs.encode")
    return text.encode("latin1")


def _ordered(items: Any = (), *_: Any) -> OrderedDict:
    pairs: OrderedDict = OrderedDict()
    for key, value in items.items() if isinstance(items, dict) else items:
        if (name := usable_key(key)) is not None:
            pairs[name] = value
    return pairs


def _by_default(_default: Any = None, items: Any = ()) -> OrderedDict:
    return _ordered(items)


def _reconstructed(kind: Any, _base: Any = None, state: Any = None) -> Any:
    """An object as protocols 0 and 1 begin it."""
    return kind.made((state,)) if isinstance(kind, Inert) else Inert("an object")


FUNCTIONS: dict[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): _by_default,
    ("collections", "Counter"): _ordered,
    ("flax.core.frozen_dict", "FrozenDict"): _ordered,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): lambda *_: b"",
    ("copy_reg", "_reconstructor"): _reconstructed,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("jax._src.array", "_reconstruct_array"): _jax_array,
    ("numpy", "dtype"): _type,
    ("numpy", "ndarray"): lambda *_: _Array(),
} | {
    (f"numpy.{core}.{module}", name): function
    for core in ("core", "_core")
    for (module, name), function in {
        ("multiarray", "_reconstruct"): lambda *_: _Array(),
        ("multiarray", "scalar"): _scalar,
        ("numeric", "_frombuffer"): _from_buffer,
    }.items()
}
"""What a program may call, by module and name."""
