"""Units as a request: an image for each."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jinv import losses
from jinv.inversion.request import Arrays
from jinv.models.weights.checksums import fingerprint_of
from jinv.visualization.request import VisualRequest
from jinv.visualization.units import Unit
from jinv.visualization.visualization import POSITION, direction


@dataclass(frozen=True, eq=False, kw_only=True)
class UnitRequest(VisualRequest):
    """Images that shall excite a unit each.

    Attributes:
        units: Units, one for each question.
    """

    units: tuple[Unit, ...]

    measure = "activation"

    @property
    def questions(self) -> tuple[str, ...]:
        """Name of each unit."""
        return tuple(unit.name for unit in self.units)

    @property
    def photographs(self) -> np.ndarray | None:
        """Photographs from which the images start."""
        return self.starts

    def ask(self, questions: np.ndarray) -> Arrays:
        """Directions by layer, 0 for units of others, and positions."""
        units = [self.units[question] for question in questions]
        widths = {unit.layer: len(unit.direction) for unit in self.units}

        def along(layer: str) -> np.ndarray:
            nothing = np.zeros(widths[layer], np.float32)
            return np.stack(
                [u.direction if u.layer == layer else nothing for u in units]
            )

        positions = [unit.position or (-1, -1) for unit in units]
        return {POSITION: np.asarray(positions, np.int32)} | {
            direction(layer): along(layer) for layer in self.layers
        }

    def excitation(self, images: np.ndarray) -> np.ndarray:
        """Activation of each unit by each image."""
        features = self.features(images)

        def one(unit: Unit) -> np.ndarray:
            asked = unit.direction, np.asarray(unit.position or (-1, -1))
            each = (jnp.tile(array, (len(images), 1)) for array in asked)
            seen = jnp.asarray(features[unit.layer])
            return np.asarray(losses.activation(seen, *each))

        return np.stack([one(unit) for unit in self.units])

    def describe(self) -> dict[str, Any]:
        """All that is asked, as JSON: names, and checksums of the directions."""
        directions = [fingerprint_of(unit.direction) for unit in self.units]
        return super().describe() | {"directions": directions}
