"""Fast generators: learnt so that a few steps make any batch of images.

Fang et al. 2022, "Up to 100x Faster Data-free Knowledge Distillation". Batches have
most of their features in common. So the generator's weights, from which each batch
starts, are meta-learnt over the batches: what costs pixels thousands of steps for each
batch then takes 2 to 10.
"""

from dataclasses import dataclass, replace
from typing import Self

import optax

from jinv.checked import Checked
from jinv.engine.meta_learning import MetaRule, meta_learnt
from jinv.engine.optimizers import make_schedule
from jinv.engine.phase import Procedure
from jinv.images.views import Per
from jinv.inversion.generating import (
    JitterMode,
    Source,
    generator_phase,
    moves,
)
from jinv.inversion.terms import (
    BnNorm,
    adversarial_term,
    bn_term,
    check_weights,
    class_term,
    l2_term,
    no_moments,
    remember_moments,
    tv2_term,
    used,
)
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative, Positive, Share, ShareBelow1


@dataclass(frozen=True)
class FastGenerators(Checked):
    """What is optimised, and how.

    Attributes:
        steps: Updates of each batch: of latents, and of a copy of the generator.
        rehearsals: Batches that are made first and dropped, while the generator knows
            too little.
        lr: Learning rate of the copy; the generator's own is `steps` times as high.
        lr_latent: Learning rate of the latents.
        betas: Adam's decay rates.
        meta: What the generator learns from a batch: "maml" or "reptile"; see
            `meta_learnt`.
        w_class: Weight of the cross-entropy.
        w_bn: Weight of the BatchNorm term; 0 leaves it out.
        bn_norm: "raw" as published, or "layer": in units of each layer's own
            spread, so that one weight serves all architectures.
        momentum: Share of earlier batches in the statistics that are compared.
        w_adversarial: Weight of the divergence from a student's answers.
        w_tv2: Weight of the l2 total variation.
        w_l2: Weight of the images' norm, which is 0 for the mean colour.
        jitter: Largest random shift, in pixels.
        jitter_mode: "edge" continues the border; "roll" lets what leaves on one side
            re-enter on the other.
        flip: Probability of mirroring.
        per: Whether each "image" or the whole "batch" is shifted and mirrored alike.
        latent: Random numbers for each image.
        channels: Of the generator.
        conditional: Whether the generator is told the class asked for; as published it
            is not, and the latents have to find it.
    """

    steps: Count = 5
    rehearsals: Natural = 120
    lr: Positive = 3e-3
    lr_latent: Positive = 0.01
    betas: tuple[ShareBelow1, ShareBelow1] = (0.5, 0.999)
    meta: MetaRule = "maml"
    w_class: NotNegative = 5.0
    w_bn: NotNegative = 10.0
    bn_norm: BnNorm = "raw"
    momentum: ShareBelow1 = 0.9
    w_adversarial: NotNegative = 0.0
    w_tv2: NotNegative = 0.05
    w_l2: NotNegative = 0.05
    jitter: Natural = 4
    jitter_mode: JitterMode = "edge"
    flip: Share = 0.5
    per: Per = "image"
    latent: Count = 256
    channels: Count = 64
    conditional: bool = True

    def scaled(self, factor: float) -> Self:
        """Itself for inputs that are larger by a factor."""
        return replace(self, jitter=round(factor * self.jitter))

    def follow(self, given: frozenset[str]) -> Self:
        """Itself: none of its settings is tied to another."""
        return self

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """
        _check(self)
        b1, b2 = self.betas
        size = classifier.spec.input_size
        view = moves(size, self.jitter, self.jitter_mode, self.flip, self.per)
        phase = generator_phase(
            Source(
                classifier,
                self.latent,
                self.channels,
                labelled=self.conditional,
                activate_first=False,
            ),
            meta_learnt(
                optax.adam(self.lr, b1, b2),
                optax.adam(self.lr * self.steps, b1, b2),
                self.meta,
            ),
            optax.adam(self.lr_latent, b1, b2),
            steps=self.steps,
            view=view,
            terms=used(
                class_term(weight=self.w_class),
                bn_term(
                    classifier,
                    self.w_bn,
                    self.bn_norm,
                    momentum=self.momentum,
                ),
                adversarial_term(self.w_adversarial),
                tv2_term(self.w_tv2),
                l2_term(self.w_l2),
            ),
            learning_rate=make_schedule("constant", self.lr, self.steps),
            memory=no_moments(classifier),
            remember=remember_moments(self.momentum),
        )
        return Procedure(
            (phase,),
            lasting=True,
            rehearsals=self.rehearsals,
            student=self.w_adversarial > 0,
        )


def _check(config: FastGenerators) -> None:
    weights = ("w_class", "w_bn", "w_adversarial", "w_tv2", "w_l2")
    check_weights(config, weights[:3])
