"""What changes from step to step, and what a step reads."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jinv.engine.phase import Phase, Split


class State(NamedTuple):
    """What changes from step to step, and all that a checkpoint must hold.

    Random numbers are derived from the seed and the step, so no key is among it.
    """

    step: jax.Array
    params: Split
    optimizer: Split
    memory: Any
    finite: jax.Array
    """Whether every loss so far was a number; the parameters stay at the last that
    were."""


def initial_state(phase: Phase, params: Split) -> State:
    """The state of a phase before its first step."""
    optimizer = Split(
        phase.optimizer.own.init(params.own),
        phase.optimizer.shared.init(params.shared),
    )
    start = jnp.zeros((), jnp.int32)
    return State(start, params, optimizer, phase.memory, jnp.ones((), bool))


def next_state(phase: Phase, state: State, params: Split) -> State:
    """The state with which a lasting phase begins another batch.

    Args:
        phase: The phase.
        state: At the end of the batch before.
        params: Fresh ones, of which the images' own are taken.
    """
    shared, shared_state = phase.settle(state.params.shared, state.optimizer.shared)
    return State(
        jnp.zeros((), jnp.int32),
        Split(params.own, shared),
        Split(phase.optimizer.own.init(params.own), shared_state),
        state.memory,
        state.finite,
    )


class Constants(NamedTuple):
    """What a step reads and never changes."""

    variables: dict[str, Any]
    student: dict[str, Any]
    """Variables of the student; empty if there is none."""
    labels: jax.Array
    index: jax.Array
    """Each image's number in the whole run."""
    key: jax.Array
    """Raw data of the phase's random key."""
    start: jax.Array
    """Raw data of the run's random key, from which parameters are drawn."""
