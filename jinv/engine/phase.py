"""What an inversion method hands to the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import optax

from jinv.images.views import View
from jinv.models.response import Taps


class Split(NamedTuple):
    """Trees of arrays, apart by whom they belong to.

    Attributes:
        own: Arrays whose first axis counts the images, such as pixels or latents; and
            numbers.
        shared: Arrays that all images of a batch have in common, such as the weights of
            a generator.
    """

    own: Any
    shared: Any = ()


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Context:
    """What a rendering may look at beside the parameters.

    Attributes:
        variables: Of the classifier.
        labels: The classes asked for (batch,).
        index: Each image's number in the whole run (batch,).
        key: Of this step.
        average: Averages a tree over the devices that share the batch.
    """

    variables: dict[str, Any]
    labels: jax.Array
    index: jax.Array
    key: jax.Array
    average: Callable[[Any], Any]


Render = Callable[[Split, Context], jax.Array]
"""Parameters → inputs (batch, height, width, channels)."""


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that a loss term may look at, for one batch.

    Attributes:
        inputs: What the parameters render to (batch, height, width, channels),
            normalised.
        logits: The classifier's answer to a random view of them (batch, classes).
        student_logits: The student's answer to the same view; the classifier's own if
            there is no student.
        features: The classifier's named activations; see `Classifier.features`.
        labels: The classes asked for (batch,).
        taps: Moments of every BatchNorm layer's input; a leading axis, if any, counts
            the groups of which they were taken.
        running: The moments that training left.
        memory: What the phase remembers of earlier steps.
        last: Whether this is the phase's last step.
        batch_mean: Averages over the first axis, across all devices.
        batch_sum: Sums over the first axis, across all devices.
    """

    inputs: jax.Array
    logits: jax.Array
    student_logits: jax.Array
    features: dict[str, jax.Array]
    labels: jax.Array
    taps: Taps
    running: Taps
    memory: Any
    last: jax.Array
    batch_mean: Callable[[jax.Array], jax.Array]
    batch_sum: Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Term:
    """A weighted part of the objective; `value` returns a scalar for the batch."""

    name: str
    weight: float
    value: Callable[[Evaluation], jax.Array]


def _stay(params: Any, *_: Any) -> Any:
    return params


def unsettled(params: Any, state: Any) -> tuple[Any, Any]:
    """What batches share goes on as if there were one batch only."""
    return params, state


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Phase:
    """A stretch of optimisation with one parametrisation and one optimiser for it.

    Attributes:
        steps: How many updates.
        init: (key, index) → parameters, for images of the given numbers.
        render: Parameters → inputs.
        finish: Parameters → the inputs to keep: what `render` gives, less anything
            that served the optimisation only.
        view: How the classifier sees the inputs.
        terms: The objective.
        optimizer: Of both parts; they take the loss as `value`, for schedules that
            watch it.
        learning_rate: Step → learning rate; for the log.
        carry: Parameters of the phase before → parameters of this one.
        project: Brings parameters back to where they are allowed, after each update.
        memory: What is remembered before the first step: a tree of arrays.
        remember: (memory, evaluation) → memory, after each step.
        settle: (shared parameters, their optimiser's state) after a batch → those with
            which the next one begins, where a procedure is `lasting`.
    """

    steps: int
    init: Callable[[jax.Array, jax.Array], Split]
    render: Render
    finish: Render
    view: View
    terms: tuple[Term, ...]
    optimizer: Split
    learning_rate: optax.Schedule
    carry: Callable[[Split], Split] = _stay
    project: Callable[[Split], Split] = _stay
    memory: Any = ()
    remember: Callable[[Any, Evaluation], Any] = _stay
    settle: Callable[[Any, Any], tuple[Any, Any]] = unsettled


@dataclass(frozen=True)
class Procedure:
    """What is done with the batches.

    Attributes:
        phases: What is done with each batch, in order.
        lasting: Whether what images share, and what is remembered, passes on from batch
            to batch, in order; there is one phase then. Otherwise a batch depends on
            its number alone.
        rehearsals: Batches that are done first and dropped, so that what lasts has
            learnt something.
        labelled: Whether images of given classes are asked for; otherwise the
            classifier is asked afterwards what they show.
        student: Whether terms look at the answers of a student.
    """

    phases: tuple[Phase, ...]
    lasting: bool = False
    rehearsals: int = 0
    labelled: bool = True
    student: bool = False
