"""Reading, writing, finding and fetching files of weights."""

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from jinv.atomic import replacing
from jinv.errors import WeightsError
from jinv.formats.archives import read_npz
from jinv.formats.pickles import read_numpy_pickle
from jinv.models.checksums import sha256_of
from jinv.models.downloads import fetch
from jinv.models.facts import ENTRY
from jinv.models.state_dict import StateDict, to_state_dict
from jinv.models.supermask_file import expand_supermask, is_supermask
from jinv.models.torch_files import read_torch_file
from jinv.models.zoo import ClassifierSpec, Download, Packaged

SCORES = ".scores"
"""How the keys of a published hidden network's scores end."""
_LONGEST_NAME = 1000
_MOST_REPEATED = 4
"""How often, on average, a pickle's bytes may be found in its arrays."""


def read_weights(path: Path) -> StateDict:
    """Read a classifier's weights from a file; see `read_tensors`.

    Raises:
        WeightsError: The file is missing, unreadable, of an unknown kind, or a hidden
            network whose masks are still to be computed.
    """
    state = read_tensors(path)
    if any(key.endswith(SCORES) for key in state):
        raise WeightsError(
            f"{path} has scores beside its weights, as the original hidden-networks "
            f"repository saves them: convert it with `jinv supermask --published "
            f"{path} --model MODEL`, then pass what that writes"
        )
    return state


def read_tensors(path: Path) -> StateDict:
    """Read a state dict from a file, whatever is in it.

    Its kind is told by its suffix: .safetensors, .npz, PyTorch's .pth, .pt, .th, .bin,
    .tar and .state, or .ckpt, a pickle of Flax parameters. Of pickles nothing but
    arrays is read, so that a downloaded file cannot run code.

    Raises:
        WeightsError: The file is missing, unreadable, or of an unknown kind.
    """
    if not path.is_file():
        raise WeightsError(f"no weights file at {path}")
    if path.suffix not in _READERS:
        raise WeightsError(f"{path}: expected one of {', '.join(_READERS)}")
    try:
        state = _READERS[path.suffix](path)
        _check(state)
        return state
    except Exception as error:  # each format raises kinds of its own
        raise WeightsError(f"cannot read {path}: {_in_one_line(error)}") from error


def _check(state: StateDict) -> None:
    for key, value in state.items():
        if len(key) > _LONGEST_NAME or not key.isprintable():
            raise ValueError("a tensor has a name that is long or cannot be printed")
        if value.dtype.kind == "c":
            raise ValueError(f"{key} holds complex numbers")


def _in_one_line(error: Exception) -> str:
    """What a reader says; it may quote a file that means to write on the terminal."""
    text = " ".join(str(error).split()) or "it ends too early"
    return "".join(c if c.isprintable() else "?" for c in text)[:400]


def write_weights(path: Path, state: StateDict, about: Mapping[str, Any]) -> str:
    """Write a .safetensors file that says something of itself; returns its sha256."""
    metadata = {ENTRY: json.dumps(dict(about))}
    with replacing(path) as partial:
        # Not by its own file, which would be private, and stay where it is killed.
        partial.write_bytes(save(state, metadata))
    return sha256_of(path)


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


def local_weights(spec: ClassifierSpec) -> Path | None:
    """A zoo model's weights, if they are on this machine: no connection is made."""
    embedded = embedded_weights(spec.name)
    if embedded:
        return embedded
    if isinstance(spec.source, Packaged):
        return _installed(spec.source)
    cached = cached_download(spec)
    return cached if cached and cached.is_file() else None


def cached_download(spec: ClassifierSpec) -> Path | None:
    """Where a model's download lies or would lie, if it has one."""
    if not isinstance(spec.source, Download):
        return None
    suffix = Path(spec.source.url).suffix
    return cache_dir() / "weights" / f"{spec.name}{suffix}"


def find_weights(spec: ClassifierSpec, advice: str = "pass --weights FILE") -> Path:
    """The weights of a zoo model: on this machine already, or freshly downloaded.

    Args:
        spec: The model.
        advice: How whoever asks can be given a file instead, for messages.

    Raises:
        WeightsError: There are none, or they could not be had; the message says which
            file to get from where and how to pass it.
    """
    found = local_weights(spec)
    if found:
        return found
    if isinstance(spec.source, Packaged):
        raise WeightsError(
            f"the weights of {spec.name} come with the package {spec.source.package}: "
            f"pip install 'jinv[{spec.source.extra}]', or {advice}"
        )
    cached = cached_download(spec)
    if cached is None or spec.source is None:
        raise WeightsError(
            f"{spec.name} has no published weights: train them with "
            f"scripts/train_classifier.py --model {spec.name}, or {advice}"
        )
    fetch(spec.name, spec.source, cached, advice)
    return cached


def _installed(source: Packaged) -> Path | None:
    package = importlib.util.find_spec(source.package)
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / source.file
        if path.is_file():
            return path
    return None


def _read_safetensors(path: Path) -> StateDict:
    with safe_open(path, "numpy") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    return expand_supermask(tensors, metadata) if is_supermask(metadata) else tensors


def _read_torch(path: Path) -> StateDict:
    content = read_torch_file(path)
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    items = content.items() if isinstance(content, dict) else ()
    tensors = {
        key: value
        for key, value in items
        if isinstance(key, str) and isinstance(value, np.ndarray)
    }
    if not tensors:
        raise ValueError("it holds no state dict")
    return tensors


def _read_flax_pickle(path: Path) -> StateDict:
    params = read_numpy_pickle(path)
    # Arrays that the tree shares are copied when they are laid out anew.
    repeated = sum(leaf.nbytes for leaf in _leaves(params))
    if repeated > _MOST_REPEATED * path.stat().st_size:
        raise ValueError("it repeats its arrays too often")
    return to_state_dict({"params": params})


def _leaves(params: Any) -> Iterator[np.ndarray]:
    """The arrays of a tree, to each of whose nodes one way leads: many never end."""
    seen, waiting = set(), [params]
    while waiting:
        node = waiting.pop()
        if isinstance(node, np.ndarray) and node is not params:
            yield node
        elif (
            isinstance(node, dict)
            and id(node) not in seen
            and all(type(key) is str for key in node)
        ):
            seen.add(id(node))
            waiting += node.values()
        else:
            raise ValueError("it holds no tree of parameters")


_READERS: dict[str, Callable[[Path], StateDict]] = {
    ".safetensors": _read_safetensors,
    ".npz": read_npz,
    ".ckpt": _read_flax_pickle,
} | dict.fromkeys((".pth", ".pt", ".th", ".bin", ".tar", ".state"), _read_torch)
