"""What changes from step to step, and what a step reads."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jinv.engine.phase import Numbers, Optimizers, Phase, Split


class State(NamedTuple):
    """What changes from step to step, and all that a checkpoint must hold.

    Random numbers are derived from the seed and the step, so no key is among it.
    """

    step: jax.Array
    params: Split
    optimizer: Split
    memory: dict[str, Any]
    """What each term that remembers something remembers; and the `Best`, where it is
    kept, under `BEST`."""
    finite: jax.Array
    """Whether every loss so far was a number; the parameters stay at the last that
    were."""


class Best(NamedTuple):
    """The lowest loss of a phase so far, and the parameters that had it."""

    loss: jax.Array
    params: Split


BEST = "loss"
"""Name of the `Best` in a state's memory. No term has it, as the log does."""


def begin_best(params: Split) -> Best:
    """Make the memory of the best before there is any: where the phase starts."""
    # Copies: a buffer that appears twice in a state cannot be given up.
    return Best(jnp.full((), jnp.inf, jnp.float32), jax.tree.map(jnp.copy, params))


def better(best: Best, loss: jax.Array, params: Split) -> Best:
    """The best so far, or parameters whose loss is lower."""
    lower = loss < best.loss
    return jax.tree.map(lambda a, b: jnp.where(lower, a, b), Best(loss, params), best)


class Common(NamedTuple):
    """What a step reads and never changes, and all images have in common."""

    cast: dict[str, Any]
    """Variables of the networks, by role."""
    numbers: Numbers
    """Loss weights and learning rates, by name."""
    key: jax.Array
    """Raw data of the phase's random key."""
    start: jax.Array
    """Raw data of the run's random key, from which parameters are drawn."""


def give(
    cast: dict[str, Any],
    asked: dict[str, Any],
    numbers: Numbers,
    index: jax.Array,
    key: jax.Array,
    start: jax.Array,
) -> Split:
    """Put together what a step reads: `Common`, and what each image has of its own.

    That is its number in the whole run, `index` (batch,), and what is asked of it.
    """
    data = {name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()}
    common = Common(cast, data, jax.random.key_data(key), jax.random.key_data(start))
    arrays = {name: jnp.asarray(array) for name, array in asked.items()}
    return Split({"index": index, "asked": arrays}, common)


def initial_state(phase: Phase, params: Split, numbers: Numbers) -> State:
    """Make the state of a phase before its first step."""
    optimizers = phase.descent.optimizers(numbers)
    remembering = (term for term in phase.wanted if jax.tree.leaves(term.memory))
    memory = {term.name: term.memory for term in remembering}
    if phase.descent.keep == "best":
        memory[BEST] = begin_best(params)
    return State(
        jnp.zeros((), jnp.int32),
        params,
        Split(init_own(optimizers, params.own), optimizers.shared.init(params.shared)),
        memory,
        jnp.ones((), bool),
    )


def next_state(phase: Phase, state: State, params: Split, numbers: Numbers) -> State:
    """Make the state with which a phase that passes on begins another batch.

    Of `params`, which are fresh, the images' own are taken, all else of the last state.
    """
    optimizers = phase.descent.optimizers(numbers)
    shared, moved = optimizers.settle(state.params.shared, state.optimizer.shared)
    params, memory = Split(params.own, shared), state.memory
    if phase.descent.keep == "best":
        memory = {**memory, BEST: begin_best(params)}
    return State(
        jnp.zeros((), jnp.int32),
        params,
        Split(init_own(optimizers, params.own), moved),
        memory,
        state.finite,
    )


def init_own(optimizers: Optimizers, own: Any) -> Any:
    """Make each image's state of the optimiser; the first axes count the images."""
    return jax.vmap(optimizers.own.init)(own) if jax.tree.leaves(own) else ()


def update_own(
    optimizers: Optimizers, gradients: Any, state: Any, own: Any, loss: jax.Array
) -> tuple[Any, Any]:
    """Update the images' own parameters, each by an optimiser of its own."""
    if not jax.tree.leaves(own):
        return own, state
    update = optax.with_extra_args_support(optimizers.own).update
    return jax.vmap(lambda g, s, p: update(g, s, p, value=loss))(gradients, state, own)
