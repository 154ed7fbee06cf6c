"""Writes what torch.save and pickle do, without PyTorch and the classes named."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

STORAGES = {
    "f4": "FloatStorage",
    "f8": "DoubleStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "u1": "ByteStorage",
    "bf16": "BFloat16Storage",
    "qint8": "QInt8Storage",
    "c8": "ComplexFloatStorage",
}


class Named:
    """Pickles as the global of this name."""

    def __init__(self, where: str):
        self.module, _, self.name = where.rpartition(".")

    def __call__(self):
        """Only what can be called may be reduced to."""


class Made:
    """Pickles as an object of a class that need not be here."""

    def __init__(self, where, *args, state=None, items=None, new=True, values=()):
        self.kind, self.args, self.state = Named(where), args, state
        self.items, self.new, self.values = items, new, values


class Tensor:
    """Pickles as a tensor does; `wrap` puts it into a parameter or a subclass."""

    def __init__(self, array, code=None, wrap=None):
        self.array, self.wrap = np.asarray(array), wrap
        self.code = code or self.array.dtype.str[1:]


class _Stored:
    def __init__(self, tensor):
        self.tensor = tensor


class Writer(pickle._Pickler):
    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file, protocol, view):
        super().__init__(file, protocol)
        self.storages, self.counts, self.view = {}, {}, view

    def save_named(self, obj):
        self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())

    def save_made(self, obj):
        self.save(obj.kind)
        self.save(obj.args)
        self.write(pickle.NEWOBJ if obj.new else pickle.REDUCE)
        if obj.values:
            self._batch_appends(obj.values)
        if obj.items:
            self._batch_setitems(obj.items.items())
        if obj.state is not None:
            self.save(obj.state)
            self.write(pickle.BUILD)

    def save_tensor(self, obj):
        shape = obj.array.shape
        strides = tuple(
            n // obj.array.itemsize for n in np.empty(shape, obj.array.dtype).strides
        )
        place = (_Stored(obj), 0, shape, strides, False, OrderedDict())
        rebuild = Named("torch._utils._rebuild_tensor_v2")
        if obj.wrap == "subclass":
            kind = Named("their.Tensor")
            self._reduce(
                "torch._tensor._rebuild_from_type_v2",
                (rebuild, kind, place, {"requires_grad": True}),
            )
        elif obj.wrap == "parameter":
            plain = Tensor(obj.array, obj.code)
            self._reduce(
                "torch._utils._rebuild_parameter", (plain, True, OrderedDict())
            )
        elif obj.wrap == "state":
            plain = Tensor(obj.array, obj.code)
            rest = (plain, True, OrderedDict(), {"note": "mine"})
            self._reduce("torch._utils._rebuild_parameter_with_state", rest)
        elif obj.wrap == "quantised":
            self._reduce("torch._utils._rebuild_qtensor", place)
        else:
            self._reduce("torch._utils._rebuild_tensor_v2", place)

    def _reduce(self, where, args):
        self.save(Named(where))
        self.save(args)
        self.write(pickle.REDUCE)

    dispatch[Named], dispatch[Made] = save_named, save_made
    dispatch[Tensor] = save_tensor

    def persistent_id(self, obj):
        if self.view and isinstance(obj, Named) and obj.name == "Net":
            # Classes of modules come with their source in the old format.
            bare = Named(f"{obj.module}.Net_")
            return ("module", bare, "net.py", "class Net: ...")
        if not isinstance(obj, _Stored):
            return None
        key = str(len(self.storages))
        self.storages[key] = data_of(obj.tensor)
        self.counts[key] = obj.tensor.array.size
        kind = Named(f"torch.{STORAGES[obj.tensor.code]}")
        pid = ("storage", kind, key, "cuda:0", obj.tensor.array.size)
        return (*pid, None) if self.view else pid


def data_of(tensor):
    array = np.ascontiguousarray(tensor.array)
    if tensor.code == "bf16":
        return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    if tensor.code == "qint8":
        return array.astype("i1").tobytes()
    return array.astype("<" + tensor.code).tobytes()


def program(content: Any, protocol: int = 2, view: bool = False):
    file = io.BytesIO()
    writer = Writer(file, protocol, view)
    writer.dump(content)
    return file.getvalue(), writer.storages, writer.counts


def archive(content: Any) -> bytes:
    code, storages, _ = program(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", code)
        file.writestr("archive/byteorder", b"little")
        for key, data in storages.items():
            file.writestr(f"archive/data/{key}", data)
        file.writestr("archive/version", b"3\n")
    return buffer.getvalue()


def legacy(content: Any) -> bytes:
    """The format of PyTorch before 1.6."""
    code, storages, counts = program(content, view=True)
    head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"a": 1})]
    tail = [struct.pack("<q", counts[key]) + data for key, data in storages.items()]
    return b"".join([*head, code, pickle.dumps(list(storages), 2), *tail])


def tensors(state: dict, **how: Any) -> OrderedDict:
    """A state dict of arrays as one of tensors."""
    return OrderedDict((key, Tensor(value, **how)) for key, value in state.items())
