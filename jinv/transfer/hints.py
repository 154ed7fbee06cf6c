"""Hints: what a student is told of the way to its teacher's answers."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv import losses
from jinv.models.classifier import Classifier

Features = dict[str, jax.Array]


def find_hints(teacher: Classifier, student: Classifier) -> dict[str, str]:
    """Pair the stages of two networks that are of the same height and width.

    Where several of a network are, the last of them counts.

    Returns:
        Names of the teacher's features by those of the student's; empty where a network
        reports no stages, as most that are not of the zoo.
    """
    offered = _by_size(teacher)
    return {
        name: offered[size]
        for size, name in _by_size(student).items()
        if size in offered
    }


def first_regressors(
    teacher: Classifier, student: Classifier, hints: dict[str, str], seed: int
) -> dict[str, Any]:
    """Parameters of the layers that turn a student's features into its teacher's.

    Each is a convolution of a single pixel: the student may say the same in channels of
    its own. Random at first, as a function of the seed.
    """
    keys = jax.random.split(jax.random.key(seed), len(hints))
    return {
        ours: _regressor(teacher.feature_shapes[theirs]).init(
            key, jnp.zeros((1, *student.feature_shapes[ours]))
        )["params"]
        for key, (ours, theirs) in zip(keys, hints.items(), strict=True)
    }


def hint_loss(
    regressors: dict[str, Any], hints: dict[str, str], known: Features, own: Features
) -> jax.Array:
    """How far a student's features are from saying what its teacher's say.

    The sum of `feature_mse` of all pairs, its mean over the batch (Romero et al. 2015,
    there for one pair, before the answers are learnt; here for each stage, meanwhile).

    Args:
        regressors: Parameters, see `first_regressors`.
        hints: Pairs of names, see `find_hints`.
        known: The teacher's features.
        own: The student's.
    """
    total = jnp.zeros(())
    for ours, theirs in hints.items():
        wanted = known[theirs].astype(jnp.float32)
        layer = _regressor(wanted.shape)
        said = layer.apply({"params": regressors[ours]}, own[ours].astype(jnp.float32))
        total += losses.feature_mse(wanted, jnp.asarray(said)).mean()
    return total


def _regressor(shape: tuple[int, ...]) -> nn.Dense:
    return nn.Dense(shape[-1])


def _by_size(network: Classifier) -> dict[tuple[int, ...], str]:
    shapes = network.feature_shapes
    return {shapes[name][:-1]: name for name in network.stages}
