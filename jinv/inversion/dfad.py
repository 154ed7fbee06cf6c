"""DFAD's generator: images on which a student disagrees with the classifier.

Fang et al. 2019, "Data-Free Adversarial Distillation". The other half, the student that
learns from them, is not part of this: here it stays as it is. A baseline.
"""

from dataclasses import dataclass
from typing import Self

import jax
import optax

from jinv import losses
from jinv.engine.optimizers import make_schedule
from jinv.engine.stage import Evaluation, Procedure, Term
from jinv.images.views import chain
from jinv.inversion.checks import check_numbers
from jinv.inversion.generating import Source, generator_stage, lasting
from jinv.models.classifier import Classifier


@dataclass(frozen=True)
class DFAD:
    """What is optimised, and how.

    Each batch is made of fresh latents, and all go to the same generator.

    Attributes:
        steps: Updates of the generator for each batch.
        rehearsals: Batches that are made first and dropped.
        lr: Learning rate of Adam.
        latent: Random numbers for each image.
        channels: Of the generator.
    """

    steps: int = 1
    rehearsals: int = 1000
    lr: float = 1e-3
    latent: int = 256
    channels: int = 128

    def scaled(self, factor: float) -> Self:
        """Itself: it has no lengths."""
        del factor
        return self

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """
        check_numbers(self, ("steps", "lr"), ("rehearsals",))
        stage = generator_stage(
            Source(classifier, self.latent, self.channels, labelled=False),
            lasting(optax.adam(self.lr)),
            optax.set_to_zero(),
            steps=self.steps,
            view=chain(),
            terms=(Term("disagreement", 1.0, _disagreement),),
            learning_rate=make_schedule("constant", self.lr, self.steps),
        )
        return Procedure(
            (stage,),
            lasting=True,
            rehearsals=self.rehearsals,
            labelled=False,
            student=True,
        )


def _disagreement(e: Evaluation) -> jax.Array:
    return e.batch_mean(losses.l1_disagreement(e.logits, e.student_logits))
