"""State dicts: the flat, PyTorch-shaped form in which weights lie in files.

Flax variables and state dicts hold the same numbers. A variable's path joined by dots
is its key, once the leaf is renamed; kernels are transposed.

| Flax | state dict | |
|---|---|---|
| params/…/kernel, 4-D HWIO | ….weight, OIHW | convolution |
| params/…/kernel, 2-D (in, out) | ….weight (out, in) | dense |
| params/…/scale, bias | ….weight, ….bias | BatchNorm |
| batch_stats/…/mean, var | ….running_mean, ….running_var | BatchNorm |
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

StateDict = dict[str, np.ndarray]

LEAVES = {
    "kernel": "weight",
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
    """Turn Flax variables (`params`, `batch_stats`) into a state dict."""
    return {
        state_key(path): np.ascontiguousarray(kernel_to_torch(np.asarray(value)))
        for path, value in flatten_dict(dict(variables)).items()
    }


def with_batchnorm_defaults(state: StateDict) -> StateDict:
    """Add the scales 1 and the offsets 0 of BatchNorm layers that have none."""
    filled = dict(state)
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if leaf == "running_mean":
            filled.setdefault(f"{layer}.weight", np.ones_like(value))
            filled.setdefault(f"{layer}.bias", np.zeros_like(value))
    return filled


def state_key(path: tuple[str, ...]) -> str:
    """The key in a state dict of a variable's path."""
    return ".".join((*path[1:-1], LEAVES[path[-1]]))


def canonical_key(key: str, aliases: Mapping[str, str]) -> str:
    """A key in our names, without those of wrappers, wherever they occur."""
    parts = key.split(".")
    if not _WRAPPERS.isdisjoint(parts):
        key = ".".join(part for part in parts if part not in _WRAPPERS)
    for theirs, ours in aliases.items():
        if key.startswith(theirs) or f".{theirs}" in key:
            key = key.replace(theirs, ours)
    return key


def torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that PyTorch gives to a kernel of ours."""
    order = (3, 2, 0, 1) if len(shape) == 4 else range(len(shape))[::-1]
    return tuple(shape[axis] for axis in order)


def kernel_to_torch(value: np.ndarray) -> np.ndarray:
    """Lay a kernel out as PyTorch does; see the table above."""
    return np.transpose(value, (3, 2, 0, 1)) if value.ndim == 4 else value.T


def kernel_from_torch(value: np.ndarray) -> np.ndarray:
    """Lay a kernel out as Flax does; see the table above."""
    return np.transpose(value, (2, 3, 1, 0)) if value.ndim == 4 else value.T
