"""DeepInversion: class-conditional images from a classifier's BatchNorm statistics.

Yin et al. 2020, "Dreaming to Distill". With the BatchNorm term left out it is DeepDream
(Mordvintsev et al. 2015) or class-score maximisation (Simonyan et al. 2014).
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import optax

from jinv.checked import Checked
from jinv.engine.frequencies import scale_by_frequency
from jinv.engine.optimizers import (
    Optimizer,
    Schedule,
    make_optimizer,
    make_schedule,
)
from jinv.engine.phase import Phase, Procedure, Split, Term
from jinv.errors import ConfigError
from jinv.images.pixels import Pixels, clip
from jinv.images.views import Per, chain, crop, flip, jitter
from jinv.inversion.terms import (
    BnNorm,
    ClassLoss,
    Reduction,
    bn_term,
    check_weights,
    class_term,
    l2_term,
    tv1_term,
    tv2_term,
    used,
)
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative, Positive, Share, ShareBelow1


@dataclass(frozen=True)
class DeepInversion(Checked):
    """What is optimised, and how.

    Losses and learning rates live in the classifier's normalised space, as published.

    Attributes:
        steps: Updates in each phase; one number stands for all phases.
        resolutions: Height and width in each phase, in pixels; empty for the
            classifier's own.
        lr: Highest learning rate.
        optimizer: "adam" or "sgd".
        betas: Adam's decay rates; the first is SGD's momentum.
        schedule: Learning rate over a phase; see `make_schedule`.
        warmup: Steps of each phase over which the rate rises from 0.
        class_loss: "cross-entropy", or "class-score" (minus the target's logit).
        temperature: By which logits are divided in the cross-entropy.
        w_class: Weight of the class loss.
        w_bn: Weight of the BatchNorm term; 0 leaves it out.
        k_first: Weight of the first BatchNorm layer in it, relative to the others.
        bn_norm: "raw" as published, or "layer": in units of each layer's own
            spread, so that one weight serves all architectures.
        w_tv2: Weight of the l2 total variation.
        w_tv1: Weight of the l1 total variation.
        w_l2: Weight of the images' norm.
        reduction: "image" (independent of the batch size) or "nvlabs" (TV-l2 over the
            whole batch at once, as in the published scripts).
        jitter: Largest random shift at full resolution, in pixels.
        jitter_mode: "crop" shifts a window over a canvas with a margin; "roll" lets
            what leaves on one side re-enter on the other, as published.
        flip: Probability of mirroring.
        per: Whether each "image" or the whole "batch" is shifted and mirrored alike.
        decay_power: By which power of its spatial frequency each part of an update is
            divided: 0 as published, 1 as amplitudes fall in photographs.
        clip: Keep pixels within what an image can show.
        init_scale: Standard deviation of the initial noise.
    """

    steps: tuple[Count, ...] = (2000,)
    resolutions: tuple[Count, ...] = ()
    lr: Positive = 0.1
    optimizer: Optimizer = "adam"
    betas: tuple[ShareBelow1, ShareBelow1] = (0.5, 0.9)
    schedule: Schedule = "cosine"
    warmup: Natural = 0
    class_loss: ClassLoss = "cross-entropy"
    temperature: Positive = 1.0
    w_class: NotNegative = 1.0
    w_bn: NotNegative = 1.0
    k_first: NotNegative = 1.0
    bn_norm: BnNorm = "raw"
    w_tv2: NotNegative = 0.3
    w_tv1: NotNegative = 0.0
    w_l2: NotNegative = 0.0
    reduction: Reduction = "image"
    jitter: Natural = 2
    jitter_mode: Literal["crop", "roll"] = "crop"
    flip: Share = 0.5
    per: Per = "image"
    decay_power: NotNegative = 0.0
    clip: bool = True
    init_scale: NotNegative = 1.0

    def scaled(self, factor: float) -> Self:
        """Itself for inputs that are larger by a factor."""
        return replace(
            self,
            resolutions=tuple(round(factor * size) for size in self.resolutions),
            jitter=round(factor * self.jitter),
        )

    def follow(self, given: frozenset[str]) -> Self:
        """Itself, with as many phases as resolutions, and room in them for the warm-up.

        Steps follow resolutions: as many in all, and shared out as they were. A warm-up
        follows steps: it takes half of the shortest phase at most.
        """
        steps, warmup = self.steps, self.warmup
        count = len(self.resolutions) or 1
        if "resolutions" in given and "steps" not in given:
            steps = _share_out(steps, count)
        if {"steps", "resolutions"} & given and "warmup" not in given:
            warmup = max(0, min(warmup, min(steps, default=0) // 2))
        return replace(self, steps=steps, warmup=warmup)

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """
        _check(self)
        sizes = self.resolutions or (classifier.spec.input_size,)
        steps = self.steps * len(sizes) if len(self.steps) == 1 else self.steps
        terms = _terms(classifier, self)
        return Procedure(
            tuple(
                _phase(classifier, self, size, count, terms)
                for size, count in zip(sizes, steps, strict=True)
            )
        )


def _phase(
    classifier: Classifier,
    config: DeepInversion,
    size: int,
    steps: int,
    terms: tuple[Term, ...],
) -> Phase:
    shift = round(config.jitter * size / classifier.spec.input_size)
    shift = max(shift, min(config.jitter, 1))
    cropped = config.jitter_mode == "crop"
    margin = shift if cropped else 0
    pixels = Pixels(size, margin, config.init_scale, classifier.spec.channels)
    move = crop(size, config.per) if cropped else jitter(shift, config.per)
    views = (move,) * (shift > 0) + (flip(config.flip, config.per),) * (config.flip > 0)
    rate = make_schedule(config.schedule, config.lr, steps, config.warmup)
    # The Technion report's plateau waits for 5 % of the steps.
    patience = max(1, steps // 20) if config.schedule == "plateau" else None
    low, high = classifier.input_range
    optimizer = optax.chain(
        make_optimizer(config.optimizer, rate, config.betas, patience),
        scale_by_frequency(config.decay_power),
    )
    bounds = {"low": low, "high": high}
    return Phase(
        steps=steps,
        init=lambda key, index: Split(pixels.init(key, index)),
        render=lambda params, _: params.own,
        finish=lambda params, _: pixels.inner(params.own),
        view=chain(*views),
        terms=terms,
        optimizer=Split(optimizer, optax.identity()),
        learning_rate=rate,
        carry=lambda params: Split(pixels.upsample(params.own)),
        project=lambda params: (
            Split(clip(params.own, **bounds)) if config.clip else params
        ),
    )


def _share_out(steps: tuple[int, ...], phases: int) -> tuple[int, ...]:
    """As many steps in another number of phases; one number stands for any."""
    if len(steps) in (0, 1, phases):
        return steps
    done = np.cumsum((0, *steps))
    places = np.linspace(0, len(steps), phases + 1)
    ends = np.rint(np.interp(places, np.arange(len(done)), done)).astype(int)
    return tuple(np.diff(ends).tolist())


def _terms(classifier: Classifier, config: DeepInversion) -> tuple[Term, ...]:
    return used(
        class_term(config.class_loss, config.w_class, config.temperature),
        bn_term(classifier, config.w_bn, config.bn_norm, config.k_first),
        tv2_term(config.w_tv2, config.reduction),
        tv1_term(config.w_tv1),
        l2_term(config.w_l2),
    )


def _check(config: DeepInversion) -> None:
    weights = ("w_class", "w_bn", "w_tv2", "w_tv1", "w_l2")
    check_weights(config, weights)
    phases = len(config.resolutions) or 1
    if len(config.steps) not in (1, phases):
        raise ConfigError(
            f"{len(config.steps)} numbers of steps for {phases} resolution(s): give "
            "one for all, or one for each"
        )
