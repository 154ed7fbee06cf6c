"""Photographs as a request: to be dreamt on, or exaggerated."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jinv import losses
from jinv.inversion.request import Arrays, target
from jinv.models.weights.checksums import fingerprint_of
from jinv.visualization.dreams import Caricature
from jinv.visualization.request import VisualRequest


@dataclass(frozen=True, eq=False, kw_only=True)
class DreamRequest(VisualRequest):
    """Photographs of which layers shall see more of what they see.

    Attributes:
        names: Name of each photograph.
    """

    names: tuple[str, ...]

    measure = "half mean square"
    compared = False

    @property
    def questions(self) -> tuple[str, ...]:
        """Name of each photograph."""
        return self.names

    @property
    def photographs(self) -> np.ndarray | None:
        """Photographs from which the dreams start."""
        return self.starts

    def ask(self, questions: np.ndarray) -> Arrays:
        """Ask nothing that differs from image to image."""
        del questions
        return {}

    def excitation(self, images: np.ndarray) -> np.ndarray:
        """Half of the mean square of the features of each image, for any question."""
        found = self.features(images).values()
        values = sum(losses.half_mean_square(jnp.asarray(x)) for x in found)
        return np.tile(np.asarray(values), (len(self.questions), 1))


@dataclass(frozen=True, eq=False, kw_only=True)
class CaricatureRequest(VisualRequest):
    """Images that exaggerate what layers see in photographs.

    Attributes:
        names: Name of each photograph.
        targets: Photographs (questions, height, width, channels), uint8; whoever
            optimises is told their features alone.
        method: Settings, which tell what likeness is.
    """

    names: tuple[str, ...]
    targets: np.ndarray
    method: Caricature

    measure = "likeness"

    @property
    def questions(self) -> tuple[str, ...]:
        """Name of each photograph."""
        return self.names

    @property
    def photographs(self) -> np.ndarray | None:
        """Photographs that are exaggerated."""
        return self.targets

    def ask(self, questions: np.ndarray) -> Arrays:
        """Features of the photographs, by `target` of their layer."""
        features = self.features(self.targets[questions])
        return {target(layer): features[layer] for layer in self.layers}

    def excitation(self, images: np.ndarray) -> np.ndarray:
        """Likeness of each image to each photograph."""
        seen = {n: jnp.asarray(x) for n, x in self.features(images).items()}
        wanted = self.features(self.targets)

        def one(question: int) -> np.ndarray:
            asked = {
                target(n): jnp.broadcast_to(x[question], seen[n].shape)
                for n, x in wanted.items()
            }
            return np.asarray(self.method.likeness(seen, asked))

        return np.stack([one(question) for question in range(len(self.questions))])

    def describe(self) -> dict[str, Any]:
        """All that is asked, as JSON: names, and checksums of the photographs."""
        sums = [fingerprint_of(target) for target in self.targets]
        return super().describe() | {"photographs": sums}
