"""The BatchNorm statistics that a network's training images have in it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.data.labelled import LabelledImages, minibatches
from jinv.models.classifier import Classifier


def population_statistics(
    classifier: Classifier,
    variables: dict[str, Any],
    data: LabelledImages,
    images: int = 10_000,
    batch_size: int = 500,
) -> dict[str, Any]:
    """BatchNorm statistics of plain training images, pooled over many batches.

    The mean is the mean of the batches' means; the variance is the mean of their
    variances plus the variance of their means (Wu & Johnson 2021, section 3).

    Args:
        classifier: The network.
        variables: Its weights.
        data: Its training images, not augmented.
        images: How many of them to use.
        batch_size: Images that are normalised together.

    Returns:
        `batch_stats`, a tree like the one in `variables`; nothing where there is none.
    """
    if not variables.get("batch_stats"):
        return {}

    @jax.jit
    def moments(variables, images):
        inputs = classifier.normalise(images)
        _, seen = classifier.module.apply(
            variables, inputs, True, mutable=["taps", "batch_stats"]
        )
        return seen["taps"]

    order = np.random.default_rng(0).permutation(len(data))[:images]
    batch_size = min(batch_size, len(order))
    seen = [
        moments(variables, x)
        for x, _ in minibatches(data, order, batch_size, drop_last=True)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seen)

    def pool(node):
        if set(node) == {"mean", "var"}:
            mean = node["mean"].mean(0)
            between = node["mean"].var(0, keepdims=True)
            return {"mean": mean, "var": (node["var"] + between).mean(0)}
        return {name: pool(child) for name, child in node.items()}

    return {"batch_stats": pool(stacked)}
