"""What an inversion method hands to the engine: image, view, wanted, descent.

    parameters → image → view → networks → what was seen → terms → gradient

Each part can be had without the others: a new objective is a term, a new
parametrisation an `Image`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import jax
import optax

from jinv.images.views import View

TEACHER, STUDENT = "teacher", "student"
"""Roles that methods name: the network that is inverted, and one that learns from it.
"""

Numbers = Mapping[str, Any]
"""Loss weights and learning rates by name: what a program takes, and is not made of."""

StatisticsScope = Literal["global", "local"]
Keep = Literal["last", "best"]


class Network(Protocol):
    """Whoever takes part: a classifier, a prior, a network with features to match."""

    @property
    def variables(self) -> Any:
        """A tree of arrays, which programs take as an argument."""
        ...

    def respond(self, variables: Any, inputs: jax.Array) -> Any:
        """Respond to inputs (batch, height, width, channels) by a tree of arrays."""
        ...


Cast = Mapping[str, Network]
"""Who takes part, by role."""


class Split(NamedTuple):
    """Trees of arrays, apart by whom they belong to.

    Attributes:
        own: Arrays whose first axis counts the images, such as pixels or latents.
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
        cast: Variables of the networks, by role.
        asked: What is asked of each image, such as its class, by name; the first axis
            of each array counts the images.
        index: Each image's number in the whole run (batch,).
        key: Random key of this step.
        average: Averages a tree over the devices that share the batch.
    """

    cast: Mapping[str, Any]
    asked: Mapping[str, jax.Array]
    index: jax.Array
    key: jax.Array
    average: Callable[[Any], Any]


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that a loss term may look at, for one batch.

    Attributes:
        inputs: What the parameters render to (batch, height, width, channels),
            normalised.
        seen: What each network says of one random view of them, by role; of a
            classifier, a `Response`. Moments in it have a leading axis, if any, that
            counts the groups of which they were taken.
        cast: Variables of the networks, by role.
        asked: What is asked of each image, by name; see `Context`.
        index: Each image's number in the whole run (batch,).
        key: Random key of this step, for terms that draw: by image, never by batch.
        memory: What the term at hand remembers of earlier steps.
        last: Whether this is the phase's last step.
        batch_mean: Averages over the first axis, across all devices.
        batch_sum: Sums over the first axis, across all devices.
    """

    inputs: jax.Array
    seen: Mapping[str, Any]
    cast: Mapping[str, Any]
    asked: Mapping[str, jax.Array]
    index: jax.Array
    key: jax.Array
    memory: Any
    last: jax.Array
    batch_mean: Callable[[jax.Array], jax.Array]
    batch_sum: Callable[[jax.Array], jax.Array]


def _stay(unchanged: Any, *_: Any) -> Any:
    return unchanged


# Compared by identity: memories hold arrays.
@dataclass(frozen=True, eq=False)
class Term:
    """A part of the objective; or, where it is only watched, a measurement.

    Attributes:
        name: What it is called in logs.
        value: (evaluation) → scalar for the batch.
        weight: Number by which it is multiplied, or the name of one.
        cast: Roles of the networks that it looks at.
        asks: Names of what it wants to be asked of each image.
        memory: Tree of arrays that it remembers before the first step.
        remember: (evaluation) → the memory after a step.
    """

    name: str
    value: Callable[[Evaluation], jax.Array]
    weight: str | float = 1.0
    cast: tuple[str, ...] = (TEACHER,)
    asks: tuple[str, ...] = ()
    memory: Any = ()
    remember: Callable[[Evaluation], Any] = lambda evaluation: evaluation.memory


Render = Callable[[Split, Context], jax.Array]
"""Parameters → inputs (batch, height, width, channels)."""


@dataclass(frozen=True, eq=False)
class Image:
    """How images are parametrised.

    Attributes:
        init: (key, index) → parameters, for images of the given numbers.
        render: Parameters → inputs.
        finish: Parameters → the inputs to keep: what `render` gives, less anything
            that served the optimisation only.
        carry: Parameters of the phase before → parameters of this one.
        project: Brings parameters back to where they are allowed, after each update.
        cast: Roles of the networks that rendering looks at.
        asks: Names of what it wants to be asked of each image.
        start: (drawn parameters, what is asked of each image) → those with which a
            batch begins, where something that is asked says so.
    """

    init: Callable[[jax.Array, jax.Array], Split]
    render: Render
    finish: Render
    carry: Callable[[Split], Split] = _stay
    project: Callable[[Split], Split] = _stay
    cast: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    start: Callable[[Split, Mapping[str, Any]], Split] = _stay


def unsettled(params: Any, state: Any) -> tuple[Any, Any]:
    """Let what batches share go on as if there were one batch only."""
    return params, state


class Optimizers(NamedTuple):
    """How both parts of the parameters are moved; each takes the loss as `value`.

    Attributes:
        own: Optimiser of one image's own parameters, without the axis that counts
            images: no image knows of another.
        shared: Optimiser of what images share.
        settle: (shared parameters, their optimiser's state) after a batch → those with
            which the next one begins, where they pass on.
    """

    own: optax.GradientTransformation
    shared: optax.GradientTransformation = optax.identity()
    settle: Callable[[Any, Any], tuple[Any, Any]] = unsettled


MakeOptimizers = Callable[[Numbers], Optimizers]
LearningRate = Callable[[Numbers, Any], Any]
"""Function of the numbers and the step."""


@dataclass(frozen=True, eq=False)
class Descent:
    """How the parameters go down.

    Attributes:
        steps: Number of updates at most.
        optimizers: (numbers) → the optimisers. The numbers are data: no shape and no
            state may depend on them.
        learning_rate: (numbers, step) → learning rate; for the log.
        patience: The phase ends after this share of its steps without improvement of
            the loss, which is compared every 25 steps; 0 never.
        statistics: Whether moments are those of the whole batch ("global") or of each
            device's part of it ("local").
        keep: Whether the images of a batch are the "last", or the "best": as they were
            when the lowest loss of the phase was measured. The next phase, or what
            passes on to the next batch, goes on from the last either way.
    """

    steps: int
    optimizers: MakeOptimizers
    learning_rate: LearningRate
    patience: float = 0.0
    statistics: StatisticsScope = "global"
    keep: Keep = "last"


@dataclass(frozen=True, eq=False)
class Phase:
    """A stretch of optimisation with one parametrisation and one objective.

    Attributes:
        image: How images are parametrised.
        view: How the networks see them.
        wanted: Terms of the objective, which is their weighted sum.
        descent: How the objective is reached.
    """

    image: Image
    view: View
    wanted: tuple[Term, ...]
    descent: Descent

    @property
    def cast(self) -> frozenset[str]:
        """Roles of all networks that the phase looks at."""
        return frozenset(self.image.cast).union(*(term.cast for term in self.wanted))

    @property
    def asks(self) -> frozenset[str]:
        """Names of all that the phase wants to be asked of each image."""
        return frozenset(self.image.asks).union(*(term.asks for term in self.wanted))


@dataclass(frozen=True)
class Procedure:
    """What is done with the batches.

    Attributes:
        phases: What is done with each batch, in order.
        passes_on: Whether what images share, and what is remembered, passes on from
            batch to batch, in order; there is one phase then. Otherwise a batch depends
            on its number alone.
        rehearsals: Batches that are done first and dropped, so that what passes on has
            learnt something.
    """

    phases: tuple[Phase, ...]
    passes_on: bool = False
    rehearsals: int = 0

    @property
    def cast(self) -> frozenset[str]:
        """Roles of all networks that the procedure looks at."""
        return frozenset().union(*(phase.cast for phase in self.phases))

    @property
    def asks(self) -> frozenset[str]:
        """Names of all that the procedure wants to be asked of each image."""
        return frozenset().union(*(phase.asks for phase in self.phases))

    @property
    def steps(self) -> int:
        """Number of updates that a batch takes at most."""
        return sum(phase.descent.steps for phase in self.phases)
