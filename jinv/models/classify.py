"""Classification of images, a batch at a time."""

from functools import partial
from typing import Any

import jax
import numpy as np

from jinv.models.classifier import Classifier


def classify(
    network: Classifier,
    images: np.ndarray,
    batch_size: int = 100,
    variables: dict[str, Any] | None = None,
) -> np.ndarray:
    """A network's logits for images (images, classes), float32.

    Args:
        network: Network to ask; images are resized (bilinear) to its input size.
        images: Images (images, height, width, channels): uint8, or floats in [0, 1].
        batch_size: Number of images classified together.
        variables: Variables used instead of the network's own.
    """
    if variables is None:
        variables = network.variables
    if len(images) == 0:
        return np.zeros((0, len(network.spec.classes)), np.float32)
    size = min(batch_size, len(images))
    logits = []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        # One shape, one program: the last part is filled up.
        filled = np.resize(part, (size, *part.shape[1:]))
        answer = _predict(network, variables, filled)
        logits.append(np.asarray(answer)[: len(part)])
    return np.concatenate(logits)


@partial(jax.jit, static_argnums=0)
def _predict(network: Classifier, variables: Any, images: jax.Array) -> jax.Array:
    return network.logits(variables, network.inputs_of(images))
