"""States that earlier versions kept: with one optimiser for all images of a batch."""

from typing import Any

import jax
import jax.numpy as jnp

from jinv.engine.phase import Numbers, Phase, Split
from jinv.engine.state import State


def former_state(phase: Phase, state: State, numbers: Numbers) -> State:
    """Make a state as it was kept before each image had an optimiser of its own."""
    own = phase.descent.optimizers(numbers).own.init(state.params.own)
    # There was one memory, and no name for it.
    memory: Any = next(iter(state.memory.values()), ())
    return state._replace(optimizer=Split(own, state.optimizer.shared), memory=memory)


def renewed_state(found: State, like: State) -> State:
    """Bring a former state to today's form: all images had the same counts."""

    def each(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.broadcast_to(old, new.shape)

    own = jax.tree.map(each, found.optimizer.own, like.optimizer.own)
    memory = {name: found.memory for name in like.memory}
    return found._replace(optimizer=Split(own, found.optimizer.shared), memory=memory)
