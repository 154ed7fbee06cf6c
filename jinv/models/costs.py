"""What a network costs: parameters, multiplications, and measured time."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jinv.models.classifier import Classifier


class Costs(NamedTuple):
    """What a network costs by its shapes alone.

    Attributes:
        parameters: Number of its parameters.
        multiply_adds: Multiplications, each with an addition, of convolutions and dense
            layers for one image.
    """

    parameters: int
    multiply_adds: int


def costs_of(classifier: Classifier) -> Costs:
    """Count parameters and multiplications; nothing is computed.

    Args:
        classifier: Network whose costs they are.
    """
    spec, total = classifier.spec, 0

    def count(call, args, kwargs, context):
        nonlocal total
        made, layer = call(*args, **kwargs), context.module
        if context.method_name == "__call__" and layer.has_variable("params", "kernel"):
            kernel = layer.get_variable("params", "kernel")
            total += made.size // made.shape[-1] * kernel.size
        return made

    shape = 1, spec.input_size, spec.input_size, spec.channels
    example = jax.ShapeDtypeStruct(shape, jnp.float32)
    with nn.intercept_methods(count):
        jax.eval_shape(classifier.in_parts().logits, classifier.variables, example)
    parameters = jax.tree.leaves(classifier.variables["params"])
    return Costs(sum(leaf.size for leaf in parameters), total)


def milliseconds_of(
    classifiers: Sequence[Classifier], batch_size: int = 64, turns: int = 15
) -> list[float]:
    """Measure how long networks take for a batch: medians, in milliseconds.

    They take turns, so that what else the machine does slows all of them alike.

    Args:
        classifiers: Networks to measure.
        batch_size: Images of the batch.
        turns: Batches that each classifies, after one that compiles it.
    """
    runs = []
    for network in classifiers:
        size = network.spec.input_size
        shape = batch_size, size, size, network.spec.channels
        inputs = jax.random.normal(jax.random.key(0), shape)
        program = jax.jit(network.logits).lower(network.variables, inputs).compile()
        jax.block_until_ready(program(network.variables, inputs))
        runs.append((program, network.variables, inputs))
    seconds = np.zeros((turns, len(runs)))
    for turn in range(turns):
        for place, (program, *arguments) in enumerate(runs):
            began = time.perf_counter()
            jax.block_until_ready(program(*arguments))
            seconds[turn, place] = time.perf_counter() - began
    return (1000 * np.median(seconds, 0)).tolist()
