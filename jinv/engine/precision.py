"""The type of a network's activations."""

from typing import Any, Literal

import jax.numpy as jnp

from jinv.devices import on_accelerator
from jinv.values import converted

Precision = Literal["auto", "float32", "bfloat16"]


def activation_type(precision: Precision) -> Any:
    """What a network computes in; "auto" is bfloat16 on accelerators.

    Weights, statistics, losses and images are float32 always. On CPU bfloat16 brings
    nothing.

    Raises:
        ConfigError: There is no such precision.
    """
    precision = converted(Precision, precision, "precision")
    if precision == "auto":
        return jnp.bfloat16 if on_accelerator() else jnp.float32
    return jnp.bfloat16 if precision == "bfloat16" else jnp.float32
