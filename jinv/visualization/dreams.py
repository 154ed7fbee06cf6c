"""What layers see in photographs, more of it: dreams and caricatures."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax

from jinv import losses
from jinv.engine.phase import TEACHER, Evaluation, Term
from jinv.inversion.request import target
from jinv.inversion.terms import each_image
from jinv.models.classifier import Classifier
from jinv.values import NotNegative
from jinv.visualization.visualization import Visualization


@dataclass(frozen=True, kw_only=True)
class DeepDream(Visualization):
    """Settings of DeepDream: a photograph in which a layer sees more of what it sees.

        loss = -½ mean Φ²

    Mordvintsev et al. 2015, "Inceptionism": `half_mean_square` of whole layers, from a
    photograph, at sizes that grow by an octave.
    """

    def objective(self, classifier: Classifier) -> Term:
        """Make the term that asks for strong features."""

        def value(e: Evaluation) -> jax.Array:
            seen = e.seen[TEACHER].features
            found = [
                losses.half_mean_square(seen[layer].astype("float32"))
                for layer in self.layers
            ]
            return each_image(e, -sum(found[1:], found[0]))

        return Term("norm", value)


@dataclass(frozen=True, kw_only=True)
class Caricature(Visualization):
    """Settings of caricatures: images that exaggerate what a layer sees in another.

        loss = -⟨Φ, Φ₀⟩ / ‖Φ₀‖² · max(0.1, cos(Φ, Φ₀))^p

    As in lucid's recipes: `likeness` to a photograph whose features are Φ₀.

    Attributes:
        cosine_power: Power p of the cosine.
    """

    cosine_power: NotNegative = 1.0

    def objective(self, classifier: Classifier) -> Term:
        """Make the term that asks for likeness to each photograph's features."""

        def value(e: Evaluation) -> jax.Array:
            return each_image(e, -self.likeness(e.seen[TEACHER].features, e.asked))

        return Term("likeness", value, asks=tuple(map(target, self.layers)))

    def likeness(
        self, seen: Mapping[str, jax.Array], asked: Mapping[str, jax.Array]
    ) -> jax.Array:
        """Likeness (batch,) of features by layer to those that are asked for."""
        found = [
            losses.likeness(
                seen[layer].astype("float32"), asked[target(layer)], self.cosine_power
            )
            for layer in self.layers
        ]
        return sum(found[1:], found[0])
