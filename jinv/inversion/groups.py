"""Settings that several methods have, and the part that each group of them makes."""

from dataclasses import dataclass
from typing import Any, Literal

import optax

from jinv.checked import Checked
from jinv.engine.frequencies import scale_by_frequency
from jinv.engine.optimizers import Optimizer, Schedule, make_optimizer, make_schedule
from jinv.engine.phase import LearningRate, MakeOptimizers, Numbers, Optimizers, Term
from jinv.images.views import Per, View, chain, crop, flip, jitter, pad
from jinv.inversion.method import Length, Rate, Weight
from jinv.inversion.terms import BnNorm, bn_term, disagreement_term, used
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative, Positive, Share, ShareBelow1

JitterMode = Literal["roll", "edge"]


@dataclass(frozen=True, kw_only=True)
class Descending(Checked):
    """How images' own parameters go down, of which `updates` makes the optimisers.

    Attributes:
        lr: Highest learning rate.
        optimizer: Optimiser of each image; see `make_optimizer`.
        betas: Adam's decay rates; the first is the momentum of the others.
        schedule: Learning rate over a phase; see `make_schedule`.
        warmup: Steps of each phase over which the rate rises from 0.
        decay_power: Power of the spatial frequency by which each part of an update is
            divided: 0 as published, 1 as amplitudes fall in photographs.
    """

    lr: Rate = 0.1
    optimizer: Optimizer = "adam"
    betas: tuple[ShareBelow1, ShareBelow1] = (0.5, 0.9)
    schedule: Schedule = "cosine"
    warmup: Natural = 0
    decay_power: NotNegative = 0.0

    def updates(
        self, steps: int, share: float = 1.0
    ) -> tuple[MakeOptimizers, LearningRate]:
        """The optimisers of a phase of so many steps, and its learning rate.

        Args:
            steps: Updates of the phase.
            share: Highest learning rate of the phase, as a share of `lr`.

        Raises:
            ConfigError: The warm-up leaves no room.
        """
        # The Technion report's plateau waits for 5 % of the steps.
        waiting = max(1, steps // 20) if self.schedule == "plateau" else None

        def rate(peak: Any) -> optax.Schedule:
            return make_schedule(self.schedule, peak, steps, self.warmup)

        def optimizers(numbers: Numbers) -> Optimizers:
            schedule = rate(share * numbers["lr"])
            chosen = make_optimizer(self.optimizer, schedule, self.betas, waiting)
            frequencies = scale_by_frequency(self.decay_power)
            return Optimizers(optax.chain(chosen, frequencies))

        rate(self.lr)  # refuses a warm-up that leaves no room
        return optimizers, lambda numbers, step: rate(share * numbers["lr"])(step)


@dataclass(frozen=True, kw_only=True)
class Moves(Checked):
    """Random shifts and mirroring of images before networks see them.

    Attributes:
        jitter: Largest random shift at full resolution, in pixels.
        flip: Probability of mirroring.
        per: Whether each "image" or the whole "batch" is shifted and mirrored alike.
    """

    jitter: Length = 2
    flip: Share = 0.5
    per: Per = "image"


@dataclass(frozen=True, kw_only=True)
class MovesWithoutMargin(Moves):
    """Random moves of images that have nothing beyond their borders.

    Attributes:
        jitter_mode: "roll" lets what leaves on one side re-enter on the other; "edge"
            continues the border.
    """

    jitter_mode: JitterMode = "roll"

    def moves(self, size: int) -> View:
        """Make the view of images of so many pixels, without a margin."""
        shifts = {
            "roll": (jitter(self.jitter, self.per),),
            "edge": (pad(self.jitter), crop(size, self.per)),
        }[self.jitter_mode]
        mirrored = (flip(self.flip, self.per),) * (self.flip > 0)
        return chain(*(shifts if self.jitter else ()), *mirrored)


@dataclass(frozen=True, kw_only=True)
class Statistics(Checked):
    """The term that asks for the BatchNorm statistics of training.

    Attributes:
        w_bn: Weight of the BatchNorm term; 0 leaves it out.
        bn_norm: "raw" as published, or "layer": in units of each layer's own
            spread, so that one weight serves all architectures.
    """

    w_bn: Weight = 1.0
    bn_norm: BnNorm = "raw"

    def bn(
        self, classifier: Classifier, k_first: float = 1.0, momentum: float = 0.0
    ) -> tuple[Term, ...]:
        """Make the BatchNorm term, unless its weight is 0; see `bn_term`."""
        if not self.w_bn:
            return ()
        return (bn_term(classifier, self.bn_norm, k_first, momentum),)


@dataclass(frozen=True, kw_only=True)
class Competition(Checked):
    """The term that asks for images on which a student differs from the teacher.

    Attributes:
        w_disagreement: Weight of the disagreement with a student; 0 leaves it out.
        disagreement_temperature: Number by which the logits of both are divided there.
    """

    w_disagreement: Weight = 0.0
    disagreement_temperature: Positive = 3.0

    def competition(self) -> tuple[Term, ...]:
        """Make the term, unless its weight is 0; see `disagreement_term`."""
        return used(self, disagreement_term(self.disagreement_temperature))


@dataclass(frozen=True, kw_only=True)
class Smoothness(Checked):
    """The image prior: what photographs are like, whatever they show.

    Attributes:
        w_tv2: Weight of the l2 total variation.
        w_l2: Weight of the images' norm, which is 0 for the mean colour.
    """

    w_tv2: Weight = 0.0
    w_l2: Weight = 0.0


@dataclass(frozen=True, kw_only=True)
class Generated(Checked):
    """The size of a generator and of its latents.

    Attributes:
        latent: Random numbers for each image.
        channels: Channels of the generator; see `Generator`.
    """

    latent: Count = 256
    channels: Count = 128
