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
from flax.traverse_util import flatten_dict, unflatten_dict

from jinv.errors import WeightsError

StateDict = dict[str, np.ndarray]

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
_WRAPPERS = ("module.", "_orig_mod.", "model.", "ema.", "ema_model.", "model_ema.")
_COUNTERS = ("num_batches_tracked", "n_averaged")


def to_state_dict(variables: Mapping[str, Any]) -> StateDict:
    """Turn Flax variables (`params`, `batch_stats`) into a state dict."""
    return {
        _key(path): np.ascontiguousarray(kernel_to_torch(np.asarray(value)))
        for path, value in flatten_dict(dict(variables)).items()
    }


def from_state_dict(
    state: Mapping[str, np.ndarray],
    shapes: Mapping[str, Any],
    source: str,
    aliases: Mapping[str, str] | None = None,
    ignored: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Turn a state dict into Flax variables of the given shapes.

    Wrappers' prefixes (`module.` of DataParallel, `_orig_mod.` of torch.compile, `ema.`
    of averaged copies) are removed and counters are ignored. Anything else must match.

    Args:
        state: Arrays by key.
        shapes: The module's variables, or `jax.eval_shape` of them.
        source: Where the state came from, for messages.
        aliases: Parts of keys in the file → parts of ours.
        ignored: Prefixes of keys that the architecture has no use for.

    Raises:
        WeightsError: A tensor is missing, unexpected, there twice, or of another shape;
            the message names it.
    """
    renamed: StateDict = {}
    for key, value in state.items():
        ours = canonical_key(key, aliases or {})
        if ours in renamed:
            raise WeightsError(
                f"{source} has two tensors that could be {ours}: keep one, e.g. "
                "the averaged or the plain weights"
            )
        if not ours.endswith(_COUNTERS) and not ours.startswith(ignored):
            renamed[ours] = value
    flat_shapes: dict[tuple, Any] = dict(flatten_dict(dict(shapes)))
    wanted = {_key(path): path for path in flat_shapes}
    _complain(source, "misses", [key for key in wanted if key not in renamed])
    extra = [key for key in renamed if key not in wanted]
    _complain(source, "has an unexpected", extra)
    variables: dict[tuple, np.ndarray] = {}
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for key, path in wanted.items():
        value = kernel_from_torch(np.asarray(renamed[key]))
        expected = tuple(flat_shapes[path].shape)
        if value.shape != expected:
            misshapen[key] = (tuple(np.shape(renamed[key])), torch_shape(expected))
        else:
            variables[path] = value.astype(np.float32)
    if misshapen:
        raise WeightsError(f"{source}: {_describe(misshapen)}")
    return unflatten_dict(variables)


def with_batchnorm_defaults(state: StateDict) -> StateDict:
    """Add the scales 1 and the offsets 0 of BatchNorm layers that have none."""
    filled = dict(state)
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if leaf == "running_mean":
            filled.setdefault(f"{layer}.weight", np.ones_like(value))
            filled.setdefault(f"{layer}.bias", np.zeros_like(value))
    return filled


def _describe(misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    # The classes' bias may come before their kernel, which tells more.
    key = max(misshapen, key=lambda key: len(misshapen[key][0]))
    theirs, ours = misshapen[key]
    advice = "choose the model that these weights belong to"
    if len(misshapen) <= 2 and len(theirs) == len(ours) == 2 and theirs[1] == ours[1]:
        advice = (
            f"these weights tell {theirs[0]} classes apart, not {ours[0]}: give their "
            "names with --class-names (in Python, load_classifier(…, classes=…))"
        )
    return (
        f"tensor {key} has shape {theirs}, but the architecture needs {ours}; {advice}"
    )


def _key(path: tuple[str, ...]) -> str:
    return ".".join((*path[1:-1], _LEAVES[path[-1]]))


def canonical_key(key: str, aliases: Mapping[str, str]) -> str:
    """A key without wrappers' prefixes, in our names."""
    stripped = True
    while stripped:
        stripped = False
        for wrapper in _WRAPPERS:
            if key.startswith(wrapper):
                key, stripped = key.removeprefix(wrapper), True
    for theirs, ours in aliases.items():
        if key.startswith(theirs) or f".{theirs}" in key:
            key = key.replace(theirs, ours)
    return key


def _complain(source: str, verb: str, keys: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        raise WeightsError(
            f"{source} {verb} tensor {keys[0]}{more}; choose the model that these "
            "weights belong to (`jinv models` lists them)"
        )


def torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that PyTorch gives to a kernel of ours."""
    return kernel_to_torch(np.empty(shape, np.bool_)).shape


def kernel_to_torch(value: np.ndarray) -> np.ndarray:
    """Lay a kernel out as PyTorch does; see the table above."""
    return np.transpose(value, (3, 2, 0, 1)) if value.ndim == 4 else value.T


def kernel_from_torch(value: np.ndarray) -> np.ndarray:
    """Lay a kernel out as Flax does; see the table above."""
    return np.transpose(value, (2, 3, 1, 0)) if value.ndim == 4 else value.T
