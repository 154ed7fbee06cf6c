"""Random weights that can be drawn again, from a seed and a layer's name.

A network whose weights are never trained need not be stored: whoever knows the seed
can draw them again. So they come from raw bits of Philox (Salmon et al. 2011), which
are the same everywhere, and not from a library's samplers, whose streams change with
versions. What is made of the bits is exact for constants and uniform numbers; normal
ones pass through SciPy's inverse of the normal distribution, in float64, and are then
rounded to float32.
"""

import hashlib
import math
from typing import Literal

import numpy as np
from scipy.special import ndtri

WeightInit = Literal[
    "signed-constant",
    "unsigned-constant",
    "kaiming-normal",
    "kaiming-uniform",
    "xavier-normal",
]


def draw_weights(
    scheme: WeightInit,
    shape: tuple[int, ...],
    seed: int,
    layer: str,
    keep_fraction: float = 1.0,
) -> np.ndarray:
    """Draw a layer's weights.

    With σ² = 2 / fan-in (He et al. 2015), the variance that keeps activations at their
    size behind a ReLU:

    | scheme | weights |
    |---|---|
    | signed-constant | ±σ, each sign with probability ½ |
    | unsigned-constant | σ |
    | kaiming-normal | N(0, σ²) |
    | kaiming-uniform | U(±√3 σ) |
    | xavier-normal | N(0, 2 / (fan-in + fan-out)) (Glorot & Bengio 2010) |

    Where only a fraction of the weights is used, dividing the variance by it keeps the
    size of activations (Ramanujan et al. 2020, section 4.4, "scaled").

    Args:
        scheme: Scheme of the table above.
        shape: Shape as PyTorch has it: (out, in) or (out, in, height, width).
        seed: Seed of the network.
        layer: Name of the layer; every layer has a stream of its own.
        keep_fraction: Fraction by which the variance is divided.

    Returns:
        Array of `shape`, float32.
    """
    fan_in = math.prod(shape[1:])
    variance = 2 / fan_in
    if scheme == "xavier-normal":
        variance = 2 / (fan_in + shape[0] * math.prod(shape[2:]))
    size = math.sqrt(variance / keep_fraction)
    if scheme == "unsigned-constant":
        return np.full(shape, size, np.float32)
    uniform = _uniform(seed, f"weights of {layer}", shape)
    if scheme == "signed-constant":
        return np.where(uniform < 0.5, -size, size).astype(np.float32)
    if scheme == "kaiming-uniform":
        return (math.sqrt(3) * size * (2 * uniform - 1)).astype(np.float32)
    return (size * ndtri(uniform)).astype(np.float32)


def draw_scores(shape: tuple[int, ...], seed: int, layer: str) -> np.ndarray:
    """Draw the scores at which a layer's weights start: U(±1 / √fan-in), float32.

    The arguments are those of `draw_weights`.
    """
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    uniform = _uniform(seed, f"scores of {layer}", shape)
    return (bound * (2 * uniform - 1)).astype(np.float32)


def _uniform(seed: int, stream: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers strictly between 0 and 1, float64."""
    digest = hashlib.sha256(f"{seed}: {stream}".encode()).digest()
    bits = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    raw = bits.random_raw(math.prod(shape)).reshape(shape)
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
