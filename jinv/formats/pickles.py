"""Reading pickled arrays without running what is in the pickle.

A pickle is a program: loading a downloaded one with `pickle.load` lets its author run
anything, and even NumPy's own constructors read memory that is not theirs when they are
given bytes of his making. The reader here has few instructions. It calls the functions
of a fixed list, all of them ours; what they make of a file is checked against the bytes
that are there. It needs neither PyTorch nor NumPy's help.
"""

import io
import math
import pickle
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

MOST_INSTRUCTIONS = 1_000_000
"""Of a program; each makes an object of at most some 100 bytes, beside its data."""
_CALL = 10
"""How many of them a call counts for, which makes larger objects and takes longer."""
_MOST_COPIES = 2
"""How often, on average, a program may give to functions what it holds."""
_MOST_ARGUMENTS = 16
_MOST_AXES = 32
_LONGEST_KEY = 1000
_PLAIN = re.compile(r"([<>|=]?)([iu][1248]|f[248]|b1|\?)")
"""Types that arrays of a file may have."""
_SIZED = (str, bytes, list, tuple, dict, OrderedDict)


class Refused(pickle.UnpicklingError):
    """The program does what no file of arrays needs to do."""


def read_numpy_pickle(path: Path) -> Any:
    """Read a pickle of nested containers of NumPy arrays.

    Raises:
        pickle.UnpicklingError: It holds anything else.
    """
    # A file would give a text as much memory as it claims to need.
    return run_pickle(io.BytesIO(path.read_bytes()))


def run_pickle(
    file: io.BytesIO,
    functions: Mapping[tuple[str, str], Callable] | None = None,
    load_storage: Callable[..., Any] | None = None,
) -> Any:
    """Run the program that comes next in a file.

    Args:
        file: Is read up to the program's end.
        functions: By module and name, beside those of containers and NumPy's arrays.
        load_storage: (type, key, place, length, …) → data outside the program.

    Returns:
        Containers, numbers, text, arrays, and what `functions` return.

    Raises:
        pickle.UnpicklingError: It asks for anything else, or is longer than
            `MOST_INSTRUCTIONS`.
    """
    found = _Machine(file, _FUNCTIONS | dict(functions or {}), load_storage).load()
    return _without_drafts(found)


def shaped(data: np.ndarray, shape: Any, fortran: bool = False) -> np.ndarray:
    """An array of exactly the elements of `data`.

    Raises:
        Refused: The shape has other elements, or is none.
    """
    check_numbers(shape)
    if math.prod(shape) != data.size:
        raise Refused(f"an array of {data.size} elements claims to have others")
    return data.reshape(shape, order="F" if fortran else "C")


def check_numbers(values: Any) -> None:
    """Refuse what is no tuple of a few natural numbers.

    Raises:
        Refused: It is none.
    """
    plain = type(values) is tuple and len(values) <= _MOST_AXES
    if not plain or not all(type(n) is int and 0 <= n < 2**63 for n in values):
        raise Refused("a shape is no tuple of natural numbers")


class Function:
    """A function that a program may call, and do nothing else with."""

    def __init__(self, call: Callable):
        """Wrap a function of ours."""
        self.call = call


class _Draft(ABC):
    """An array, or its type, between its beginning and the setting of its state."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Take what the file says."""


class _Type(_Draft):
    """A type of numbers."""

    def __init__(self, name: Any, *_: Any):
        found = _PLAIN.fullmatch(name) if type(name) is str else None
        if not found:
            raise Refused("an array holds something other than plain numbers")
        self._order, self._kind = found[1], found[2]

    def set_state(self, state: Any) -> None:
        version, order, *rest = state
        # Whatever else there could be belongs to structures, objects and subarrays.
        plain = type(version) is int and order in ("<", ">", "|", "=")
        if not plain or any(part is not None for part in rest[:3]):
            raise Refused("an array holds something other than plain numbers")
        self._order = order

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self._order + self._kind)


class _Array(_Draft):
    """An array."""

    array: np.ndarray | None = None

    def set_state(self, state: Any) -> None:
        _version, shape, kind, fortran, data = state
        self.array = _from_bytes(data, kind, shape, fortran is True)


def _from_bytes(data: Any, kind: Any, shape: Any, fortran: bool) -> np.ndarray:
    # Text is what Python 2 made of bytes.
    content = data.encode("latin1") if type(data) is str else data
    if not isinstance(content, bytes | bytearray) or type(kind) is not _Type:
        raise Refused("an array comes without its bytes or its type")
    return shaped(np.frombuffer(bytes(content), kind.dtype), shape, fortran)


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    return _from_bytes(data, kind, shape, order == "F")


def _scalar(kind: Any, data: Any) -> Any:
    return _from_bytes(data, kind, (1,), False)[0]


def _encode(text: Any, codec: Any) -> bytes:
    if type(text) is not str or codec != "latin1":
        raise Refused("it asks for another encoding than latin1")
    return text.encode("latin1")


def _ordered(items: Any = ()) -> OrderedDict:
    pairs: OrderedDict = OrderedDict()
    for key, value in items:
        pairs[_key(key)] = value
    return pairs


def _key(value: Any) -> Any:
    """A key of a dictionary; long and nested ones could take forever to compare."""
    short = type(value) is str and len(value) <= _LONGEST_KEY
    if not short and not (type(value) is int and abs(value) < 2**31):
        raise Refused("a key is neither a short text nor a small number")
    return value


_FUNCTIONS: dict[tuple[str, str], Callable] = {
    ("collections", "OrderedDict"): _ordered,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): lambda: b"",
    ("numpy", "dtype"): _Type,
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


# The one in Python, not its twin in C: that one gives a program as much memory as it
# claims to need, and its table of instructions cannot be changed.
_Unpickler: Any = pickle._Unpickler  # pyright: ignore[reportAttributeAccessIssue]


class _Machine(_Unpickler):
    """Runs a program of containers, numbers and known functions."""

    def __init__(
        self,
        file: io.BytesIO,
        functions: Mapping[tuple[str, str], Callable],
        load_storage: Callable[..., Any] | None,
    ):
        super().__init__(file, encoding="latin1")
        self._functions, self._load_storage = functions, load_storage
        self._left = MOST_INSTRUCTIONS
        self._copies = _MOST_COPIES * file.getbuffer().nbytes

    def find_class(self, module: str, name: str) -> Function:
        try:
            return Function(self._functions[module, name])
        except KeyError:
            raise Refused(
                f"it asks for {module[:80]}.{name[:80]}, which is no array, tensor or "
                "container"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        if self._load_storage is None:
            raise Refused("it refers to data outside the pickle")
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage":
            raise Refused("it refers to data in a way that PyTorch does not")
        kind, key, place, length, *view = pid[1:]
        if (type(kind), type(key), type(length)) != (Function, str, int):
            raise Refused("it refers to data in a way that PyTorch does not")
        return self._load_storage(kind.call, key, place, length, *view)

    def _count(self, cost: int = 1) -> None:
        self._left -= cost
        if self._left < 0:
            raise Refused(f"it has more than {MOST_INSTRUCTIONS:,} instructions")

    def _check_arguments(self, values: Any) -> None:
        """Refuse to give the same long data to function after function."""
        self._count(_CALL)
        if type(values) is not tuple or len(values) > _MOST_ARGUMENTS:
            raise Refused("it calls a function with what are no arguments")
        self._copies -= sum(len(value) for value in values if type(value) in _SIZED)
        if self._copies < 0:
            raise Refused("it copies its data again and again")

    def _call(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if type(function) is not Function:
            raise Refused("it calls something that is no function")
        self._check_arguments(arguments)
        self.stack[-1] = function.call(*arguments)

    def _set_state(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], _Draft):
            self._check_arguments(state)
            self.stack[-1].set_state(state)
        elif not isinstance(self.stack[-1], dict):
            # What a dictionary carries beside its items is nothing to us.
            raise Refused("it changes something that is no array")

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def _set_items(self) -> None:
        self._put(self.pop_mark())

    def _put(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise Refused("it sets items of something that is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def _append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def _appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise Refused("it appends to something that is no list")
        self.stack[-1].extend(values)

    def _byte_array(self) -> None:
        # Read before it is given memory, unlike the original.
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    def _dictionary(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._put(items)


def _counted(instruction: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(machine: Any) -> None:
        machine._count()
        instruction(machine)

    return run


_MISSING = (
    pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2,
    pickle.EXT4, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.PERSID,
    pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
)  # fmt: skip
"""Instructions that files of arrays do without."""


def _lacking(machine: Any) -> None:
    raise Refused("it has an instruction that no file of arrays needs")


_Machine.dispatch = {
    code: _counted(instruction)
    for code, instruction in {
        **_Unpickler.dispatch,
        **{code[0]: _lacking for code in _MISSING},
        pickle.REDUCE[0]: _Machine._call,
        pickle.BUILD[0]: _Machine._set_state,
        pickle.SETITEM[0]: _Machine._set_item,
        pickle.SETITEMS[0]: _Machine._set_items,
        pickle.APPEND[0]: _Machine._append,
        pickle.APPENDS[0]: _Machine._appends,
        pickle.DICT[0]: _Machine._dictionary,
        pickle.BYTEARRAY8[0]: _Machine._byte_array,
    }.items()
}


def _without_drafts(tree: Any) -> Any:
    """Put arrays in the places of their drafts; each container is seen once."""
    done: dict[int, Any] = {}

    def finished(node: Any) -> Any:
        if isinstance(node, _Array):
            if node.array is None:
                raise Refused("an array comes without its bytes")
            return node.array
        if id(node) in done:
            return done[id(node)]
        if isinstance(node, dict):
            done[id(node)] = node
            for key, value in node.items():
                node[key] = finished(value)
        elif type(node) is list:
            done[id(node)] = node
            node[:] = [finished(value) for value in node]
        elif type(node) is tuple:
            done[id(node)] = node
            done[id(node)] = tuple(finished(value) for value in node)
            return done[id(node)]
        return node

    return finished(tree)
