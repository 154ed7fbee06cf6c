"""Weights and inputs that PyTorch and jinv can both make, without storing them."""

import zlib

import numpy as np


def parity_array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of a ResNet's state dict, drawn from its key alone."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        wide = key.endswith(".weight")
        # A branch's last BatchNorm is quiet, so that activations stay of order one.
        scale = 0.2 if key.endswith("bn3.weight") else 1.0
        return (scale * (wide + 0.1 * rng.standard_normal(shape))).astype(np.float32)
    fan_in = int(np.prod(shape[1:]))
    deviation = np.sqrt((2 if len(shape) == 4 else 1) / fan_in)
    return (deviation * rng.standard_normal(shape)).astype(np.float32)


def parity_inputs() -> tuple[np.ndarray, np.ndarray]:
    """Normalised inputs (2, 64, 64, 3) and labels (2,)."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 64, 64, 3)).astype(np.float32), np.array([7, 900])
