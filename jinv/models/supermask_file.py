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
from safetensors import safe_open
from safetensors.numpy import save_file

from jinv.atomic import replacing
from jinv.models.random_weights import WeightInit, draw_weights
from jinv.models.state_dict import StateDict

FORMAT = "jinv supermask 1"

_MASK = ".mask"


@dataclass(frozen=True)
class FrozenWeights:
    """How the weights of a random network are drawn.

    Attributes:
        seed: Of all layers.
        weight_init: See `draw_weights`.
        scaled: Whether the variance is divided by the fraction that is kept.
        fractions: Fraction that is kept of each layer, by its name.
        shapes: PyTorch's shape of each layer.
    """

    seed: int
    weight_init: WeightInit
    scaled: bool
    fractions: dict[str, float]
    shapes: dict[str, tuple[int, ...]]

    def draw(self) -> StateDict:
        """All weights, kept or not, by layer."""
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
        """Undo `dataclasses.asdict` and JSON."""
        shapes = {name: tuple(shape) for name, shape in described["shapes"].items()}
        return cls(**{**described, "shapes": shapes})


def write_supermask(
    path: Path,
    model: str,
    frozen: FrozenWeights,
    masks: StateDict,
    others: StateDict,
) -> None:
    """Write a hidden network.

    Args:
        path: A .safetensors file.
        model: Name of its architecture.
        frozen: How its weights are drawn.
        masks: Booleans by layer; layers without one are kept whole.
        others: What is not a masked weight, by its key in the state dict.
    """
    packed = {name + _MASK: np.packbits(mask) for name, mask in masks.items()}
    metadata = {
        "format": FORMAT,
        "model": model,
        "frozen": json.dumps(asdict(frozen)),
        "sha256": _checksum(frozen.draw()),
    }
    with replacing(path) as partial:
        save_file(packed | _without_defaults(others), partial, metadata)


def read_safetensors(path: Path) -> StateDict:
    """Read a state dict; that of a hidden network is drawn and masked.

    Raises:
        ValueError: A hidden network is of a later format, contradicts itself, or its
            weights cannot be drawn here as they were.
    """
    with safe_open(path, "numpy") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    kind = metadata.get("format", "")
    if not kind.startswith("jinv supermask"):
        return tensors
    if kind != FORMAT:
        raise ValueError(f"it is a {kind!r}, and this version of jinv reads {FORMAT!r}")
    frozen = FrozenWeights.from_json(json.loads(metadata["frozen"]))
    weights = frozen.draw()
    if _checksum(weights) != metadata["sha256"]:
        raise ValueError(
            f"seed {frozen.seed} draws other weights here than where it was written"
        )
    state = {}
    for name, weight in weights.items():
        packed = tensors.pop(name + _MASK, None)
        state[f"{name}.weight"] = (
            weight if packed is None else weight * _unpack(name, packed, weight.shape)
        )
    return state | with_batchnorm_defaults(tensors)


def _unpack(name: str, packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    count = math.prod(shape)
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


def with_batchnorm_defaults(state: StateDict) -> StateDict:
    """Add the scales 1 and the offsets 0 of BatchNorm layers that have none."""
    filled = dict(state)
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if leaf == "running_mean":
            filled.setdefault(f"{layer}.weight", np.ones_like(value))
            filled.setdefault(f"{layer}.bias", np.zeros_like(value))
    return filled
