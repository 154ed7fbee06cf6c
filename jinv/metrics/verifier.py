"""Does an independent network recognise the images?"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.errors import ConfigError
from jinv.models.classifier import Classifier

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def translate_labels(
    verifier: Classifier, labels: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """The verifier's indices of the classes that labels stand for.

    Args:
        verifier: The network that is to judge.
        labels: Indices into `classes`.
        classes: Names.

    Raises:
        ConfigError: The verifier does not know one of the classes.
    """
    known = {name: index for index, name in enumerate(verifier.spec.classes)}
    wanted = {int(label): classes[int(label)] for label in set(labels.tolist())}
    unknown = [name for name in wanted.values() if name not in known]
    if unknown:
        raise ConfigError(
            f"the verifier {verifier.spec.name} does not know the class {unknown[0]!r}"
        )
    return np.asarray([known[wanted[label]] for label in labels.tolist()], np.int32)


def judge(
    verifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    batch_size: int = 100,
) -> dict[str, Any]:
    """Share of images that a network recognises.

    Args:
        verifier: The network; images are resized (bilinear) to its input size.
        images: (images, height, width, channels): uint8, or floats in [0, 1].
        labels: Indices into `classes` (images,).
        classes: Names of the classes.
        batch_size: Images classified together.

    Returns:
        `name` and `sha256` of the network, `top1` and `top5` as shares in 0..1 (`top5`
        is None for networks of five classes or fewer).

    Raises:
        ConfigError: The verifier does not know one of the classes.
    """
    labels = translate_labels(verifier, labels, classes)
    logits = classify(verifier, images, batch_size)
    return {
        "name": verifier.spec.name,
        "sha256": verifier.sha256,
        **shares_recognised(logits, labels),
    }


def shares_recognised(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Shares of images whose class comes first, and among the first five.

    Args:
        logits: (images, classes).
        labels: Classes asked for, in the order of the logits (images,).

    Returns:
        `top1` and `top5`, as `judge` has them.
    """
    order = np.argsort(-logits, axis=-1, kind="stable")
    hits = order == labels[:, None]
    many = logits.shape[-1] > 5
    return {
        "top1": float(hits[:, 0].mean()),
        "top5": float(hits[:, :5].any(-1).mean()) if many else None,
    }


def classify(
    verifier: Classifier, images: np.ndarray, batch_size: int = 100
) -> np.ndarray:
    """A network's logits for images (images, classes), float32.

    Args:
        verifier: The network; images are resized (bilinear) to its input size.
        images: (images, height, width, channels): uint8, or floats in [0, 1].
        batch_size: Images classified together.
    """
    size = min(batch_size, len(images))
    logits = []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        # One shape, one program: the last part is filled up.
        filled = np.resize(part, (size, *part.shape[1:]))
        answer = _predict(verifier, verifier.variables, filled)
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
def _predict(verifier: Classifier, variables: Any, images: jax.Array) -> jax.Array:
    return verifier.logits(variables, to_inputs(verifier, images))
