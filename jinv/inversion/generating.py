"""What the methods that generate images have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.engine.phase import (
    Context,
    Image,
    Optimizers,
    Phase,
    Procedure,
    Split,
    Term,
)
from jinv.images.noise import draw_normal
from jinv.images.views import chain
from jinv.inversion.groups import Generated
from jinv.inversion.method import Method, Rate
from jinv.inversion.terms import LABELS
from jinv.models.architectures.generator import Generator, plan_sizes
from jinv.models.classifier import Classifier
from jinv.models.operations.layers import KAIMING_IN, PYTORCH
from jinv.models.operations.moments import standardise, unshared
from jinv.values import Count, Natural

_EPSILON = 1e-5
"""Added to the variance of colours; PyTorch's, as the published code has it."""


@dataclass(frozen=True)
class Source:
    """A generator that fits a classifier, and the latents that it reads.

    Attributes:
        classifier: Classifier whose inputs are generated.
        latent: Number of random numbers for each image.
        channels: Channels of the generator; see `Generator`.
        labelled: Whether the generator is told the class asked for, as a one-hot code.
        activate_first: Whether its base is activated; see `Generator`.
        kernel_init: Initialiser of its convolutions.
    """

    classifier: Classifier
    latent: int
    channels: int
    labelled: bool = True
    activate_first: bool = True
    kernel_init: nn.initializers.Initializer = KAIMING_IN

    def __post_init__(self) -> None:
        """Refuse a classifier for whose inputs no generator can be built.

        Raises:
            ConfigError: There is none of this size.
        """
        plan_sizes(self.classifier.spec.input_size)

    def module(self, average: Callable[[Any], Any] = unshared) -> Generator:
        """Make the generator."""
        base, doublings = plan_sizes(self.classifier.spec.input_size)
        return Generator(
            self.channels,
            base,
            doublings,
            self.activate_first,
            self.kernel_init,
            average,
            self.classifier.dtype,
            self.classifier.spec.channels,
        )

    def init_latents(self, key: jax.Array, index: jax.Array) -> jax.Array:
        """Draw latents for the images of the given numbers: (batch, latent)."""
        return draw_normal(key, index, (self.latent,))

    def init_weights(self, key: jax.Array, index: jax.Array) -> Any:
        """Draw weights of the generator, other ones for each batch."""
        width = self.latent + self.labelled * len(self.classifier.spec.classes)
        return self.module().init(of_batch(key, index), jnp.zeros((1, width)))

    def generate(self, weights: Any, latents: jax.Array, context: Context) -> jax.Array:
        """Generate unbounded images (batch, height, width, colours)."""
        if self.labelled:
            classes = len(self.classifier.spec.classes)
            codes = jax.nn.one_hot(context.asked[LABELS], classes, dtype=latents.dtype)
            latents = jnp.concatenate([latents, codes], -1)
        made: Any = self.module(context.average).apply(weights, latents)
        return made

    @property
    def asks(self) -> tuple[str, ...]:
        """Names of what the generator wants to be asked of each image."""
        return (LABELS,) * self.labelled


def generated_image(source: Source) -> Image:
    """Parametrise images as the sigmoid of what one generator puts out."""

    def inputs_of(made: jax.Array, context: Context) -> jax.Array:
        del context
        return source.classifier.normalise(jax.nn.sigmoid(made))

    return _made_by(source, inputs_of)


def standardised_image(source: Source) -> Image:
    """Parametrise inputs as tanh of what one generator puts out, standardised.

    Over the batch every colour has mean 0 and variance 1, as photographs have that were
    normalised: a generator cannot go where all is black or white. Inputs may be beyond
    both.
    """

    def inputs_of(made: jax.Array, context: Context) -> jax.Array:
        return standardise(jnp.tanh(made), _EPSILON, context.average)[0]

    return _made_by(source, inputs_of)


def _made_by(
    source: Source, inputs_of: Callable[[jax.Array, Context], jax.Array]
) -> Image:
    def init(key: jax.Array, index: jax.Array) -> Split:
        return Split(source.init_latents(key, index), source.init_weights(key, index))

    def render(params: Split, context: Context) -> jax.Array:
        made = source.generate(params.shared, params.own, context)
        return inputs_of(made, context)

    return Image(init, render, render, asks=source.asks)


@dataclass(frozen=True, kw_only=True)
class OneGenerator(Method, Generated):
    """Settings of one generator for all batches, each of fresh latents; no classes.

    Attributes:
        steps: Updates of the generator for each batch.
        rehearsals: Batches that are made first and dropped.
        lr: Learning rate of Adam.
    """

    steps: Count = 1
    rehearsals: Natural = 1000
    lr: Rate = 1e-3

    def learning(self, classifier: Classifier, wanted: tuple[Term, ...]) -> Procedure:
        """Say what the engine is to do for an objective.

        Raises:
            ConfigError: The generator cannot be built.
        """
        source = Source(
            classifier,
            self.latent,
            self.channels,
            labelled=False,
            activate_first=False,
            kernel_init=PYTORCH,
        )
        descent = self.descent(
            self.steps,
            lambda numbers: Optimizers(optax.set_to_zero(), optax.adam(numbers["lr"])),
            lambda numbers, step: numbers["lr"],
        )
        phase = Phase(standardised_image(source), chain(), wanted, descent)
        return Procedure((phase,), passes_on=True, rehearsals=self.rehearsals)


def of_batch(key: jax.Array, index: jax.Array) -> jax.Array:
    """Make a key for what a batch's images share, unlike those of single images."""
    return jax.random.fold_in(jax.random.fold_in(key, index[0]), np.uint32(2**32 - 1))
