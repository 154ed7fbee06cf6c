"""Trainables: what a training changes of a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax


def beside(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What a network has beside what is trained: it stays as it is."""
    trained = "params", "batch_stats"
    return {name: tree for name, tree in variables.items() if name not in trained}


def joined(params: Any, statistics: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    """Put a network's variables together.

    Args:
        params: Parameters of the network.
        statistics: BatchNorm statistics; empty where it has none.
        others: What it has beside them, see `beside`.
    """
    normalising = {"batch_stats": statistics} if statistics else {}
    return {"params": params, **normalising, **others}


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
