"""Finding an architecture's weights among the arrays of a file.

People put weights under `state_dict`, `model/net` or nothing, and wrappers put
`module.`, `student.backbone.` or `1.` before each key. The architecture decides: a file
fits where, behind one common beginning of its names, all that is needed is found.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jinv.errors import WeightsError
from jinv.formats.inert import Inert
from jinv.formats.trees import Arrays
from jinv.models.weights.entries import Entries, Entry, MaskedWeight, entries_of, same
from jinv.models.weights.normalisers import is_normaliser
from jinv.models.weights.state_dict import (
    is_kernel,
    kernel_from_torch,
    state_keys,
    torch_shape,
)

_LEFTOVERS = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")
"""What tools and layers count, and no inference needs."""
_AVERAGED = re.compile(r"(^|[/_])(ema|swa|average[d]?|avg|shadow)([/_\d]|$)", re.I)
_MOST_COPIES = 8
_EXAMPLES = 3

Shapes = tuple[tuple[int, ...], tuple[int, ...]]


def from_groups(
    groups: Mapping[str, Arrays],
    shapes: Mapping[str, Any],
    source: str,
    aliases: Mapping[str, str] | None = None,
    ignored: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Turn the arrays of a file into Flax variables of the given shapes.

    Wrappers' names (`module` of DataParallel, `_orig_mod` of torch.compile) are left
    out wherever they occur, and weights that PyTorch's pruning masks are multiplied
    out. Averaged copies lose against plain weights in another container. Beside the
    common beginning of the names that fit, anything may lie; behind it, nothing but
    counters and the mean and deviation of inputs.

    Args:
        groups: Arrays by container; see `jinv.formats.trees`.
        shapes: Variables of the module, or `jax.eval_shape` of them.
        source: Source of the arrays, for messages.
        aliases: Parts of keys in the file → parts of ours.
        ignored: Prefixes of keys that the architecture has no use for.

    Raises:
        WeightsError: A tensor is missing, unexpected, there twice, of another shape,
            or no weights can have its values; the message names it.
    """
    flat_shapes: dict[tuple, Any] = dict(flatten_dict(dict(shapes)))
    wanted = {key: path for path, key in state_keys(flat_shapes).items()}
    entries = entries_of(groups, aliases or {})
    prefix = _prefix(entries, wanted, source)
    found = {key: entries.by_name[prefix + key] for key in wanted}
    _check_unexpected(entries, prefix, found, ignored, source)
    kernels = {key for key, path in wanted.items() if is_kernel(path)}
    expected = {key: tuple(flat_shapes[path].shape) for key, path in wanted.items()}
    expected |= {key: torch_shape(expected[key]) for key in kernels}
    _check_shapes(found, expected, source)
    numbers = {key: _numbers(key, found[key].value, source) for key in wanted}
    numbers |= {key: kernel_from_torch(numbers[key]) for key in kernels}
    return unflatten_dict({path: numbers[key] for key, path in wanted.items()})


def from_state_dict(
    state: Mapping[str, np.ndarray],
    shapes: Mapping[str, Any],
    source: str,
    aliases: Mapping[str, str] | None = None,
    ignored: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Turn a state dict into Flax variables, as `from_groups` does."""
    return from_groups({"": dict(state)}, shapes, source, aliases, ignored)


def _prefix(entries: Entries, wanted: Mapping[str, Any], source: str) -> str:
    """The one beginning of names behind which all wanted ones are found."""
    longest = max((key.count(".") for key in wanted), default=0) + 1
    counts: Counter[str] = Counter()
    for name in entries.by_name:
        parts = name.split(".")
        for size in range(1, min(longest, len(parts)) + 1):
            key = ".".join(parts[-size:])
            if key in wanted:
                counts[name.removesuffix(key)] += 1
    fitting = [prefix for prefix, count in counts.items() if count == len(wanted)]
    if not fitting:
        raise WeightsError(_missing(entries, wanted, counts, source))
    first = next(key for key, path in wanted.items() if path[0] == "params")
    paths = {prefix: entries.by_name[prefix + first] for prefix in fitting}
    plain = [prefix for prefix in fitting if not _AVERAGED.search(paths[prefix].folder)]
    chosen, *others = plain or fitting
    for other in others:
        pairs = (
            (entries.by_name[chosen + key].value, entries.by_name[other + key].value)
            for key in wanted
        )
        if len(others) > _MOST_COPIES or not all(same(*pair) for pair in pairs):
            raise WeightsError(_two(source, paths[chosen].origin, paths[other].origin))
    for key in wanted:
        one, others = entries.by_name[chosen + key], entries.twice.get(chosen + key, [])
        for other in others:
            if len(others) > _MOST_COPIES or not same(one.value, other.value):
                raise WeightsError(_two(source, one.origin, other.origin))
    return chosen


def _two(source: str, one: str, other: str) -> str:
    return (
        f"{source} has two copies of the weights that differ, {one} and {other}, … : "
        "keep one in the file, e.g. the averaged or the plain weights"
    )


def _missing(
    entries: Entries, wanted: Mapping[str, Any], counts: Counter[str], source: str
) -> str:
    best = max(counts, key=lambda p: (counts[p], -len(p)), default="")
    missing = [key for key in wanted if best + key not in entries.by_name]
    theirs = [name for name in entries.by_name if not name.endswith(_LEFTOVERS)]
    strange = [
        name
        for name in theirs
        if not name.startswith(best) or name.removeprefix(best) not in wanted
    ]
    shown = ", ".join(_short(name) for name in (strange or theirs)[:_EXAMPLES])
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    where = f" behind {_short(best)}" if best else ""
    return (
        f"{source} misses tensor {missing[0]}{more}{where}; it has {shown}, …: choose "
        "the model that these weights belong to (`jinv models` lists them)"
    )


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:25]}…{name[-30:]}"


def _check_unexpected(
    entries: Entries,
    prefix: str,
    found: Mapping[str, Entry],
    ignored: tuple[str, ...],
    source: str,
) -> None:
    homes = {entry.container for entry in found.values()}
    extra = [
        key
        for name, entry in entries.by_name.items()
        if name.startswith(prefix)
        # A tree of variables has many containers, a state dict is one.
        and (len(homes) > 1 or entry.container in homes)
        and not isinstance(entry.value, Inert)
        and (key := name.removeprefix(prefix)) not in found
        and not key.endswith(_LEFTOVERS)
        and not key.startswith(ignored)
        and not is_normaliser(key, entry.value)
    ]
    if extra:
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise WeightsError(
            f"{source} has an unexpected tensor {_short(extra[0])}{more}; choose the "
            "model that these weights belong to (`jinv models` lists them)"
        )


def _check_shapes(
    found: Mapping[str, Entry], expected: Mapping[str, tuple], source: str
) -> None:
    misshapen: dict[str, Shapes] = {}
    for key, entry in found.items():
        if isinstance(entry.value, Inert):
            raise WeightsError(
                f"{source}: tensor {key} is {entry.value.name}, which is not read: "
                "save it as plain numbers, e.g. with .float() or .dequantize()"
            )
        theirs, ours = tuple(entry.value.shape), expected[key]
        if theirs != ours:
            misshapen[key] = theirs, ours
    if misshapen:
        raise WeightsError(f"{source}: {_describe(misshapen)}")


def _describe(misshapen: dict[str, Shapes]) -> str:
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


def _numbers(key: str, value: Any, source: str) -> np.ndarray:
    """A tensor's values, if a network can have them."""
    if isinstance(value, MaskedWeight):
        if value.mask.shape != value.shape:
            raise WeightsError(f"{source}: the mask of {key} has another shape than it")
        value = value.original * value.mask
    if value.dtype.kind == "c":
        raise WeightsError(
            f"{source}: tensor {key} holds complex numbers, which no layer here has"
        )
    with np.errstate(over="ignore"):
        numbers = value.astype(np.float32)
    advice = "its training went astray, or the file is damaged: take an earlier one"
    if not np.isfinite(numbers).all():
        raise WeightsError(f"{source}: tensor {key} is not finite everywhere; {advice}")
    if key.endswith("running_var") and (numbers < 0).any():
        raise WeightsError(f"{source}: tensor {key} has variances below 0; {advice}")
    return numbers
