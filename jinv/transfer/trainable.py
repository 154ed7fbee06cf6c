"""Trainables: what a training changes of a network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Trainable:
    """What a training changes, and the network's parameters that follow from it.

    Attributes:
        trained: Arrays that the optimiser changes, as they start.
        frozen: Arrays that stay as they are, bit for bit.
        params: Function (trained, frozen, key) → the network's `params`. The key is
            that of the step; None where the accuracy is measured.
        described: All that the arrays depend on, as JSON: what tells one training from
            another.
    """

    trained: Any
    frozen: Any
    params: Callable[[Any, Any, jax.Array | None], Any]
    described: dict[str, Any] = field(default_factory=dict)
