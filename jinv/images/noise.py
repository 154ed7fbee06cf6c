"""Random numbers that belong to single images."""

from collections.abc import Callable
from typing import Literal

import jax

Noise = Literal["normal", "uniform"]


def draw_normal(key: jax.Array, index: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draw standard normal numbers for the images of the given numbers.

    They depend on the key and on an image's number alone, so that a result does not
    depend on how images are put together in batches, or spread over devices.

    Args:
        key: Random key of the run.
        index: Each image's number (batch,), integers.
        shape: Shape of what each image gets.

    Returns:
        Array (batch, *shape), float32.
    """
    return _drawn(jax.random.normal, key, index, shape)


def draw_uniform(key: jax.Array, index: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draw uniform numbers of mean 0 and variance 1 as `draw_normal` does normal ones.

    Returns:
        Array (batch, *shape), float32, between -√3 and √3.
    """
    return 3**0.5 * (2 * _drawn(jax.random.uniform, key, index, shape) - 1)


def _drawn(
    draw: Callable, key: jax.Array, index: jax.Array, shape: tuple[int, ...]
) -> jax.Array:
    def one(i: jax.Array) -> jax.Array:
        return draw(jax.random.fold_in(key, i), shape)

    return jax.vmap(one)(index)
