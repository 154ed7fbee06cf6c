"""Parameters from which a few steps suffice: MAML and Reptile, as optimisers."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

MetaRule = Literal["maml", "reptile"]


class MetaState(NamedTuple):
    """State of `meta_learnt`.

    Attributes:
        slow: Parameters with which each task begins.
        outer: State of the optimiser that moves them.
        inner: State of the optimiser of the task at hand.
        total: Sum of the task's gradients so far; empty for Reptile.
    """

    slow: Any
    outer: Any
    inner: Any
    total: Any


class MetaLearnt(NamedTuple):
    """An optimiser of tasks, and what is learnt from each of them.

    Attributes:
        optimizer: Moves the parameters within a task.
        settle: (parameters, state) after a task → those with which the next begins.
    """

    optimizer: optax.GradientTransformation
    settle: Callable[[Any, MetaState], tuple[Any, MetaState]]


def meta_learnt(
    inner: optax.GradientTransformation,
    outer: optax.GradientTransformation,
    rule: MetaRule = "maml",
) -> MetaLearnt:
    """Learn parameters from which a few steps suffice for any task.

    Each task starts from the slow parameters and takes steps of `inner`; then `outer`
    moves the slow ones by

    - maml: the sum of the task's gradients, first-order MAML (Finn et al. 2017,
      section 5.2; summed over all steps, as in Fang et al. 2022);
    - reptile: how far the task moved, slow - fast (Nichol et al. 2018).

    Args:
        inner: Optimiser within a task, which starts afresh with each.
        outer: Optimiser of the slow parameters, which lasts.
        rule: "maml" or "reptile".
    """
    sums = rule == "maml"

    def init(params: Any) -> MetaState:
        # Copies: a buffer that appears twice in a state cannot be given up.
        slow = jax.tree.map(jnp.copy, params)
        total = jax.tree.map(jnp.zeros_like, params) if sums else ()
        return MetaState(slow, outer.init(params), inner.init(params), total)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, MetaState]:
        total = jax.tree.map(jnp.add, state.total, updates) if sums else ()
        updates, after = inner.update(updates, state.inner, params)
        return updates, state._replace(inner=after, total=total)

    def settle(params: Any, state: MetaState) -> tuple[Any, MetaState]:
        slow = state.slow
        gradients = state.total if sums else jax.tree.map(jnp.subtract, slow, params)
        updates, after = outer.update(gradients, state.outer, slow)
        slow: Any = optax.apply_updates(slow, updates)
        return slow, init(slow)._replace(outer=after)

    return MetaLearnt(optax.GradientTransformation(init, update), settle)
