"""Reading pickled arrays without running what is in the pickle.

A pickle is a program: loading a downloaded one with `pickle.load` lets its author run
anything. The machine here calls the functions of a fixed list, all of them ours. What
else a program asks for is not looked up: an inert object stands in its place, whatever
is done with it (`jinv.formats.inert`). It needs neither PyTorch nor NumPy's help.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jinv.formats.inert import Inert
from jinv.formats.pickled_arrays import (
    FUNCTIONS,
    Draft,
    Function,
    Refused,
    usable_key,
)

MOST_INSTRUCTIONS = 1_000_000
"""Most instructions of a program; each makes at most some 100 bytes beside its data."""
_CALL = 10
"""How many of them a call counts for, which makes larger objects and takes longer."""
_INERT_CALL = 2
_MOST_COPIES = 2
"""How often, on average, a program may give to functions what it holds."""
_MOST_ARGUMENTS = 16
_SIZED = (str, bytes, list, tuple, dict, OrderedDict)
_LONGEST_NAME = 80


def run_pickle(
    file: io.BytesIO,
    functions: Mapping[tuple[str, str], Callable] | None = None,
    load_storage: Callable[..., Any] | None = None,
    most: int | None = None,
) -> Any:
    """Run the pickle that comes next in a file, by functions of ours alone.

    Args:
        file: File to read, up to the program's end.
        functions: Functions by module and name, beside those of containers and arrays.
        load_storage: Function (type, key, place, length, …) → data outside the program.
        most: Most instructions that it may have; `MOST_INSTRUCTIONS` by default.

    Returns:
        Containers, numbers, text, drafts of arrays, what `functions` return, and inert
        objects; `jinv.formats.trees` finds the arrays among them.

    Raises:
        pickle.UnpicklingError: The program makes no sense, or would take more memory or
            time than its size allows.
    """
    known = FUNCTIONS | dict(functions or {})
    return _Machine(file, known, load_storage, most or MOST_INSTRUCTIONS).load()


# The one in Python, not its twin in C: that one gives a program as much memory as it
# claims to need, and its table of instructions cannot be changed.
_Unpickler: Any = pickle._Unpickler  # pyright: ignore[reportAttributeAccessIssue]


class _Machine(_Unpickler):
    """Runs a program of containers, numbers, known functions and inert objects."""

    def __init__(
        self,
        file: io.BytesIO,
        functions: Mapping[tuple[str, str], Callable],
        load_storage: Callable[..., Any] | None,
        most: int,
    ):
        super().__init__(file, encoding="latin1")
        self._functions, self._load_storage = functions, load_storage
        self._most = self._left = most
        self._copies = _MOST_COPIES * file.getbuffer().nbytes

    def find_class(self, module: str, name: str) -> Function | Inert:
        known = self._functions.get((module, name))
        if known is not None:
            return Function(known)
        return Inert(f"{module[:_LONGEST_NAME]}.{name[:_LONGEST_NAME]}")

    def persistent_load(self, pid: Any) -> Any:
        if self._load_storage is None:
            return Inert("data outside the pickle")
        if type(pid) is tuple and pid[:1] == ("module",):
            # A class with its source, as the old format has them.
            found = next((part for part in pid if isinstance(part, Inert)), None)
            return found or Inert("a class with its source")
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage":
            raise Refused("it refers to data in a way that PyTorch does not")
        kind, key, place, length, *view = pid[1:]
        plain = type(key) is str and type(length) is int
        if not plain or not isinstance(kind, Function | Inert):
            raise Refused("it refers to data in a way that PyTorch does not")
        kind = kind.call if isinstance(kind, Function) else kind
        return self._load_storage(kind, key, place, length, *view)

    def _count(self, cost: int = 1) -> None:
        self._left -= cost
        if self._left < 0:
            raise Refused(f"it has more than {self._most:,} instructions")

    def _check_arguments(self, values: Any) -> None:
        """Refuse to give the same long data to function after function."""
        self._count(_CALL)
        if type(values) is not tuple or len(values) > _MOST_ARGUMENTS:
            raise Refused("it calls a function with what are no arguments")
        inner = (part for part in values if type(part) is tuple)
        for given in (values, *inner):
            self._copies -= sum(len(value) for value in given if type(value) in _SIZED)
        if self._copies < 0:
            raise Refused("it copies its data again and again")

    def _called(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, Inert):
            self._count(_INERT_CALL)
            return function.made(arguments)
        if type(function) is not Function:
            raise Refused("it calls something that is no function")
        self._check_arguments(arguments)
        return function.call(*arguments)

    def _call(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], arguments)

    def _call_with_names(self) -> None:
        self.stack.pop()
        self._call()

    def _call_in_a_row(self) -> None:
        function, *arguments = self.pop_mark()
        self.append(self._called(function, tuple(arguments)))

    def _call_by_name(self) -> None:
        module = self.readline()[:-1].decode("ascii")
        name = self.readline()[:-1].decode("ascii")
        arguments = tuple(self.pop_mark())
        self.append(self._called(self.find_class(module, name), arguments))

    def _set_state(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Draft) and type(state) is tuple:
            self._check_arguments(state)
            target.set_state(state)
        elif isinstance(target, Inert):
            target.take(state)
        elif not isinstance(target, dict | np.ndarray | Draft):
            # What these carry beside their items and numbers is nothing to us.
            raise Refused("it changes something that is no array")

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def _set_items(self) -> None:
        self._put(self.pop_mark())

    def _put(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert):
            target = target.items_of_its_own()
        if not isinstance(target, dict) or len(items) % 2:
            raise Refused("it sets items of something that is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if (name := usable_key(key)) is not None:
                target[name] = value

    def _append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def _appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(values)
        elif not isinstance(self.stack[-1], Inert):
            raise Refused("it appends to something that is no list")

    def _empty_set(self) -> None:
        # Of what is in a set, nothing is kept: comparing it could take forever.
        self.append(Inert("builtins.set"))

    def _frozen_set(self) -> None:
        self.pop_mark()
        self.append(Inert("builtins.frozenset"))

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
    pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID, pickle.NEXT_BUFFER,
    pickle.READONLY_BUFFER,
)  # fmt: skip
"""Instructions that refer to what lies outside of files."""


def _lacking(machine: Any) -> None:
    raise Refused("it has an instruction that no file of arrays needs")


_Machine.dispatch = {
    code: _counted(instruction)
    for code, instruction in {
        **_Unpickler.dispatch,
        **{code[0]: _lacking for code in _MISSING},
        pickle.REDUCE[0]: _Machine._call,
        pickle.NEWOBJ[0]: _Machine._call,
        pickle.NEWOBJ_EX[0]: _Machine._call_with_names,
        pickle.OBJ[0]: _Machine._call_in_a_row,
        pickle.INST[0]: _Machine._call_by_name,
        pickle.BUILD[0]: _Machine._set_state,
        pickle.SETITEM[0]: _Machine._set_item,
        pickle.SETITEMS[0]: _Machine._set_items,
        pickle.APPEND[0]: _Machine._append,
        pickle.APPENDS[0]: _Machine._appends,
        pickle.DICT[0]: _Machine._dictionary,
        pickle.EMPTY_SET[0]: _Machine._empty_set,
        pickle.ADDITEMS[0]: _Machine._appends,
        pickle.FROZENSET[0]: _Machine._frozen_set,
        pickle.BYTEARRAY8[0]: _Machine._byte_array,
    }.items()
}
