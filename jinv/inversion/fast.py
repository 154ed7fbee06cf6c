"""Fast generators: learnt so that a few steps make any batch of images.

Fang et al. 2022, "Up to 100x Faster Data-free Knowledge Distillation". Batches have
most of their features in common. So the generator's weights, from which each batch
starts, are meta-learnt over the batches: what costs pixels thousands of steps for each
batch then takes 2 to 10.
"""

from dataclasses import dataclass

import optax

from jinv.engine.meta_learning import MetaRule, meta_learnt
from jinv.engine.phase import Keep, Numbers, Optimizers, Phase, Procedure
from jinv.inversion.generating import Source, generated_image
from jinv.inversion.groups import (
    Generated,
    JitterMode,
    MovesWithoutMargin,
    Smoothness,
    Statistics,
)
from jinv.inversion.method import Length, Method, Rate, Weight
from jinv.inversion.terms import (
    adversarial_term,
    check_weights,
    class_term,
    l2_term,
    tv2_term,
    used,
)
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, ShareBelow1


@dataclass(frozen=True, kw_only=True)
class FastGenerators(Method, Generated, Smoothness, Statistics, MovesWithoutMargin):
    """Settings of fast generators: weights from which a few steps make any batch.

        image = sigmoid(generator(latent, class))
        loss = w_class CE(logits, class) + w_bn R_bn
               - w_adversarial [teacher and student agree] KL(teacher ‖ student)
               + w_tv2 TV_l2 + w_l2 ‖image‖

    Fang et al. 2022, "Up to 100x Faster Data-free Knowledge Distillation", but for the
    last line of the loss, the image prior, and for what `conditional` says.

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
        momentum: Share of earlier batches in the statistics that are compared.
        w_adversarial: Weight of the divergence from a student's answers.
        keep: Whether the images of a batch are the "last", or the "best", those of the
            lowest loss, as published; the generator learns the same.
        conditional: Whether the generator is told the class asked for; as published it
            is not, and the latents have to find it.

    Example:
        >>> FastGenerators(w_bn=3.0).form == FastGenerators(w_bn=5.0).form  # a program
        True
    """

    steps: Count = 5
    rehearsals: Natural = 120
    lr: Rate = 3e-3
    lr_latent: Rate = 0.01
    betas: tuple[ShareBelow1, ShareBelow1] = (0.5, 0.999)
    meta: MetaRule = "maml"
    w_class: Weight = 5.0
    w_bn: Weight = 10.0
    momentum: ShareBelow1 = 0.9
    w_adversarial: Weight = 0.0
    w_tv2: Weight = 0.05
    w_l2: Weight = 0.05
    jitter: Length = 4
    jitter_mode: JitterMode = "edge"
    channels: Count = 64
    keep: Keep = "last"
    conditional: bool = True

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        check_weights(self, ("w_class", "w_bn", "w_adversarial"))
        source = Source(
            classifier,
            self.latent,
            self.channels,
            labelled=self.conditional,
            activate_first=False,
        )
        phase = Phase(
            image=generated_image(source),
            view=self.moves(classifier.spec.input_size),
            wanted=(
                *used(self, class_term()),
                *self.bn(classifier, momentum=self.momentum),
                *used(self, adversarial_term(), tv2_term(), l2_term()),
            ),
            descent=self.descent(
                self.steps,
                self._optimizers,
                lambda numbers, step: numbers["lr"],
                self.keep,
            ),
        )
        return Procedure((phase,), passes_on=True, rehearsals=self.rehearsals)

    def _optimizers(self, numbers: Numbers) -> Optimizers:
        inner, outer, latents = (
            optax.adam(rate, *self.betas)
            for rate in (
                numbers["lr"],
                numbers["lr"] * self.steps,
                numbers["lr_latent"],
            )
        )
        learnt = meta_learnt(inner, outer, self.meta)
        return Optimizers(latents, learnt.optimizer, learnt.settle)
