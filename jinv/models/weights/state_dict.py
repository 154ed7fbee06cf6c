"""State dicts: the flat, PyTorch-shaped form in which weights lie in files.

Flax variables and state dicts hold the same numbers. A variable's path joined by dots
is its key, once the leaf is renamed; kernels are transposed.

| Flax | state dict | |
|---|---|---|
| params/…/kernel, 4-D HWIO | ….weight, OIHW | convolution |
| params/…/kernel, 2-D (in, out) | ….weight (out, in) | dense |
| params/…/scale, bias | ….weight, ….bias | BatchNorm |
| batch_stats/…/mean, var | ….running_mean, ….running_var | BatchNorm |
| …/anything else | ….anything else, as it is | |

Where a layer's variables would come to share a key, the later ones of this table keep
their own names, and a kernel that does so its layout.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from jinv.errors import WeightsError

StateDict = dict[str, np.ndarray]

KERNEL = "kernel"
"""How Flax calls what is transposed."""
_LEAVES = {
    KERNEL: "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
"""Names of a layer's variables, in Flax and in a state dict."""
_WRAPPERS = frozenset(
    ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
)
"""What DataParallel, torch.compile, FSDP and checkpointing put into names."""


def to_state_dict(variables: Mapping[str, Any]) -> StateDict:
    """Turn Flax variables (`params`, `batch_stats`, …) into a state dict.

    Args:
        variables: Variables of any module.

    Raises:
        WeightsError: Two collections have variables of one name.
    """
    flat: dict[tuple, Any] = dict(flatten_dict(dict(variables)))
    state = {}
    for path, key in state_keys(flat).items():
        value = np.asarray(flat[path])
        if is_kernel(path) and parts_of(key)[-1] != KERNEL:
            value = kernel_to_torch(value)
        state[key] = np.asarray(value, order="C")
    return state


def with_batchnorm_defaults(state: StateDict) -> StateDict:
    """Add the scales 1 and the offsets 0 of BatchNorm layers that have none."""
    filled = dict(state)
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if leaf == "running_mean":
            filled.setdefault(f"{layer}.weight", np.ones_like(value))
            filled.setdefault(f"{layer}.bias", np.zeros_like(value))
    return filled


def state_keys(paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The key in a state dict of each variable's path.

    Args:
        paths: Paths of all variables, collections first.

    Raises:
        WeightsError: Two collections have variables of one name.
    """
    # Names may have dots and slashes in them.
    parts = {path: parts_of("/".join(path[1:])) for path in paths}
    words = torch_words(parts.values())
    keys = {path: ".".join(words[tuple(part)]) for path, part in parts.items()}
    if len(set(keys.values())) < len(keys):
        first = {key: path for path, key in reversed(keys.items())}
        other = next(path for path, key in keys.items() if first[key] != path)
        raise WeightsError(
            f"variables {'/'.join(first[keys[other]])} and {'/'.join(other)} have one "
            "name: expected different ones, as a file has no collections"
        )
    return keys


def torch_words(
    names: Iterable[Sequence[str]],
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Names of variables as PyTorch has them, by those that Flax has.

    Args:
        names: Names in parts: the layer's, and the variable's own.
    """
    layers: dict[tuple, set[str]] = defaultdict(set)
    for *layer, leaf in names:
        layers[tuple(layer)].add(leaf)
    words = {}
    for layer, leaves in layers.items():
        taken = leaves - _LEAVES.keys()
        for leaf in (*taken, *(leaf for leaf in _LEAVES if leaf in leaves)):
            word = _LEAVES.get(leaf, leaf)
            word = leaf if word in taken else word
            taken.add(word)
            words[*layer, leaf] = (*layer, word)
    return words


def parts_of(name: str) -> list[str]:
    """The parts of a name, by whatever they are joined."""
    return [part for part in re.split(r"[/.]", name) if part]


def is_kernel(path: tuple[str, ...]) -> bool:
    """Whether a variable is laid out by `kernel_to_torch` in a state dict."""
    return parts_of(path[-1])[-1] == KERNEL


def canonical_key(key: str, aliases: Mapping[str, str]) -> str:
    """Bring a key into our names, without those of wrappers, wherever they occur."""
    parts = key.split(".")
    if not _WRAPPERS.isdisjoint(parts):
        key = ".".join(part for part in parts if part not in _WRAPPERS)
    for theirs, ours in aliases.items():
        if key.startswith(theirs) or f".{theirs}" in key:
            key = key.replace(theirs, ours)
    return key


def torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that PyTorch gives to a kernel of ours."""
    return shape[:-3:-1] + shape[:-2]


def kernel_to_torch(value: np.ndarray) -> np.ndarray:
    """Lay a kernel out as PyTorch does, by the table of this module."""
    return np.moveaxis(value, (-1, -2), (0, 1)) if value.ndim > 1 else value


def kernel_from_torch(value: np.ndarray) -> np.ndarray:
    """Lay a kernel out as Flax does, by the table of this module."""
    return np.moveaxis(value, (0, 1), (-1, -2)) if value.ndim > 1 else value
