"""DAFL: a generator whose images get the answers that photographs get.

Chen et al. 2019, "Data-Free Learning of Student Networks". Nothing asks for a class or
for BatchNorm statistics: the classifier shall be sure of each image, be excited by it,
and name all classes equally often. A baseline.
"""

from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp

from jinv import losses
from jinv.checked import Checked
from jinv.engine.phase import Evaluation, Procedure, Term
from jinv.errors import ConfigError
from jinv.inversion.generating import one_generator
from jinv.inversion.terms import check_weights, used
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative, Positive


@dataclass(frozen=True)
class DAFL(Checked):
    """What is optimised, and how.

    Each batch is made of fresh latents, and all go to the same generator.

    Attributes:
        steps: Updates of the generator for each batch.
        rehearsals: Batches that are made first and dropped.
        lr: Learning rate of Adam.
        w_onehot: Weight of the cross-entropy with the classifier's own answers.
        w_activation: Weight of the features' size.
        w_entropy: Weight of the information entropy; 5 / ln 10, as the published code
            takes logarithms to base 10.
        latent: Random numbers for each image.
        channels: Of the generator.
    """

    steps: Count = 1
    rehearsals: Natural = 1000
    lr: Positive = 1e-3
    w_onehot: NotNegative = 1.0
    w_activation: NotNegative = 0.1
    w_entropy: NotNegative = 2.17
    latent: Count = 1000
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
        weights = ("w_onehot", "w_activation", "w_entropy")
        check_weights(self, weights)
        terms = used(
            Term("one_hot", self.w_onehot, _one_hot),
            _activation(classifier, self.w_activation),
            Term("entropy", self.w_entropy, _entropy),
        )
        return one_generator(self, classifier, terms)


def _one_hot(e: Evaluation) -> jax.Array:
    return e.batch_mean(losses.pseudo_label_loss(e.logits))


def _entropy(e: Evaluation) -> jax.Array:
    return losses.information_entropy_loss(e.logits, e.batch_mean)


def _activation(classifier: Classifier, weight: float) -> Term:
    """Of the features that the last layer reads, or else of the last stage."""
    names = classifier.feature_shapes
    name = "pooled" if "pooled" in names else next(reversed(classifier.stages), "")
    if weight and not name:
        raise ConfigError(
            f"{classifier.spec.name} names no features whose size could be asked for: "
            "use --w-activation 0"
        )

    def value(e: Evaluation) -> jax.Array:
        features = e.features[name].astype(jnp.float32)
        spatial = tuple(range(1, features.ndim - 1))
        return e.batch_mean(losses.activation_loss(features.mean(spatial)))

    return Term("activation", weight, value)
