"""What learns from batches, and its single steps: no data, no folder, no loop.

`fit` drives a lesson through epochs, in a folder; a `Learner` makes its steps.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.engine.phase import Split
from jinv.engine.placement import Placement

Measurements = Mapping[str, jax.Array | None]
"""Scalars of one step, by name; None for the `loss` where it is not to be told."""

Objective = Callable[
    [Any, Any, Any, Any, jax.Array], tuple[jax.Array, tuple[Any, Measurements]]
]
"""A pure function (trained, frozen, state, batch, key) → (loss, (state, measurements)).

`batch` is a tree of arrays whose first axis counts examples; `key` is that of the step.
"""


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Lesson:
    """What learns, and from which objective.

    Attributes:
        trained: The arrays that the optimiser changes, as they start.
        objective: The loss, and what else a step measures.
        optimizer: Optimiser that turns gradients of `trained` into updates.
        frozen: Arrays that stay as they are, such as a teacher's weights. They are an
            argument of the program, never constants in it.
        state: What changes without a gradient, such as BatchNorm's statistics.
        seed: Seed of the steps' keys.
        advice: What to do where the loss stops being a number.
    """

    trained: Any
    objective: Objective
    optimizer: optax.GradientTransformation
    frozen: Any = ()
    state: Any = ()
    seed: int = 0
    advice: str = "take a lower learning rate"


class Learnt(NamedTuple):
    """What changes from step to step, and all that a checkpoint must hold.

    Random numbers are derived from the seed and the step, so no key is among it.
    """

    trained: Any
    state: Any
    optimizer: Any


class Learner:
    """A lesson's steps, compiled for devices; what was learnt is held by the caller."""

    def __init__(
        self,
        lesson: Lesson,
        placement: Placement,
        on_compiled: Callable[[float], None] = lambda _: None,
    ):
        """Lay out on devices what stays as it is.

        Args:
            lesson: What learns.
            placement: Devices over which each batch is spread; those of one program
                (`parallel="jit"`).
            on_compiled: Told of the seconds that each compiling took.
        """
        self.lesson, self.placement = lesson, placement
        self._on_compiled = on_compiled
        self.frozen = placement.put(jax.tree.map(jnp.asarray, lesson.frozen))
        self._programs: dict[Hashable, Callable] = {}

    def begin(self) -> Learnt:
        """What is known before the first step."""
        # Steps give it up, and the caller's arrays are not ours to give.
        trained, state = jax.tree.map(
            jnp.array, (self.lesson.trained, self.lesson.state)
        )
        optimizer = self.lesson.optimizer.init(trained)
        return self.placement.put(Learnt(trained, state, optimizer))

    def step(self, learnt: Learnt, batch: Any, number: int) -> tuple[Learnt, Any]:
        """Make one update.

        Args:
            learnt: What is known so far; given up.
            batch: Tree of arrays, on the host.
            number: Number of the step, counted from the lesson's beginning.

        Returns:
            What is known now; and scalars, `loss` and the objective's measurements.
        """
        leaves, structure = jax.tree.flatten(batch)
        kind = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        batch = self.placement.put(Split(batch)).own
        arguments = learnt, self.frozen, batch, np.int32(number)
        if kind not in self._programs:
            began = time.monotonic()
            self._programs[kind] = self.placement.compile(self._update, *arguments)
            self._on_compiled(time.monotonic() - began)
        return self._programs[kind](*arguments)

    def _update(
        self, learnt: Learnt, frozen: Any, batch: Any, number: jax.Array
    ) -> tuple[Learnt, Measurements]:
        lesson = self.lesson
        key = jax.random.fold_in(jax.random.key(lesson.seed), number)
        learn = jax.value_and_grad(lesson.objective, has_aux=True)
        found, gradients = learn(learnt.trained, frozen, learnt.state, batch, key)
        loss, (state, measurements) = found
        optimizer = optax.with_extra_args_support(lesson.optimizer)  # as for a plateau
        updates, moved = optimizer.update(
            gradients, learnt.optimizer, learnt.trained, value=loss
        )
        trained = optax.apply_updates(learnt.trained, updates)
        return Learnt(trained, state, moved), {"loss": loss, **measurements}
