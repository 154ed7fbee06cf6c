"""Features of a network: by which names they are asked for, and what they are."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.suggest import near


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
            f"no layers are given: name some of {name}, which has {', '.join(known)}"
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
