"""NaturalInversion: a generator for each batch, which reads the classifier's features.

Kim et al. 2022, "NaturalInversion: Data-Free Image Synthesis Improving Real-World
Consistency". The generator's image goes through the classifier; a Feature Transfer
Pyramid adds what its stages see to the image, as detail and colour that the classifier
knows from photographs; Adaptive Channel Scaling then gives each image a range of its
own.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import jax
import jax.numpy as jnp
import optax

from jinv.engine.optimizers import Schedule, make_schedule
from jinv.engine.phase import (
    TEACHER,
    Context,
    Descent,
    Image,
    Numbers,
    Optimizers,
    Phase,
    Procedure,
    Split,
)
from jinv.errors import ConfigError
from jinv.images.noise import draw_normal
from jinv.images.views import Per
from jinv.inversion.generating import Source, of_batch
from jinv.inversion.groups import (
    Competition,
    Generated,
    MovesWithoutMargin,
    Smoothness,
    Statistics,
)
from jinv.inversion.method import Method, Rate, Weight
from jinv.inversion.terms import (
    Reduction,
    check_weights,
    class_term,
    l2_term,
    tv2_term,
    used,
)
from jinv.models.architectures.feature_pyramid import FeaturePyramid
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative


@dataclass(frozen=True, kw_only=True)
class NaturalInversion(
    Method, Generated, Smoothness, Competition, Statistics, MovesWithoutMargin
):
    """Settings of NaturalInversion: a generator for each batch, and what refines it.

        generated = generator(latent, class)
        image = scale · tanh(W(generated + pyramid(features of generated)))
        loss = w_class CE(logits, class) + w_bn R_bn + w_tv2 TV_l2 + w_l2 ‖image‖
               + w_disagreement (1 - JS(teacher, student))

    Kim et al. 2022, "NaturalInversion", section 3; W is the last convolution of
    `FeaturePyramid`, and 1 - JS is what adaptive DeepInversion adds, see
    `jensen_shannon_competition`. Losses live in the classifier's normalised space, and
    images are moved before the pyramid and after it, as published.

    Attributes:
        steps: Updates of each batch.
        lr: Learning rate of the generator.
        lr_pyramid: Learning rate of the pyramid.
        lr_scale: Learning rate of the channel scales.
        schedule: Learning rates over the steps; see `make_schedule`.
        w_class: Weight of the cross-entropy.
        reduction: "image" (independent of the batch size) or "nvlabs" (both norms over
            the whole batch at once, as published).
        one_to_one: A fresh generator and pyramid for each batch; otherwise one for all
            batches, which goes on learning.
        pyramid: Whether the images are refined by the classifier's features.
        pyramid_stages: How many of the classifier's last stages the pyramid reads; 0
            for all.
        channel_scaling: Whether each image has a scale for each of its channels.
        init_scale: Mean of the scales in the beginning; their deviation is 1.

    Example:
        >>> from jinv.inversion.settings import with_given
        >>> found = with_given(NaturalInversion(pyramid_stages=2), {"pyramid": False})
        >>> found.pyramid_stages  # means nothing without a pyramid
        0
    """

    steps: Count = 2000
    lr: Rate = 1e-3
    lr_pyramid: Rate = 5e-4
    lr_scale: Rate = 5e-2
    schedule: Schedule = "constant"
    w_class: Weight = 1.0
    w_bn: Weight = 10.0
    w_tv2: Weight = 6e-3
    w_l2: Weight = 1.5e-5
    reduction: Reduction = "nvlabs"
    per: Per = "batch"
    latent: Count = 1024
    one_to_one: bool = True
    pyramid: bool = True
    pyramid_stages: Natural = 0
    channel_scaling: bool = True
    init_scale: NotNegative = 5.0

    def follow(self, before: Mapping[str, Any]) -> Self:
        """Drop settings of parts that are switched off."""
        plain, follows = NaturalInversion(), {}
        for switch, options in _PARTS.items():
            if switch in before and not getattr(self, switch):
                follows |= {name: getattr(plain, name) for name in options}
        if "one_to_one" in before and not self.one_to_one:
            follows["schedule"] = "constant"
        return replace(self, **{n: v for n, v in follows.items() if n not in before})

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        _check(self, classifier)
        phase = Phase(
            image=_refined_image(self, classifier),
            view=self.moves(classifier.spec.input_size),
            wanted=(
                *used(self, class_term()),
                *self.bn(classifier),
                *self.competition(),
                *used(self, tv2_term(self.reduction), l2_term(self.reduction)),
            ),
            descent=_descent(self),
        )
        return Procedure((phase,), passes_on=not self.one_to_one)


_PARTS = {
    "pyramid": ("pyramid_stages", "lr_pyramid"),
    "channel_scaling": ("init_scale", "lr_scale"),
}
"""Parts that can be switched off, and the settings that mean nothing without them."""


def _refined_image(config: NaturalInversion, classifier: Classifier) -> Image:
    source = Source(classifier, config.latent, config.channels)
    refiner = FeaturePyramid(dtype=classifier.dtype)
    stages = classifier.stages[-config.pyramid_stages :]
    size, colours = classifier.spec.input_size, classifier.spec.channels
    move = config.moves(size)

    def read(context: Context, inputs: jax.Array) -> list[jax.Array]:
        """Read what the pyramid's stages see, as constants."""
        seen = classifier.features(context.cast[TEACHER], inputs)
        return [jax.lax.stop_gradient(seen[name]) for name in stages]

    def init(key: jax.Array, index: jax.Array) -> Split:
        own: dict[str, Any] = {"latent": source.init_latents(key, index)}
        shared: dict[str, Any] = {"generator": source.init_weights(key, index)}
        if config.channel_scaling:
            scales = draw_normal(jax.random.fold_in(key, 1), index, (1, 1, colours))
            own["scale"] = config.init_scale + scales
        if config.pyramid:
            shapes = (classifier.feature_shapes[name] for name in stages)
            examples = [jnp.zeros((1, *shape)) for shape in shapes]
            fresh = jax.random.fold_in(of_batch(key, index), 1)
            image = jnp.zeros((1, size, size, colours))
            shared["pyramid"] = refiner.init(fresh, image, examples)
        return Split(own, shared)

    def refine(params: Split, context: Context, moved: bool) -> jax.Array:
        latents, weights = params.own["latent"], params.shared["generator"]
        images: Any = source.generate(weights, latents, context)
        if moved:
            images = move(context.key, context.index, images)
        if config.pyramid:
            features = read(context, images)
            images = refiner.apply(params.shared["pyramid"], images, features)
        else:
            images = jnp.tanh(images)
        return images * params.own["scale"] if config.channel_scaling else images

    return Image(
        init,
        render=lambda params, context: refine(params, context, moved=True),
        finish=lambda params, context: refine(params, context, moved=False),
        cast=(TEACHER,),
        asks=source.asks,
    )


def _descent(config: NaturalInversion) -> Descent:
    def rate(numbers: Numbers, name: str = "lr") -> optax.Schedule:
        return make_schedule(config.schedule, numbers[name], config.steps)

    def optimizers(numbers: Numbers) -> Optimizers:
        generator, pyramid, scale = (
            optax.adam(rate(numbers, name)) for name in ("lr", "lr_pyramid", "lr_scale")
        )
        return Optimizers(
            own=_apart({"latent": optax.set_to_zero(), "scale": scale}),
            shared=_apart({"generator": generator, "pyramid": pyramid}),
        )

    return config.descent(
        config.steps, optimizers, lambda numbers, step: rate(numbers)(step)
    )


def _apart(
    optimizers: dict[Hashable, optax.GradientTransformation],
) -> optax.GradientTransformation:
    """Make an optimiser of those for each branch of a tree."""
    return optax.partition(optimizers, lambda params: {name: name for name in params})


def _check(config: NaturalInversion, classifier: Classifier) -> None:
    check_weights(config, ("w_class", "w_bn", "w_disagreement"))
    name, stages = classifier.spec.name, classifier.stages
    if config.pyramid and not stages:
        raise ConfigError(
            f"{name} names no stages, which the pyramid reads: use --no-pyramid, or "
            "let the network pass its stages' outputs through "
            "jinv.tap as stage1, stage2, …"
        )
    if config.pyramid and config.pyramid_stages > len(stages):
        raise ConfigError(
            f"the pyramid is to read {config.pyramid_stages} stages, but {name} has "
            f"{len(stages)}: {', '.join(stages)}"
        )
    if not config.one_to_one and config.schedule != "constant":
        raise ConfigError(
            f"the schedule {config.schedule} ends with the first batch, but one "
            "generator for all batches goes on learning: use --schedule constant"
        )
    plain = NaturalInversion()
    for switch, options in _PARTS.items():
        for option in options:
            if not getattr(config, switch) and getattr(config, option) != getattr(
                plain, option
            ):
                raise ConfigError(
                    f"{option} means nothing without {switch.replace('_', ' ')}: leave "
                    f"out --{option.replace('_', '-')} or --no-"
                    f"{switch.replace('_', '-')}"
                )
