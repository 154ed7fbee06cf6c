"""Photographs as a request: of each, only what a network's layers keep is asked for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import numpy as np

from jinv.engine.phase import Procedure
from jinv.errors import ConfigError
from jinv.inversion.request import START, Arrays, Request
from jinv.models.classifier import Classifier
from jinv.suggest import near

_TARGET = "features of "


def target(layer: str) -> str:
    """Name of the array that tells of each image which features it is to have."""
    return _TARGET + layer


def parse_layers(text: str) -> tuple[str, ...]:
    """Read names of layers, parted by commas.

    Example:
        >>> parse_layers("conv3_1, pool5")
        ('conv3_1', 'pool5')
    """
    return tuple(layer.strip() for layer in text.split(",") if layer.strip())


def check_layers(classifier: Classifier, layers: Sequence[str]) -> None:
    """Refuse layers that a network has not.

    Raises:
        ConfigError: There are none, or one is unknown; near matches are offered.
    """
    known = classifier.feature_shapes
    name = classifier.spec.name
    if not layers:
        raise ConfigError(
            f"give layers whose features are to be inverted; {name} has "
            f"{', '.join(known)}"
        )
    for layer in layers:
        if layer not in known:
            raise ConfigError(
                f"{name} has no layer {layer!r}{near(layer, known)}; it has "
                f"{', '.join(known)}"
            )


def features_of(
    classifier: Classifier, layers: Sequence[str], images: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute the features of some layers; those above the deepest are not computed.

    Args:
        classifier: Network whose features they are.
        layers: Names of the layers.
        images: Images (batch, height, width, channels), uint8 or in [0, 1], of a size
            that the network takes.

    Returns:
        Features by layer, float32.
    """
    layers = tuple(layers)

    def make() -> Any:
        def compute(variables: Any, inputs: jax.Array) -> dict[str, jax.Array]:
            features = classifier.features(variables, inputs)
            return {layer: features[layer] for layer in layers}

        return jax.jit(compute)

    compute = classifier.memo.get(("features", layers), make)
    found = compute(classifier.variables, classifier.normalise(images))
    return jax.tree.map(lambda x: np.asarray(x, np.float32), found)


class Decodes(Protocol):
    """Whoever makes images of a layer's features, and sees nothing else of them."""

    @property
    def layer(self) -> str:
        """Name of the layer."""
        ...

    @property
    def sha256(self) -> str:
        """Checksum of what it has learnt."""
        ...

    def check(self, classifier: Classifier) -> None:
        """Refuse the features of another network, by a `ConfigError`."""
        ...

    def images(self, features: Any) -> np.ndarray:
        """Decode features into images (images, height, width, channels), in [0, 1]."""
        ...


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class PhotographRequest(Request):
    """Images that a network shall see as it sees given photographs.

    Whoever optimises is told the features of the photographs, never the photographs.

    Attributes:
        classifier: Network whose features count.
        photographs: Photographs (images, height, width, channels), uint8, of the size
            that the network takes.
        names: Name of each, for files and pages.
        layers: Layers whose features are asked for; `fitting` fills them in.
        decoder: Decoder that says where images start, where a procedure asks for that;
            it is told the features of one of the layers.
    """

    classifier: Classifier
    photographs: np.ndarray
    names: tuple[str, ...]
    layers: tuple[str, ...] = ()
    decoder: Decodes | None = None

    @property
    def count(self) -> int:
        """Number of photographs."""
        return len(self.photographs)

    def fitting(self, procedure: Procedure) -> Request:
        """Ask for the features of those layers that the procedure looks at."""
        asks = (ask for ask in sorted(procedure.asks) if ask.startswith(_TARGET))
        return replace(self, layers=tuple(ask.removeprefix(_TARGET) for ask in asks))

    def asked(self, numbers: np.ndarray) -> Arrays:
        """Features of the photographs of these numbers, by `target` of their layer."""
        features = self.features(self.photographs[numbers])
        asked = {target(layer): features[layer] for layer in self.layers}
        if self.decoder is None:
            return asked
        return asked | {START: self.decoder.images(features[self.decoder.layer])}

    def features(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Features of images (batch, height, width, channels), uint8, by layer."""
        return features_of(self.classifier, self.layers, images)

    def describe(self) -> dict[str, Any]:
        """All that is asked, as JSON: names and checksums of the photographs."""
        sums = [hashlib.sha256(x.tobytes()).hexdigest() for x in self.photographs]
        about = {"photographs": dict(zip(self.names, sums, strict=True))}
        return about | ({"decoder": self.decoder.sha256} if self.decoder else {})

    def about(self) -> str:
        """Say how many photographs there are."""
        several = "s" * (self.count != 1)
        return f"{self.count} photograph{several} by {', '.join(self.layers)}"

    def names_of(self, numbers: Sequence[int], labels: np.ndarray) -> list[str]:
        """Name the images by their photographs."""
        del labels
        return [self.names[number] for number in numbers]

    def rows_of(
        self, numbers: Sequence[int], labels: np.ndarray
    ) -> tuple[list[int], Sequence[str]]:
        """Give each photograph a row of the grid."""
        return list(range(len(numbers))), self.names_of(numbers, labels)
