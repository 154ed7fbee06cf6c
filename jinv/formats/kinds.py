"""The kind of a file, told by what is in it; its suffix may say anything."""

import re
import struct
import zipfile
from pathlib import Path
from typing import Literal

FileKind = Literal["safetensors", "npz", "torch archive", "pickle", "msgpack"]

KINDS = (
    "safetensors, .npz, PyTorch's files, a pickle or msgpack of Flax parameters, or an "
    "Orbax folder"
)
"""Kinds of files that are read, for messages."""
_HEAD = 4096
_LONGEST_HEADER = 100_000_000
"""Longest header of safetensors, as its own reader has it."""

_UNPACK = "unpack it and pass the file of weights that is in it"
_CONVERT = "save the network's weights as safetensors or .npz and pass that"
_AGAIN = "download or copy it again"
_WEIGHTS = "pass the file of the weights"
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a rar archive", _UNPACK),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", _CONVERT),
    (b"GGUF", "a GGUF file of a language model", _WEIGHTS),
    (b"\x93NUMPY", "a single array of NumPy's", "save all by name with numpy.savez"),
    (b"\x89PNG", "an image (PNG)", _WEIGHTS),
    (b"\xff\xd8\xff", "an image (JPEG)", _WEIGHTS),
    (b"GIF8", "an image (GIF)", _WEIGHTS),
    (b"BM", "an image (BMP)", _WEIGHTS),
    (b"RIFF", "an image or a sound (RIFF)", _WEIGHTS),
    (b"%PDF", "a PDF", _WEIGHTS),
    (b"\x7fELF", "a program", _WEIGHTS),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS to weights that were not fetched",
        "run `git lfs pull` in its folder",
    ),
)
_TF_INDEX = struct.pack("<Q", 0xDB4775248B80FB57)
_FIRST_OF_OLD_PICKLES = re.compile(rb"\(d|\(l|\}q|\]q|c[\w.]+\n\w+\n|\(i[\w.]+\n\w+\n")
_PYTHON = re.compile(
    r"^(import \w|from \w[\w.]* import |def \w+\(|class \w+|#!.*py)", re.M
)
_YAML = re.compile(r"^\s*(- |[\w.-]+:(\s|$))", re.M)
_ONNX = re.compile(rb"\x08[\x01-\x20](\x12[\x01-\x40][\w. -]+|\x42|\x3a)")


def kind_of(path: Path) -> FileKind:
    """Tell how a file is to be read.

    Raises:
        ValueError: It holds no weights; the message says what it is, and what to do.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, size - len(_TF_INDEX)))
        tail = file.read()
    if not head:
        raise ValueError(f"it is empty: {_AGAIN}")
    # First of all: these begin with a length, whose bytes may look like any other kind.
    if head[8:9] == b"{" and 2 <= _header(head) <= _LONGEST_HEADER:
        if 8 + _header(head) > size:
            raise ValueError(f"it is the beginning of a safetensors file: {_AGAIN}")
        return "safetensors"
    if head[:2] == b"PK":
        return _archive(path)
    for magic, what, advice in _MAGIC:
        if head.startswith(magic):
            raise ValueError(f"it is {what}: {advice}")
    if head[0] == 0x80 and head[1:2] and head[1] <= 5:
        return "pickle"
    if 0x81 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF):
        return "msgpack"
    if _FIRST_OF_OLD_PICKLES.match(head):
        return "pickle"
    what, advice = _stranger(path, head, tail)
    raise ValueError(f"it is {what}: {advice}")


def _header(head: bytes) -> int:
    return int.from_bytes(head[:8], "little")


def _archive(path: Path) -> FileKind:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"it is the beginning of a zip archive: {_AGAIN}")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.split("/")[-1] == "data.pkl" for name in names):
        return "torch archive"
    if any(name.endswith(".npy") for name in names):
        return "npz"
    if any(name.endswith(".weights.h5") for name in names):
        raise ValueError(f"it is a model of Keras: {_CONVERT}")
    raise ValueError(f"it is a zip archive without arrays at its top: {_UNPACK}")


def _stranger(path: Path, head: bytes, tail: bytes) -> tuple[str, str]:
    """What a file is that cannot be read, and what to do."""
    if not head.strip(b"\0"):
        return "nothing but zeros where it begins", _AGAIN
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    if head[4:8] == b"TFL3":
        return "a model of TensorFlow Lite", _CONVERT
    if tail == _TF_INDEX or re.search(r"\.data-\d+-of-\d+$", path.name):
        return "a checkpoint of TensorFlow", _CONVERT
    if path.name == "saved_model.pb":
        return "a SavedModel of TensorFlow", _CONVERT
    if _ONNX.match(head):
        return "a model in ONNX", _CONVERT
    return _text(head)


def _text(head: bytes) -> tuple[str, str]:
    try:
        # The last letter may be cut off.
        text = head[:-4].decode() + head[-4:].decode(errors="ignore")
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(letter) < 32 and not letter.isspace() for letter in text):
        return "of no kind that is known", f"expected {KINDS}"
    start = text.lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype", "<html", "<head")):
        return "a web page", "open the address in a browser, and save the file itself"
    if start.startswith(("<?xml", "<")):
        return "XML", _WEIGHTS
    if start.startswith(("{", "[")):
        return "JSON", _WEIGHTS
    if start.startswith("model_checkpoint_path:"):
        return "a checkpoint's list of TensorFlow", _CONVERT
    if _PYTHON.search(text):
        return "a Python script", f"{_WEIGHTS} that it saves"
    return ("YAML" if _YAML.match(text) else "text"), _WEIGHTS
