"""DeepInversion: class-conditional images from a classifier's BatchNorm statistics.

Yin et al. 2020, "Dreaming to Distill". With the BatchNorm term left out it is DeepDream
(Mordvintsev et al. 2015) or class-score maximisation (Simonyan et al. 2014); with a
student's disagreement, adaptive DeepInversion.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from jinv.engine.phase import Phase, Procedure, Term
from jinv.errors import ConfigError
from jinv.images.pixels import Pixels
from jinv.images.views import View, chain, crop, flip, jitter
from jinv.inversion.groups import (
    Competition,
    Descending,
    Moves,
    Smoothness,
    Statistics,
)
from jinv.inversion.method import Method, Side, Weight
from jinv.inversion.pixels import pixel_image
from jinv.inversion.terms import (
    ClassLoss,
    Reduction,
    check_weights,
    class_term,
    l2_term,
    tv1_term,
    tv2_term,
    used,
)
from jinv.models.classifier import Classifier
from jinv.values import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class DeepInversion(Method, Smoothness, Competition, Statistics, Moves, Descending):
    """Settings of DeepInversion: pixels from a class and BatchNorm statistics.

        loss = w_class CE(logits, class) + w_bn R_bn + w_tv2 TV_l2 + w_tv1 TV_l1
               + w_l2 ‖image‖ + w_disagreement (1 - JS(teacher, student))

    Yin et al. 2020, "Dreaming to Distill", sections 3.2 and 3.3; R_bn is their
    R_feature, see `bn_loss`, and 1 - JS their R_compete, see
    `jensen_shannon_competition`. Losses and learning rates live in the classifier's
    normalised space, as published.

    Attributes:
        steps: Updates in each phase; one number stands for all phases.
        resolutions: Height and width in each phase, in pixels, the last of which is the
            classifier's own; empty for that alone.
        class_loss: "cross-entropy", or "class-score" (minus the target's logit).
        temperature: Number by which logits are divided in the cross-entropy.
        w_class: Weight of the class loss.
        k_first: Weight of the first BatchNorm layer in R_bn, relative to the others.
        w_tv1: Weight of the l1 total variation.
        reduction: "image" (independent of the batch size) or "nvlabs" (TV-l2 over the
            whole batch at once, as in the published scripts).
        jitter_mode: "crop" shifts a window over a canvas with a margin; "roll" lets
            what leaves on one side re-enter on the other, as published.
        clip: Keep pixels within what an image can show.
        init_scale: Standard deviation of the initial noise.

    Example:
        >>> small = DeepInversion(resolutions=(16, 32), jitter=2)
        >>> large = small.scaled(7)  # for inputs of 224 pixels
        >>> large.resolutions, large.jitter
        ((112, 224), 14)
    """

    steps: tuple[Count, ...] = (2000,)
    resolutions: tuple[Side, ...] = ()
    class_loss: ClassLoss = "cross-entropy"
    temperature: Positive = 1.0
    w_class: Weight = 1.0
    k_first: NotNegative = 1.0
    w_tv2: Weight = 0.3
    w_tv1: Weight = 0.0
    reduction: Reduction = "image"
    jitter_mode: Literal["crop", "roll"] = "crop"
    clip: bool = True
    init_scale: NotNegative = 1.0

    def follow(self, before: Mapping[str, Any]) -> Self:
        """Fit steps to the resolutions, and the warm-up to the steps.

        There are as many steps in all, shared out as they were over as many phases as
        resolutions; a warm-up takes half of the shortest phase at most.
        """
        steps, warmup = self.steps, self.warmup
        count = len(self.resolutions) or 1
        if "resolutions" in before and "steps" not in before:
            steps = _share_out(steps, count)
        if before.keys() & {"steps", "resolutions"} and "warmup" not in before:
            warmup = max(0, min(warmup, min(steps, default=0) // 2))
        return replace(self, steps=steps, warmup=warmup)

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        _check(self, classifier)
        sizes = self.resolutions or (classifier.spec.input_size,)
        steps = self.steps * len(sizes) if len(self.steps) == 1 else self.steps
        wanted = _wanted(self, classifier)
        return Procedure(
            tuple(
                _phase(self, classifier, size, count, wanted)
                for size, count in zip(sizes, steps, strict=True)
            )
        )


def _phase(
    config: DeepInversion,
    classifier: Classifier,
    size: int,
    steps: int,
    wanted: tuple[Term, ...],
) -> Phase:
    shift = round(config.jitter * size / classifier.spec.input_size)
    shift = max(shift, min(config.jitter, 1))
    margin = shift if config.jitter_mode == "crop" else 0
    pixels = Pixels(size, margin, config.init_scale, classifier.spec.channels)
    return Phase(
        image=pixel_image(pixels, classifier if config.clip else None),
        view=_view(config, size, shift),
        wanted=wanted,
        descent=config.descent(steps, *config.updates(steps)),
    )


def _view(config: DeepInversion, size: int, shift: int) -> View:
    cropped = config.jitter_mode == "crop"
    move = crop(size, config.per) if cropped else jitter(shift, config.per)
    mirrored = (flip(config.flip, config.per),) * (config.flip > 0)
    return chain(*(move,) * (shift > 0), *mirrored)


def _share_out(steps: tuple[int, ...], phases: int) -> tuple[int, ...]:
    """Share as many steps out over other phases; one number stands for any."""
    if len(steps) in (0, 1, phases):
        return steps
    done = np.cumsum((0, *steps))
    places = np.linspace(0, len(steps), phases + 1)
    ends = np.rint(np.interp(places, np.arange(len(done)), done)).astype(int)
    return tuple(np.diff(ends).tolist())


def _wanted(config: DeepInversion, classifier: Classifier) -> tuple[Term, ...]:
    first = used(config, class_term(config.class_loss, config.temperature))
    prior = tv2_term(config.reduction), tv1_term(), l2_term()
    statistics = config.bn(classifier, config.k_first)
    return first + statistics + config.competition() + used(config, *prior)


def _check(config: DeepInversion, classifier: Classifier) -> None:
    weights = ("w_class", "w_bn", "w_disagreement", "w_tv2", "w_tv1", "w_l2")
    check_weights(config, weights)
    phases = len(config.resolutions) or 1
    if len(config.steps) not in (1, phases):
        raise ConfigError(
            f"{len(config.steps)} numbers of steps for {phases} resolution(s): give "
            "one for all, or one for each"
        )
    own = classifier.spec.input_size
    if config.resolutions and config.resolutions[-1] != own:
        raise ConfigError(
            f"resolutions {', '.join(map(str, config.resolutions))}: expected {own} as "
            f"the last, which {classifier.spec.name} takes"
        )
