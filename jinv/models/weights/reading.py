"""Reading files of weights, whatever wrote them.

What a file is is told by what is in it. Nothing that is in it is run.
"""

import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import safe_open

from jinv.errors import JinvWarning, WeightsError, explain
from jinv.formats.archives import read_npz
from jinv.formats.inert import Inert
from jinv.formats.kinds import FileKind, kind_of
from jinv.formats.msgpack_trees import read_msgpack
from jinv.formats.orbax_folders import orbax_folder, read_orbax
from jinv.formats.trees import Arrays, containers, first_inert
from jinv.json_text import parse_json
from jinv.models.facts import Facts
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.folders import only_weights
from jinv.models.weights.hidden_networks import expand_supermask, is_supermask
from jinv.models.weights.normalisers import brought_along
from jinv.models.weights.state_dict import StateDict
from jinv.models.weights.torch_files import read_torch_file
from jinv.suggest import near

SCORES = ".scores"
"""How the keys of a published hidden network's scores end."""
_UNEXPLAINED = (KeyError, IndexError, TypeError, AttributeError, struct.error)
"""What Python says of them helps nobody."""
_SAME = 1e-4
"""How far a mean may lie from the zoo's and be the same, in images of [0, 1]."""


class Weights(NamedTuple):
    """What a file of weights holds.

    Attributes:
        groups: Arrays by container; see `jinv.formats.trees`.
        facts: Facts that it, or its companion FILE.json, tells of the network.
        tensors: Facts that only its tensors tell: a mean and a deviation of inputs.
        file: File where they were read: that in a folder, if a folder was given.
    """

    groups: dict[str, Arrays]
    facts: Facts
    tensors: Facts
    file: Path

    def described(
        self, spec: ClassifierSpec, given: Facts | None = None
    ) -> ClassifierSpec:
        """Make a specification with what the file tells; warn of what it brings.

        Args:
            spec: Specification in the zoo.
            given: Facts that somebody told, which come first.

        Raises:
            ConfigError: What the file tells cannot be true of any network.
        """
        given = given or Facts()
        mean, std = self.tensors.mean, self.tensors.std
        if mean is None or std is None or given.mean or given.std:
            return given.otherwise(self.facts).applied(spec)
        if len(mean) == 1:
            mean, std = mean * spec.channels, std * spec.channels
        own = (*mean, *std)
        known = (*spec.mean, *spec.std)
        if len(own) == len(known) and np.allclose(own, known, rtol=0, atol=_SAME):
            mean, std = spec.mean, spec.std
        else:
            warnings.warn(
                f"{self.file} brings its own mean {_listed(mean)} and std "
                f"{_listed(std)}, which are used",
                JinvWarning,
                stacklevel=3,
            )
        facts = replace(self.facts, mean=mean, std=std)
        return given.otherwise(facts).applied(spec)


def read_weights(path: Path) -> Weights:
    """Read a classifier's weights from a file, or from a folder that holds one.

    It may be of safetensors, .npz, either format of PyTorch, a pickle or msgpack of
    Flax or PyTorch parameters, or an Orbax folder, under any name.

    Raises:
        WeightsError: The file is missing, unreadable, holds no weights, or a hidden
            network whose masks are still to be computed.
    """
    weights = _read(Path(path))
    if any(_has_scores(arrays) for arrays in weights.groups.values()):
        raise WeightsError(
            f"{path} has scores beside its weights, as the original hidden-networks "
            f"repository saves them: convert it with `jinv supermask --published "
            f"{path} --model MODEL`, then pass what that writes"
        )
    return weights


def read_tensors(path: Path) -> StateDict:
    """Read the arrays of the container that has scores, or else of the fullest one.

    Raises:
        WeightsError: The file is missing, unreadable, or holds no arrays.
    """
    groups = _read(Path(path)).groups.values()
    fullest = max(groups, key=lambda arrays: (_has_scores(arrays), len(arrays)))
    return {k: value for k, value in fullest.items() if isinstance(value, np.ndarray)}


def _has_scores(arrays: Arrays) -> bool:
    return any(
        key.endswith(SCORES) and key.removesuffix(SCORES) + ".weight" in arrays
        for key in arrays
    )


def _read(path: Path) -> Weights:
    try:
        if not path.exists():
            raise WeightsError(f"no weights file at {path}{_near(path)}")
        groups, told, file = _read_place(path)
    except WeightsError:
        raise
    except PermissionError as error:
        raise WeightsError(f"cannot read {explain(error)}") from error
    except MemoryError as error:
        raise WeightsError(
            f"cannot read {path}: there is too little memory for what it holds or "
            "claims to hold"
        ) from error
    except Exception as error:  # each format raises kinds of its own
        raise WeightsError(f"cannot read {path}: {_in_one_line(error)}") from error
    said = _companion(file).otherwise(told)
    tensors = brought_along(groups) if said.mean is said.std is None else Facts()
    return Weights(groups, said.otherwise(tensors), tensors, file)


def _read_place(path: Path) -> tuple[dict[str, Arrays], Facts, Path]:
    if path.is_dir():
        folder = orbax_folder(path)
        if folder:
            return _found(read_orbax(folder)), Facts(), folder
        path = only_weights(path)
    if not path.is_file():
        raise ValueError("it is no file, nor a folder")
    kind = kind_of(path)
    if kind == "safetensors":
        return *_read_safetensors(path), path
    return _found(_READERS[kind](path)), Facts(), path


_READERS: dict[FileKind, Callable[[Path], Any]] = {
    "npz": read_npz,
    "torch archive": read_torch_file,
    "pickle": read_torch_file,
    "msgpack": lambda path: read_msgpack(path.read_bytes()),
}


def _found(tree: Any) -> dict[str, Arrays]:
    groups = containers(tree)
    if not groups:
        stranger = first_inert(tree)
        beside = f", but {stranger}, of which nothing was run" if stranger else ""
        raise ValueError(f"it holds no weights{beside}: expected arrays by their names")
    return groups


def _read_safetensors(path: Path) -> tuple[dict[str, Arrays], Facts]:
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        tensors: dict[str, Any] = {}
        for key in file.keys():  # noqa: SIM118
            kind = file.get_slice(key).get_dtype()
            plain = kind in _PLAIN
            tensors[key] = (
                file.get_tensor(key) if plain else Inert(f"a tensor of {kind}")
            )
    if is_supermask(metadata):
        tensors = dict(expand_supermask(tensors, metadata))
    return _found(tensors), Facts.from_metadata(metadata)


_PLAIN = {
    *("F64", "F32", "F16", "BF16", "C64"),
    *("I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"),
}


def _companion(file: Path) -> Facts:
    """What a file beside the weights, of the same name, tells of them."""
    path = file.with_suffix(".json")
    try:
        found = parse_json(path.read_bytes())
    except OSError:
        return Facts()
    except ValueError as error:
        warnings.warn(
            f"{path}, beside the weights, is no JSON, and what it says of them is not "
            f"known: {_in_one_line(error)}",
            JinvWarning,
            stacklevel=2,
        )
        return Facts()
    if path == file or not isinstance(found, dict):
        return Facts()
    try:
        return Facts.from_json(found)
    except (ValueError, OverflowError) as error:
        raise WeightsError(f"{path}, beside the weights: {error}") from error


def _listed(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}"
    return near(path.name, (other.name for other in path.parent.iterdir()))


def _in_one_line(error: Exception) -> str:
    """What a reader says; it may quote a file that means to write on the terminal."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, EOFError):
        text = "it ends too early"
    elif isinstance(error, _UNEXPLAINED):
        text = f"it is damaged, or of a kind that is not read ({text})"
    return "".join(c if c.isprintable() else "?" for c in text)[:400]
