"""A game: a generator plays on against the student that learns from its images.

Nothing is kept of the images: each update of the student is on fresh ones, and after
some of them the generator has its turn. Student and generator are one lesson, so that
a checkpoint holds both, and a round is as long as its turns.
"""

from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.engine.events import Cost
from jinv.engine.lesson import Lesson, Measurements
from jinv.engine.optimizers import make_schedule
from jinv.engine.phase import (
    STUDENT,
    TEACHER,
    Context,
    Evaluation,
    Numbers,
    Phase,
    Split,
)
from jinv.engine.step import weight_of
from jinv.errors import ConfigError
from jinv.inversion.generating import OneGenerator
from jinv.inversion.method import Method
from jinv.models.classifier import Classifier
from jinv.models.response import Response
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.examples import Examples
from jinv.transfer.supply import Supply
from jinv.transfer.trainable import joined


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("index",),
    meta_fields=("generators",),
)
@dataclass(frozen=True, eq=False)
class Turn:
    """A step of a game.

    Attributes:
        index: Places in the batch (batch,), int32.
        generators: Whether it is the generator's turn, and not the student's.
    """

    index: Any
    generators: bool


_IDLE = ("steps", "rehearsals", "patience", "bn_scope")
"""Settings of a generator that count where sets are made, and not in a game."""


class Game(Supply):
    """Images of a generator that has a turn after some updates of the student."""

    def __init__(self, method: Method, config: DistillConfig, turns: int):
        """Plan a game.

        Args:
            method: Objective and settings of the generator, one for all batches.
            config: How the student learns.
            turns: Updates of the student for each of the generator.

        Raises:
            ConfigError: The method has no such generator, or settings that a game has
                no use for; or a round does not end with the generator's turn.
        """
        if not isinstance(method, OneGenerator):
            raise ConfigError(
                f"{type(method).__name__} makes images batch by batch: expected a "
                "method of one generator that plays on, DAFL or DFAD"
            )
        for field in fields(method):
            if field.name in _IDLE and getattr(method, field.name) != field.default:
                raise ConfigError(
                    f"{field.name} is for sets, whose batches are made one by one, and "
                    "does nothing in a game: leave it out"
                )
        if config.round_steps % turns:
            # Rounds are no longer than the work.
            name = "steps" if config.rounds == 1 else "round_steps"
            fewer = config.round_steps // turns * turns
            either = f"{fewer} or {fewer + turns}" if fewer else str(turns)
            raise ConfigError(
                f"{name} {config.round_steps}: expected whole turns of {turns} "
                f"updates, e.g. {either}"
            )
        self._method, self._config, self._turns = method, config, turns
        self.cost = Cost(config.steps // turns * config.batch_size, 0.0)

    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""
        method = self._method
        settings = {n: x for n, x in asdict(method).items() if n not in _IDLE}
        return {
            "method": type(method).__name__,
            "settings": settings,
            "turns": self._turns,
        }

    def about(self) -> str:
        """What the images are, in a few words for people."""
        return (
            f"fresh ones for each step, by {type(self._method).__name__}'s generator, "
            f"which learns after every {self._turns}"
        )

    def count(self, round_number: int) -> int:
        """Number of the images that the student has seen when a round ends."""
        return (round_number + 1) * self._config.round_steps * self._config.batch_size

    def steps(self, config: DistillConfig) -> int:
        """Turns of a round, of both."""
        return config.round_steps + config.round_steps // self._turns

    def lesson(
        self, teacher: Classifier, student: Classifier, config: DistillConfig
    ) -> Lesson:
        """The lesson of student and generator."""
        (phase,) = self._method.procedure(teacher).phases
        numbers = self._method.numbers
        learning = super().lesson(teacher, student, config)
        index = jnp.arange(config.batch_size)
        key = jax.random.key(config.seed)
        weights = phase.image.init(key, index).shared
        # Who has no turn stays as it is, momentum and all.
        generator = phase.descent.optimizers(numbers).shared
        if STUDENT in phase.cast:
            # It would outrun a student whose rate falls while its own does not.
            turns, warmup = config.steps // self._turns, config.warmup // self._turns
            fading = make_schedule("cosine", 1.0, turns, warmup)
            generator = optax.chain(generator, optax.scale_by_schedule(fading))
        optimizers: dict[Hashable, optax.GradientTransformation] = {
            False: optax.conditionally_mask(
                learning.optimizer, lambda step, **_: ~self._generators(step)
            ),
            True: optax.conditionally_mask(
                generator, lambda step, **_: self._generators(step)
            ),
        }
        return replace(
            learning,
            trained={**learning.trained, "generator": weights},
            objective=partial(_objective, teacher, student, learning, phase, numbers),
            optimizer=optax.partition(
                optimizers,
                lambda trained: {name: name == "generator" for name in trained},
            ),
        )

    def batches(
        self, round_number: int, first: int, config: DistillConfig
    ) -> Iterator[Turn]:
        """The turns of a round, from the given number on."""
        index = np.arange(config.batch_size, dtype=np.int32)
        for step in range(first, self.steps(config)):
            yield Turn(index, bool(self._generators(step)))

    def _generators(self, step: Any) -> Any:
        """Whether a step is the generator's turn."""
        return step % (self._turns + 1) == self._turns


def _objective(
    teacher: Classifier,
    student: Classifier,
    learning: Lesson,
    phase: Phase,
    numbers: Numbers,
    trained: Any,
    frozen: Any,
    statistics: Any,
    turn: Turn,
    key: jax.Array,
) -> tuple[jax.Array, tuple[Any, Measurements]]:
    """The loss of whose turn it is, on images of fresh latents.

    `loss` and what else a student measures are told in its turns, `generator` in those
    of the generator.
    """
    latents_key, key = jax.random.split(key)
    latents = phase.image.init(latents_key, turn.index).own
    context = Context({TEACHER: frozen[0]}, {}, turn.index, key, lambda tree: tree)
    inputs = phase.image.render(Split(latents, trained["generator"]), context)
    if turn.generators:
        known = joined(trained["student"], statistics, frozen[1])
        seen = {TEACHER: teacher.respond(frozen[0], inputs)}
        if STUDENT in phase.cast:
            # As in training, whose statistics are those of the images, as published.
            images = student.normalise(teacher.denormalise(inputs))
            logits, _ = student.training(known, images, key)
            seen[STUDENT] = Response(logits, {}, {})
        evaluation = Evaluation(
            inputs=inputs,
            seen=seen,
            cast={TEACHER: frozen[0], STUDENT: known},
            asked={},
            index=turn.index,
            key=key,
            memory=(),
            last=jnp.bool(False),
            batch_mean=lambda values: jnp.mean(values, 0),
            batch_sum=lambda values: jnp.sum(values, 0),
        )
        loss = jnp.zeros(())
        for term in phase.wanted:
            loss += weight_of(term, numbers) * term.value(evaluation)
        return loss, (statistics, {"loss": None, "generator": loss})
    images = jax.lax.stop_gradient(teacher.denormalise(inputs))
    return learning.objective(
        {name: trained[name] for name in learning.trained},
        frozen,
        statistics,
        Examples(images, jnp.full_like(turn.index, -1), turn.index, images.shape[1]),
        key,
    )
