"""DFAD's generator: images on which a student disagrees with the classifier.

Fang et al. 2019, "Data-Free Adversarial Distillation". The other half, the student that
learns from them, has its turns in `jinv distill --preset dfad`; here it stays as it is.
A baseline.
"""

from dataclasses import dataclass

import jax

from jinv import losses
from jinv.engine.phase import STUDENT, TEACHER, Evaluation, Procedure, Term
from jinv.inversion.generating import OneGenerator
from jinv.models.classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class DFAD(OneGenerator):
    """Settings of DFAD's generator: images on which a student disagrees.

        input = standardise(tanh(generator(latent)))
        loss = -mean |logits - student's logits|

    Fang et al. 2019, "Data-Free Adversarial Distillation", section 3. Each batch is
    made of fresh latents by the same generator, which goes on learning.

    Example:
        >>> DFAD(lr=0.002).numbers["lr"]
        0.002
    """

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        wanted = Term("disagreement", _disagreement, cast=(TEACHER, STUDENT))
        return self.learning(classifier, (wanted,))


def _disagreement(e: Evaluation) -> jax.Array:
    teacher, student = (e.seen[role].logits for role in (TEACHER, STUDENT))
    return e.batch_mean(losses.l1_disagreement(teacher, student))
