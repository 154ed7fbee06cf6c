"""DFAD's generator: images on which a student disagrees with the classifier.

Fang et al. 2019, "Data-Free Adversarial Distillation". The other half, the student that
learns from them, is not part of this: here it stays as it is. A baseline.
"""

from dataclasses import dataclass
from typing import Self

import jax

from jinv import losses
from jinv.checked import Checked
from jinv.engine.phase import Evaluation, Procedure, Term
from jinv.inversion.generating import one_generator
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, Positive


@dataclass(frozen=True)
class DFAD(Checked):
    """What is optimised, and how.

    Each batch is made of fresh latents, and all go to the same generator.

    Attributes:
        steps: Updates of the generator for each batch.
        rehearsals: Batches that are made first and dropped.
        lr: Learning rate of Adam.
        latent: Random numbers for each image.
        channels: Of the generator.
    """

    steps: Count = 1
    rehearsals: Natural = 1000
    lr: Positive = 1e-3
    latent: Count = 256
    channels: Count = 128

    def scaled(self, factor: float) -> Self:
        """Itself: it has no lengths."""
        del factor
        return self

    def follow(self, given: frozenset[str]) -> Self:
        """Itself: none of its settings is tied to another."""
        return self

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """
        terms = (Term("disagreement", 1.0, _disagreement),)
        return one_generator(self, classifier, terms, student=True)


def _disagreement(e: Evaluation) -> jax.Array:
    return e.batch_mean(losses.l1_disagreement(e.logits, e.student_logits))
