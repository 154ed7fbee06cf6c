"""Hidden networks on disk: a seed and one bit for each weight.

Such a file is a .safetensors file whose metadata say how the weights are drawn. It
holds the masks' bits, BatchNorm's statistics, and what else was trained; a ResNet-50 is
3.6 MB instead of 102. Reading it yields an ordinary state dict, so that it can stand
wherever weights can.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import save

from jinv.atomic import replacing
from jinv.models.facts import HIDDEN_ENTRY
from jinv.models.weights.drawing import WeightInit, draw_weights
from jinv.models.weights.state_dict import StateDict, with_batchnorm_defaults

FORMAT = 1
"""Format of the files that are written here."""

_MASK = ".mask"
_MOST_WHOLE = 2**26
"""Weights of layers that are kept whole, and have no bits in the file."""


@dataclass(frozen=True)
class FrozenWeights:
    """Rule by which the weights of a random network are drawn.

    Attributes:
        seed: Seed of all layers.
        weight_init: Scheme of `draw_weights`.
        scaled: Whether the variance is divided by the fraction that is kept.
        fractions: Fractions that are kept of each layer, by its name.
        shapes: Shapes of the layers as PyTorch has them, by name.
    """

    seed: int
    weight_init: WeightInit
    scaled: bool
    fractions: dict[str, float]
    shapes: dict[str, tuple[int, ...]]

    def draw(self) -> StateDict:
        """Draw all weights, kept or not, by layer."""
        return {
            name: draw_weights(
                self.weight_init,
                shape,
                self.seed,
                name,
                self.fractions[name] if self.scaled else 1.0,
            )
            for name, shape in self.shapes.items()
        }

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Read the rule from JSON, as `dataclasses.asdict` left it."""
        shapes = {name: tuple(shape) for name, shape in described["shapes"].items()}
        sizes = [size for shape in shapes.values() for size in shape]
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("its layers have shapes that are none")
        return cls(**{**described, "shapes": shapes})


def write_supermask(
    path: Path,
    model: str,
    frozen: FrozenWeights,
    masks: StateDict,
    others: StateDict,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a hidden network.

    Args:
        path: Path of a .safetensors file.
        model: Name of the network's architecture.
        frozen: Rule by which its weights are drawn.
        masks: Masks, booleans by layer; layers without one are kept whole.
        others: Other variables than masked weights, by their keys in the state dict.
        facts: Facts that its metadata are to say as well; see `Facts.to_json`.
    """
    packed = {name + _MASK: np.packbits(mask) for name, mask in masks.items()}
    described = {
        "format": FORMAT,
        "model": model,
        "frozen": asdict(frozen),
        "sha256": _checksum(frozen.draw()),
    }
    # One entry: of several the order in the file would be left to chance.
    metadata = {HIDDEN_ENTRY: json.dumps(described | {"facts": dict(facts or {})})}
    with replacing(path) as partial:
        partial.write_bytes(save(packed | _without_defaults(others), metadata))


def is_supermask(metadata: Mapping[str, str]) -> bool:
    """Whether a file with these metadata holds a hidden network, of any format."""
    return HIDDEN_ENTRY in metadata


def expand_supermask(tensors: StateDict, metadata: Mapping[str, str]) -> StateDict:
    """Draw and mask the weights of a hidden network.

    Args:
        tensors: Tensors that its file holds.
        metadata: Metadata by which its file says what it is.

    Returns:
        The network's state dict.

    Raises:
        ValueError: The file is of a later format, contradicts itself, or its weights
            cannot be drawn here as they were.
    """
    described = json.loads(metadata[HIDDEN_ENTRY])
    if described["format"] != FORMAT:
        raise ValueError(
            f"it is a hidden network of format {described['format']}, and this version "
            f"of jinv reads format {FORMAT}"
        )
    frozen = FrozenWeights.from_json(described["frozen"])
    others, masks = dict(tensors), {}
    for name, shape in frozen.shapes.items():
        if frozen.fractions[name] < 1:
            masks[name] = _unpack(name, others.pop(name + _MASK, None), shape)
    # Before anything is drawn: a small file may claim large layers.
    whole = sum(math.prod(s) for n, s in frozen.shapes.items() if n not in masks)
    if whole > _MOST_WHOLE:
        raise ValueError(f"it claims {whole:,} weights without masks")
    weights = frozen.draw()
    if _checksum(weights) != described["sha256"]:
        raise ValueError(
            f"seed {frozen.seed} draws other weights here than where it was written: "
            "load it there, and store it as ordinary weights"
        )
    state = {
        f"{name}.weight": weight * masks[name] if name in masks else weight
        for name, weight in weights.items()
    }
    return state | with_batchnorm_defaults(others)


def _unpack(name: str, packed: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    count = math.prod(shape)
    if packed is None:
        raise ValueError(f"it lacks the mask of {name}")
    if packed.dtype != np.uint8 or packed.shape != (-(-count // 8),):
        raise ValueError(
            f"the mask of {name} has {packed.size} bytes, but {count} weights need "
            f"{-(-count // 8)}"
        )
    return np.unpackbits(packed, count=count).reshape(shape)


def _checksum(weights: StateDict) -> str:
    digest = hashlib.sha256()
    for weight in weights.values():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _without_defaults(state: StateDict) -> StateDict:
    """Leave the scales and offsets of BatchNorm out where they are 1 and 0."""
    return {
        key: value for key, value in state.items() if not _is_default(state, key, value)
    }


def _is_default(state: StateDict, key: str, value: np.ndarray) -> bool:
    layer, _, leaf = key.rpartition(".")
    constant = {"weight": 1, "bias": 0}.get(leaf)
    return (
        f"{layer}.running_mean" in state
        and constant is not None
        and bool(np.all(value == constant))
    )
