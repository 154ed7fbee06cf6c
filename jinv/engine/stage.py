"""What an inversion method hands to the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jinv.images.views import View
from jinv.models.classifier import Taps

Params = Any
"""What is optimised: a tree of arrays."""


@dataclass(frozen=True)
class Evaluation:
    """All that a loss term may look at, for one batch.

    Attributes:
        inputs: What the parameters render to (batch, height, width, 3), normalised.
        logits: The classifier's answer to a random view of them (batch, classes).
        labels: The classes asked for (batch,).
        taps: Moments of every BatchNorm layer's input; a leading axis, if any, counts
            the groups in which the batch was measured.
        running: The moments that training left.
        batch_mean: Averages over the first axis, across all devices.
        batch_sum: Sums over the first axis, across all devices.
    """

    inputs: jax.Array
    logits: jax.Array
    labels: jax.Array
    taps: Taps
    running: Taps
    batch_mean: Callable[[jax.Array], jax.Array]
    batch_sum: Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Term:
    """A weighted part of the objective; `value` returns a scalar for the batch."""

    name: str
    weight: float
    value: Callable[[Evaluation], jax.Array]


@dataclass(frozen=True)
class Stage:
    """A stretch of optimisation with one parametrisation and one optimiser.

    Attributes:
        steps: How many updates.
        init: (key, index) → parameters, for images of the given numbers.
        carry: Parameters of the stage before → parameters of this one.
        render: Parameters → inputs.
        finish: Parameters → the inputs to keep: what `render` gives, less anything
            that served the optimisation only.
        view: How the classifier sees the inputs.
        terms: The objective.
        project: Brings parameters back to where they are allowed, after each update.
        optimizer: Takes the loss as `value`, for schedules that watch it.
        learning_rate: Step → learning rate; for the log.
    """

    steps: int
    init: Callable[[jax.Array, jax.Array], Params]
    carry: Callable[[Params], Params]
    render: Callable[[Params], jax.Array]
    finish: Callable[[Params], jax.Array]
    view: View
    terms: tuple[Term, ...]
    project: Callable[[Params], Params]
    optimizer: optax.GradientTransformationExtraArgs
    learning_rate: optax.Schedule


class State(NamedTuple):
    """What changes from step to step, and all that a checkpoint must hold.

    Random numbers are derived from the seed and the step, so no key is among it.
    """

    step: jax.Array
    params: Params
    optimizer: Any
    finite: jax.Array
    """Whether every loss so far was a number; the parameters stay at the last that
    were."""


def initial_state(stage: Stage, params: Params) -> State:
    """The state of a stage before its first step."""
    optimizer = stage.optimizer.init(params)
    return State(jnp.zeros((), jnp.int32), params, optimizer, jnp.ones((), bool))


class Constants(NamedTuple):
    """What a step reads and never changes."""

    variables: dict[str, Any]
    labels: jax.Array
    index: jax.Array
    """Each image's number in the whole run."""
    key: jax.Array
    """Raw data of the stage's random key."""
