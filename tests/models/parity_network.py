"""Weights and inputs that PyTorch and jinv can both make, without storing them."""

import zlib

import numpy as np


def parity_array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of a network's state dict, drawn from its key alone."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        wide = key.endswith(".weight")
        # A branch's last BatchNorm is quiet, so that activations stay of order one.
        scale = 0.2 if key.endswith("bn3.weight") else 0.8
        return (scale * (wide + 0.1 * rng.standard_normal(shape))).astype(np.float32)
    fan_in = int(np.prod(shape[1:]))
    deviation = np.sqrt((2 if len(shape) == 4 else 1) / fan_in)
    return (deviation * rng.standard_normal(shape)).astype(np.float32)


def parity_inputs(name: str = "resnet50") -> tuple[np.ndarray, np.ndarray]:
    """Normalised inputs (2, size, size, channels) and labels (2,)."""
    sizes = {"cifar": 32, "mnist": 28, "inception": 96}
    size = next((sizes[n] for n in sizes if name.startswith(n)), 64)
    channels = 1 if size == 28 else 3
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((2, size, size, channels)).astype(np.float32)
    return inputs, np.array([7, 9] if size <= 32 else [7, 900])
