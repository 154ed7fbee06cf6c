#!/usr/bin/env python3
"""What does the reader of weights do with files that somebody made to harm it?

Mutates small checkpoints of every format, as bytes and as pickle programs (whose
archives keep valid checksums, so that mutations reach the reader), and has a process of
its own read each, and fit it to a small network. Anything but weights or a WeightsError
is a failure: a crash, a file that takes longer than 10 seconds, and memory beyond what
is foreseen, which is 64 MiB and 200 times the file. Failures are kept in --out.
"""

import io
import os
import pickle
import pickletools
import random
import re
import resource
import struct
import sys
import time
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tyro
from flax.serialization import to_bytes
from safetensors.numpy import save

from jinv.errors import WeightsError
from jinv.models.weights.fitting import from_groups
from jinv.models.weights.hidden_networks import FrozenWeights, write_supermask
from jinv.models.weights.reading import read_weights

SPARE, FACTOR = 64 * 2**20, 200
SECONDS = 10


@dataclass(frozen=True)
class Fuzz:
    """How long, and where failures go."""

    minutes: float = 10.0
    seed: int = 0
    out: Path = Path("runs/fuzz")
    batch: int = 200
    """Files that one process reads."""


class Type:
    """Pickles as a global of PyTorch's."""

    def __init__(self, module: str, name: str):
        self.where = module, name


class TorchPickler(pickle._Pickler):
    """Writes what torch.save does, without PyTorch."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_type(self, obj: Type) -> None:
        self.write(pickle.GLOBAL + "\n".join(obj.where).encode() + b"\n")

    dispatch[Type] = save_type

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None


@dataclass
class Storage:
    pid: tuple


class Tensor:
    """Pickles as a tensor does."""

    def __init__(self, key: str, shape: tuple[int, ...], kind: str = "FloatStorage"):
        self.count, self.shape, self.key = int(np.prod(shape)), shape, key
        self.kind = kind

    def __reduce__(self):
        stride = tuple(
            int(np.prod(self.shape[i + 1 :])) for i in range(len(self.shape))
        )
        pid = ("storage", Type("torch", self.kind), self.key, "cpu", self.count)
        return Rebuild(), (Storage(pid), 0, self.shape, stride, False, OrderedDict())


class Rebuild(Type):
    def __init__(self):
        super().__init__("torch._utils", "_rebuild_tensor_v2")

    def __call__(self):
        """Only what can be called may be reduced to."""


TorchPickler.dispatch[Rebuild] = TorchPickler.save_type


def program_of(content: object) -> bytes:
    buffer = io.BytesIO()
    TorchPickler(buffer, 2).dump(content)
    return buffer.getvalue()


def archive_of(program: bytes, storages: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return buffer.getvalue()


def legacy_of(program: bytes, storages: dict[str, bytes]) -> bytes:
    head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"a": 1})]
    keys = pickle.dumps(list(storages), 2)
    tail = b"".join(struct.pack("<q", len(d) // 4) + d for d in storages.values())
    return b"".join([*head, program, keys, tail])


STORAGES = {"0": np.arange(24, dtype="<f4").tobytes(), "1": b"\0" * 32}
STATE = OrderedDict(
    {"conv.weight": Tensor("0", (2, 3, 2, 2)), "bn.running_var": Tensor("1", (8,))}
)
ARRAYS = {"conv.weight": np.ones((2, 3, 2, 2), "f4"), "bn.running_mean": np.ones(8)}


SHAPES = {
    "params": {"conv": {"kernel": np.empty((2, 2, 3, 2))}},
    "batch_stats": {"bn": {"var": np.empty(8)}},
}
"""What the healthy files of PyTorch fit."""
SOUND = ("fitted", "loaded", "refused")


def arrays_in(content: object, protocol: int) -> bytes:
    return pickle.dumps(content, protocol)


def seeds() -> list[tuple[str, bytes]]:
    """Healthy files of every format: suffix and content."""
    known = {"state_dict": STATE, "epoch": 3, "args": Namespace(lr=0.1, seen={1, 2})}
    program = program_of(known)
    npz = io.BytesIO()
    np.savez_compressed(npz, **ARRAYS)
    nested = {"layer": {"kernel": np.ones((3, 3, 2, 2), "f4"), "bias": np.ones(2)}}
    return [
        (".pth", archive_of(program, STORAGES)),
        (".th", legacy_of(program_of(STATE), STORAGES)),
        *((".ckpt", arrays_in(nested, protocol)) for protocol in (2, 4, 5)),
        (".npz", npz.getvalue()),
        (".msgpack", to_bytes({"params": nested, "batch_stats": {"bn": {"var": 2.0}}})),
        (".safetensors", save(ARRAYS)),
        (".safetensors", hidden_network()),
    ]


def hidden_network() -> bytes:
    frozen = FrozenWeights(0, "kaiming-normal", True, {"a": 0.5}, {"a": (4, 4)})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hidden.safetensors"
        write_supermask(path, "m", frozen, {"a": np.eye(4) > 0}, ARRAYS)
        return path.read_bytes()


EXTREMES = (0, 1, 2, 3, 127, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes changed, removed, repeated, or made extreme."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(6):
            case 0 if at < len(content):
                content[at] = rng.randrange(256)
            case 1 if at < len(content):
                content[at] ^= 1 << rng.randrange(8)
            case 2:
                del content[at : at + rng.choice((1, 2, 8, 64))]
            case 3:
                chunk = content[at : at + rng.choice((1, 4, 32))]
                content[at:at] = chunk * rng.choice((1, 2, 100))
            case 4:
                size = rng.choice((1, 2, 4, 8))
                value = rng.choice(EXTREMES) % 256**size
                content[at : at + size] = value.to_bytes(
                    size, rng.choice(("little", "big"))
                )
            case _:
                content = content[:at] if rng.random() < 0.2 else content
        if not content:
            content = bytearray(b"\0")
    return bytes(content)


def instructions(program: bytes) -> list[bytes]:
    """A program cut into its instructions; what cannot be cut is one piece."""
    starts = []
    try:
        starts = [position for _, _, position in pickletools.genops(program)]
    except ValueError:
        pass
    return [
        program[a:b] for a, b in zip(starts, [*starts[1:], len(program)], strict=True)
    ] or [program]


FOREIGN = [
    *(f"c{where}\n".encode() for where in (
        "os\nsystem", "numpy\nndarray", "numpy\ndtype", "collections\nOrderedDict",
        "numpy.core.multiarray\n_reconstruct", "torch\nFloatStorage",
        "torch\nBFloat16Storage", "torch._utils\n_rebuild_tensor_v2",
        "torch._tensor\n_rebuild_from_type_v2", "torch.storage\n_load_from_bytes",
        "torch\nQInt8Storage", "collections\ndefaultdict", "their\nClass",
        "jax._src.array\n_reconstruct_array", "copy_reg\n_reconstructor",
    )),
    *(bytes([code]) for code in b"RbQ(t20 1}]NsuaedlI" + bytes(range(0x80, 0x99))),
    b"X\x02\0\0\0O8", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\xff", b"q\xff", b"h\0",
    b"J\xff\xff\xff\xff", b"J\0\0\0\0", b"K\x01", b"M\xff\xff",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f",
    b"\x8e\xff\xff\xff\xff\0\0\0\0", b"B\xff\xff\xff\x7f",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x96\xff\xff\xff\x7f\0\0\0\0",
]  # fmt: skip
"""Instructions that no healthy file has there, or with such numbers."""


def mutated_program(rng: random.Random, program: bytes) -> bytes:
    """Instructions removed, repeated, swapped, spliced in, or given extreme numbers."""
    parts = instructions(program)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(parts))
        match rng.randrange(6):
            case 0:
                del parts[at]
            case 1:
                parts[at:at] = [parts[at]] * rng.choice((1, 2, 50, 2000))
            case 2:
                other = rng.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case 3:
                parts.insert(at, rng.choice(FOREIGN))
            case 4:
                first = rng.randrange(len(parts))
                parts[at:at] = parts[first : first + rng.choice((2, 5, 20))]
            case _:
                parts[at] = mutated_bytes(rng, parts[at] or b"\0")
        parts = parts or [b"."]
    return b"".join(parts)


def mutate(rng: random.Random, suffix: str, data: bytes) -> bytes:
    if suffix in (".pth", ".npz") and rng.random() < 0.8:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice([*entries, *(n for n in entries if n.endswith(".pkl"))])
        change = mutated_program if name.endswith(".pkl") else mutated_bytes
        entries[name] = change(rng, entries[name])
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", rng.choice((0, 8))) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        return buffer.getvalue()
    if suffix in (".ckpt", ".th") and rng.random() < 0.8:
        return mutated_program(rng, data)
    return mutated_bytes(rng, data)


def memory(which: str) -> int:
    """Bytes in use ("VmRSS"), or at most since the peak was forgotten ("VmHWM")."""
    found = re.search(rf"{which}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def forget_peak() -> None:
    # Of an earlier file, behind which the memory of this one could hide.
    Path("/proc/self/clear_refs").write_text("5")


def read_some(options: Fuzz, number: int, deadline: float, answer: int) -> None:
    """In a process of its own: make files, read them, say what came of it."""
    rng = random.Random(f"{options.seed}-{number}")
    sound = seeds()
    for _ in range(options.batch):
        suffix, data = rng.choice(sound)
        content = mutate(rng, suffix, data)
        path = options.out / f"input-{number}{suffix}"
        path.write_bytes(content)
        forget_peak()
        before, began, outcome = memory("VmRSS"), time.monotonic(), ""
        try:
            groups = read_weights(path).groups
            outcome = "loaded"
            from_groups(groups, SHAPES, "it")
            outcome = "fitted"
        except WeightsError:
            # Most that load have lost a name that is wanted.
            outcome = outcome or "refused"
        except BaseException as error:
            outcome = f"raised {type(error).__name__}"
        grown = memory("VmHWM") - before
        if time.monotonic() - began > SECONDS:
            outcome = "slow"
        if grown > SPARE + FACTOR * len(content):
            outcome = "memory"
        os.write(answer, f"{outcome}\t{grown}\n".encode())
        if outcome in SOUND:
            path.unlink()
        else:
            path.rename(
                options.out / f"{outcome.replace(' ', '-')}-{rng.random()}{suffix}"
            )
        if time.monotonic() > deadline:
            return


def main(options: Fuzz) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * options.minutes
    outcomes: Counter[str] = Counter()
    most, number = 0, 0
    while time.monotonic() < deadline:
        number += 1
        reading, answer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            # What a program claims beyond this is refused by the system.
            resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (10 * SECONDS,) * 2)
            read_some(options, number, deadline, answer)
            os._exit(0)
        os.close(answer)
        with os.fdopen(reading) as lines:
            for line in lines:
                outcome, grown = line.rstrip("\n").split("\t")
                outcomes[outcome] += 1
                most = max(most, int(grown))
        _, status = os.waitpid(child, 0)
        if status:
            # The file that it was reading is still there.
            outcomes[f"crash (status {status})"] += 1
    total = sum(outcomes.values())
    print(
        f"{total} files, seed {options.seed}: "
        + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        + f"; most memory for one file {most / 2**20:.1f} MiB"
    )
    return int(bool(set(outcomes) - set(SOUND)))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Fuzz)))
