"""What the methods that generate images have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.engine.meta_learning import MetaLearnt
from jinv.engine.optimizers import make_schedule
from jinv.engine.phase import Context, Phase, Procedure, Split, Term, unsettled
from jinv.images.noise import draw_normal
from jinv.images.views import Per, View, chain, crop, flip, jitter, pad
from jinv.models.architectures.generator import Generator, plan_sizes
from jinv.models.classifier import Classifier
from jinv.models.operations.moments import unshared

JitterMode = Literal["roll", "edge"]


@dataclass(frozen=True)
class Source:
    """A generator that fits a classifier, and the latents that it reads.

    Attributes:
        classifier: Whose inputs are generated.
        latent: Random numbers for each image.
        channels: Of the generator; see `Generator`.
        labelled: Whether the generator is told the class asked for, as a one-hot code.
        activate_first: See `Generator`.
    """

    classifier: Classifier
    latent: int
    channels: int
    labelled: bool = True
    activate_first: bool = True

    def __post_init__(self) -> None:
        """Find out whether the generator can be built.

        Raises:
            ConfigError: It cannot.
        """
        plan_sizes(self.classifier.spec.input_size)

    def module(self, average: Callable[[Any], Any] = unshared) -> Generator:
        """The generator."""
        base, doublings = plan_sizes(self.classifier.spec.input_size)
        return Generator(
            self.channels,
            base,
            doublings,
            self.activate_first,
            average,
            self.classifier.dtype,
            self.classifier.spec.channels,
        )

    def init_latents(self, key: jax.Array, index: jax.Array) -> jax.Array:
        """Noise for the images of the given numbers: (batch, latent)."""
        return draw_normal(key, index, (self.latent,))

    def init_weights(self, key: jax.Array, index: jax.Array) -> Any:
        """Weights of the generator, drawn anew for each batch."""
        width = self.latent + self.labelled * len(self.classifier.spec.classes)
        return self.module().init(of_batch(key, index), jnp.zeros((1, width)))

    def generate(self, weights: Any, latents: jax.Array, context: Context) -> jax.Array:
        """Unbounded images (batch, height, width, colours)."""
        if self.labelled:
            classes = len(self.classifier.spec.classes)
            codes = jax.nn.one_hot(context.labels, classes, dtype=latents.dtype)
            latents = jnp.concatenate([latents, codes], -1)
        made: Any = self.module(context.average).apply(weights, latents)
        return made


def generator_phase(
    source: Source,
    learnt: MetaLearnt,
    latents: optax.GradientTransformation,
    **others: Any,
) -> Phase:
    """A phase whose images are the sigmoid of what one generator puts out.

    Args:
        source: The generator.
        learnt: How its weights are optimised, within batches and between them.
        latents: How the latents are optimised.
        **others: The remaining fields of the phase: `steps`, `view`, `terms`, …
    """

    def init(key: jax.Array, index: jax.Array) -> Split:
        return Split(source.init_latents(key, index), source.init_weights(key, index))

    def render(params: Split, context: Context) -> jax.Array:
        images = jax.nn.sigmoid(source.generate(params.shared, params.own, context))
        return source.classifier.normalise(images)

    return Phase(
        init=init,
        render=render,
        finish=render,
        optimizer=Split(latents, learnt.optimizer),
        settle=learnt.settle,
        **others,
    )


def one_generator(
    config: Any, classifier: Classifier, terms: tuple[Term, ...], student: bool = False
) -> Procedure:
    """One generator for all batches, each of fresh latents; it is told no classes.

    Args:
        config: Has `steps`, `rehearsals`, `lr`, `latent` and `channels`.
        classifier: Whose inputs are generated.
        terms: The objective.
        student: Whether they look at a student.

    Raises:
        ConfigError: The generator cannot be built.
    """
    phase = generator_phase(
        Source(classifier, config.latent, config.channels, labelled=False),
        MetaLearnt(optax.adam(config.lr), unsettled),
        optax.set_to_zero(),
        steps=config.steps,
        view=chain(),
        terms=terms,
        learning_rate=make_schedule("constant", config.lr, config.steps),
    )
    return Procedure((phase,), True, config.rehearsals, labelled=False, student=student)


def of_batch(key: jax.Array, index: jax.Array) -> jax.Array:
    """A key for what the images of a batch share, other than those of single images."""
    return jax.random.fold_in(jax.random.fold_in(key, index[0]), np.uint32(2**32 - 1))


def moves(size: int, pixels: int, mode: JitterMode, mirror: float, per: Per) -> View:
    """Shifts and mirrors images without a margin.

    Args:
        size: Height and width, in pixels.
        pixels: Largest shift.
        mode: "roll" (what leaves re-enters on the other side) or "edge" (the border is
            continued).
        mirror: Probability of mirroring.
        per: Whether each image or the whole batch is moved alike.
    """
    shifts = {
        "roll": (jitter(pixels, per),),
        "edge": (pad(pixels), crop(size, per)),
    }[mode]
    return chain(*(shifts if pixels else ()), *((flip(mirror, per),) * (mirror > 0)))
