"""How networks learn: stochastic gradient descent that decays kernels alone."""

from functools import partial

import jax
import optax


def decayed_sgd(
    schedule: optax.Schedule, momentum: float, nesterov: bool, weight_decay: float
) -> optax.GradientTransformation:
    """Make the optimiser of trainings.

    Args:
        schedule: Learning rate by the step.
        momentum: Share of the last update that goes into the next.
        nesterov: Look ahead by the momentum (Sutskever et al. 2013).
        weight_decay: Added to the gradients of kernels (not of BatchNorm or biases).
    """
    decayed = partial(
        jax.tree_util.tree_map_with_path,
        lambda path, _: getattr(path[-1], "key", "") == "kernel",
    )
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decayed),
        optax.sgd(schedule, momentum, nesterov),
    )
