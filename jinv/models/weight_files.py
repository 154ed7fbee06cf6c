"""Reading, writing, finding and fetching files of weights."""

import hashlib
import json
import os
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from jinv.errors import WeightsError
from jinv.models.state_dict import StateDict
from jinv.models.zoo import ClassifierSpec, Download

TORCH_SUFFIXES = (".pth", ".pt", ".th", ".bin", ".tar")


def read_weights(path: Path) -> StateDict:
    """Read a state dict from .safetensors, .npz, or a PyTorch file.

    PyTorch files are read by PyTorch itself with `weights_only=True`, so that a
    downloaded file cannot run code.

    Raises:
        WeightsError: The file is missing, unreadable, or of an unknown kind.
    """
    if not path.is_file():
        raise WeightsError(f"no weights file at {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                return dict(arrays)
    except Exception as error:  # each format raises kinds of its own
        raise WeightsError(f"cannot read {path}: {error}") from error
    if path.suffix in TORCH_SUFFIXES:
        return _read_torch(path)
    raise WeightsError(
        f"{path}: expected .safetensors, .npz or a PyTorch file "
        f"({', '.join(TORCH_SUFFIXES)})"
    )


def write_weights(path: Path, state: StateDict, metadata: Mapping[str, str]) -> str:
    """Write a .safetensors file and return its sha256."""
    partial = path.with_suffix(".partial")
    save_file(state, partial, dict(metadata))
    os.replace(partial, path)
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def embedded_weights(name: str) -> Path | None:
    """The project's own weights for a model: in a checkout or in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_weights", package.parent / "weights"):
        path = folder / f"{name}.safetensors"
        if path.is_file():
            return path
    return None


def embedded_card(name: str) -> dict[str, Any] | None:
    """The card beside the project's own weights: data, recipe, accuracy, sha256."""
    path = embedded_weights(name)
    return json.loads(path.with_suffix(".json").read_text()) if path else None


def cache_dir() -> Path:
    """Where downloads and compiled programs are kept (`JINV_CACHE` overrides)."""
    root = os.environ.get("JINV_CACHE")
    if root:
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jinv"


def cached_download(spec: ClassifierSpec) -> Path | None:
    """Where a model's download lies or would lie, if it has one."""
    if spec.download is None:
        return None
    suffix = Path(spec.download.url).suffix
    return cache_dir() / "weights" / f"{spec.name}{suffix}"


def find_weights(spec: ClassifierSpec) -> Path:
    """The weights of a zoo model: embedded, in the cache, or freshly downloaded.

    Raises:
        WeightsError: There are none, or they could not be had; the message says which
            file to get from where and how to pass it.
    """
    embedded = embedded_weights(spec.name)
    if embedded:
        return embedded
    cached = cached_download(spec)
    if cached is None or spec.download is None:
        raise WeightsError(
            f"{spec.name} has no published weights: train them with "
            f"scripts/train_classifier.py --model {spec.name}, or pass --weights FILE"
        )
    if not cached.is_file():
        _fetch(spec.name, spec.download, cached)
    return cached


def _fetch(name: str, download: Download, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        with urllib.request.urlopen(download.url, timeout=30) as reply:
            with partial.open("wb") as file:
                while block := reply.read(1 << 20):
                    file.write(block)
            if getattr(reply, "length", 0):  # what a server announced and never sent
                raise OSError(f"{reply.length} bytes are missing at the end")
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"cannot download the weights of {name} ({error}): get {download.url} on "
            f"a machine with a connection, then pass --weights FILE or put it at {path}"
        ) from error
    found = sha256_of(partial)
    if not found.startswith(download.sha256):
        raise WeightsError(
            f"{download.url}: expected sha256 {download.sha256}, received {found}; "
            f"what came was left at {partial} for inspection"
        )
    os.replace(partial, path)


def _read_torch(path: Path) -> StateDict:
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise WeightsError(
            f"reading {path.name} needs PyTorch: pip install 'jinv[torch]', or convert "
            "it to .safetensors elsewhere"
        ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, none of its own
        raise WeightsError(f"cannot read {path}: {error}") from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    items = content.items() if isinstance(content, dict) else ()
    tensors = {key: value for key, value in items if isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no state dict")
    return {key: value.detach().float().numpy() for key, value in tensors.items()}
