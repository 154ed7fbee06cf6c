"""Photographs as a request: of each, only what a network's layers keep is asked for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from jinv.engine.phase import Procedure
from jinv.errors import ConfigError
from jinv.inversion.request import START, Arrays, Request, target, targeted
from jinv.models.classifier import Classifier
from jinv.models.features import features_of
from jinv.models.weights.checksums import fingerprint_of
from jinv.values import shown


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

    def __post_init__(self) -> None:
        """Refuse names that do not tell the photographs apart.

        Raises:
            ConfigError: Two are called alike.
        """
        name, times = Counter(self.names).most_common(1)[0]
        if times > 1:
            raise ConfigError(
                f"names: {times} photographs are called {shown(name)}: give each a "
                "name of its own"
            )

    @property
    def count(self) -> int:
        """Number of photographs."""
        return len(self.photographs)

    def fitting(self, procedure: Procedure) -> Request:
        """Ask for the features of those layers that the procedure looks at."""
        return replace(self, layers=targeted(procedure.asks))

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
        sums = map(fingerprint_of, self.photographs)
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
