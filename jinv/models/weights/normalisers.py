"""The mean and deviation of inputs that a file of weights brings along.

Networks trained against attacks, among others, subtract the mean themselves: their
first layer keeps it beside the weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jinv.formats.trees import Arrays
from jinv.models.facts import Facts

_PAIRS = {
    "mean": "std",
    "_mean": "_std",
    "new_mean": "new_std",
    "mu": "sigma",
    "means": "stds",
    "image_mean": "image_std",
    "img_mean": "img_std",
    "pixel_mean": "pixel_std",
    "input_mean": "input_std",
    "norm_mean": "norm_std",
    "data_mean": "data_std",
}
_LEAVES = (*_PAIRS, *_PAIRS.values())


def is_normaliser(key: str, value: Any) -> bool:
    """Whether an array is called and shaped like a mean or a deviation of inputs."""
    leaf = key.rpartition(".")[2]
    shape = value.shape if isinstance(value, np.ndarray) else (0,)
    return (
        leaf in _LEAVES
        and shape[-3:] in ((1,), (3,), (1, 1, 1), (3, 1, 1))
        and shape[:-3] in ((), (1,))
    )


def brought_along(groups: Mapping[str, Arrays]) -> Facts:
    """Find the mean and deviation that lie beside a file's weights.

    Values up to 255 are brought to images in [0, 1]. Where a file has several that
    differ, or impossible ones, none is taken.
    """
    found = set()
    for arrays in groups.values():
        for key, value in arrays.items():
            place, dot, leaf = key.rpartition(".")
            other = arrays.get(f"{place}{dot}{_PAIRS.get(leaf)}")
            if leaf in _PAIRS and is_normaliser(key, value) and other is not None:
                pair = _pair(value, other)
                found |= {pair} if pair else set()
    if len(found) != 1:
        return Facts()
    ((mean, std),) = found
    return Facts(mean=mean, std=std)


def _pair(mean: Any, std: Any) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if not isinstance(std, np.ndarray) or mean.shape != std.shape:
        return None
    if mean.dtype.kind not in "iuf" or std.dtype.kind not in "iuf":
        return None
    values = np.stack([mean.ravel(), std.ravel()]).astype(np.float64)
    if values.max() > 1:
        values /= 255
    fits = np.isfinite(values).all() and values.max() <= 1 and (values[1] > 0).all()
    if not fits or (values[0] < 0).any():
        return None
    # In the digits that somebody typed.
    first, second = (tuple(float(f"{v:.6g}") for v in row) for row in values)
    return first, second
