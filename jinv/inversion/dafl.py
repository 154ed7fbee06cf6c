"""DAFL: a generator whose images get the answers that photographs get.

Chen et al. 2019, "Data-Free Learning of Student Networks". Nothing asks for a class or
for BatchNorm statistics: the classifier shall be sure of each image, be excited by it,
and name all classes equally often. A baseline.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jinv import losses
from jinv.engine.phase import TEACHER, Evaluation, Procedure, Term
from jinv.errors import ConfigError
from jinv.inversion.generating import OneGenerator
from jinv.inversion.method import Weight
from jinv.inversion.terms import check_weights, used
from jinv.models.classifier import Classifier
from jinv.values import Count


@dataclass(frozen=True, kw_only=True)
class DAFL(OneGenerator):
    """Settings of DAFL: images that excite a classifier, and of which it is sure.

        input = standardise(tanh(generator(latent)))
        loss = w_onehot CE(logits, argmax logits) - w_activation mean |features|
               - w_entropy H(mean softmax of the logits)

    Chen et al. 2019, "Data-Free Learning of Student Networks", section 3.2. Each batch
    is made of fresh latents by the same generator, which goes on learning.

    Attributes:
        w_onehot: Weight of the cross-entropy with the classifier's own answers.
        w_activation: Weight of the features' size.
        w_entropy: Weight of the information entropy; 5 / ln 10, as the published code
            takes logarithms to base 10.

    Example:
        >>> from jinv import load_classifier
        >>> parts = DAFL(w_activation=0).procedure(load_classifier("cifar10_resnet20"))
        >>> [term.name for term in parts.phases[0].wanted]
        ['one_hot', 'entropy']
    """

    w_onehot: Weight = 1.0
    w_activation: Weight = 0.1
    w_entropy: Weight = 2.17
    latent: Count = 1000

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        check_weights(self, ("w_onehot", "w_activation", "w_entropy"))
        wanted = used(
            self,
            Term("one_hot", _one_hot, "w_onehot"),
            *((_activation(classifier),) if self.w_activation else ()),
            Term("entropy", _entropy, "w_entropy"),
        )
        return self.learning(classifier, wanted)


def _one_hot(e: Evaluation) -> jax.Array:
    return e.batch_mean(losses.pseudo_label_loss(e.seen[TEACHER].logits))


def _entropy(e: Evaluation) -> jax.Array:
    return losses.information_entropy_loss(e.seen[TEACHER].logits, e.batch_mean)


def _activation(classifier: Classifier) -> Term:
    """Size of the features that the last layer reads, or else of the last stage."""
    names = classifier.feature_shapes
    name = "pooled" if "pooled" in names else next(reversed(classifier.stages), "")
    if not name:
        raise ConfigError(
            f"{classifier.spec.name} names no features whose size could be asked for: "
            "use --w-activation 0"
        )

    def value(e: Evaluation) -> jax.Array:
        features = e.seen[TEACHER].features[name].astype(jnp.float32)
        spatial = tuple(range(1, features.ndim - 1))
        return e.batch_mean(losses.activation_loss(features.mean(spatial)))

    return Term("activation", value, "w_activation")
