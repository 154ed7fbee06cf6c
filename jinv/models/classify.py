"""What a classifier says of images, a batch at a time."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.models.classifier import Classifier

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def classify(
    network: Classifier,
    images: np.ndarray,
    batch_size: int = 100,
    variables: dict[str, Any] | None = None,
) -> np.ndarray:
    """A network's logits for images (images, classes), float32.

    Args:
        network: The network; images are resized (bilinear) to its input size.
        images: (images, height, width, channels): uint8, or floats in [0, 1].
        batch_size: Images classified together.
        variables: Instead of the network's own.
    """
    if variables is None:
        variables = network.variables
    size = min(batch_size, len(images))
    logits = []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        # One shape, one program: the last part is filled up.
        filled = np.resize(part, (size, *part.shape[1:]))
        answer = _predict(network, variables, filled)
        logits.append(np.asarray(answer)[: len(part)])
    return np.concatenate(logits)


def to_inputs(network: Classifier, images: Any) -> jax.Array:
    """Images of any size as a network's inputs.

    Args:
        network: Its input size, channels and normalisation are used.
        images: (batch, height, width, 3), or 1 where grey: uint8, or floats in [0, 1];
            resized (bilinear, antialiased where they shrink) if need be, and made grey
            (ITU-R 601 luma, as Pillow does) or repeated as red, green and blue.
    """
    values = jnp.asarray(images)
    if values.dtype == jnp.uint8:
        values = values.astype(jnp.float32) / 255
    if values.shape[-1] != network.spec.channels:
        grey = values @ _LUMA if values.shape[-1] == 3 else values[..., 0]
        values = jnp.stack([grey] * network.spec.channels, -1)
    size = network.spec.input_size
    if values.shape[1:3] != (size, size):
        shape = (len(values), size, size, values.shape[-1])
        values = jax.image.resize(values, shape, "bilinear")
    return network.normalise(values)


@partial(jax.jit, static_argnums=0)
def _predict(network: Classifier, variables: Any, images: jax.Array) -> jax.Array:
    return network.logits(variables, to_inputs(network, images))
