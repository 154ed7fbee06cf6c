"""The BatchNorm statistics that a network's training images have in it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jinv.data.labelled import LabelledImages, minibatches
from jinv.models.classifier import Classifier


def population_statistics(
    classifier: Classifier,
    variables: dict[str, Any],
    data: LabelledImages,
    images: int = 10_000,
    batch_size: int = 500,
) -> dict[str, Any]:
    """Measure BatchNorm statistics of plain training images, over many batches.

    The mean is the mean of the batches' means; the variance is the mean of their
    variances plus the variance of their means (Wu & Johnson 2021, section 3).

    Args:
        classifier: Network whose statistics they are.
        variables: Variables of the network.
        data: Images that it was trained on, not augmented.
        images: Number of images to use, at most, drawn from all.
        batch_size: Images that are normalised together, at most; all batches are of
            one size, and the images that are left over count nowhere.

    Returns:
        `batch_stats`, a tree like the one in `variables`; nothing where there is none.
    """
    if not variables.get("batch_stats"):
        return {}

    @jax.jit
    def moments(variables, images, number):
        inputs = classifier.normalise(images)
        key = jax.random.fold_in(jax.random.key(0), number)
        return classifier.training_moments(variables, inputs, key)

    order = np.random.default_rng(0).permutation(len(data))[:images]
    batch_size = len(order) // -(-len(order) // batch_size)
    seen = [
        moments(variables, x, number)
        for number, (x, _) in enumerate(
            minibatches(data, order, batch_size, drop_last=True)
        )
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seen)
    heard: Any = flatten_dict(stacked)
    pooled = {place: values.mean(0) for place, values in heard.items()}
    for *layer, kind in heard:
        if kind == "var":
            pooled[*layer, "var"] += heard[*layer, "mean"].var(0)
    # Layers that cannot be heard keep what training left.
    left: Any = flatten_dict(variables["batch_stats"])
    return {"batch_stats": unflatten_dict(left | pooled)}
