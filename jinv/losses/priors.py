"""Terms that prefer natural images to noise.

All take images or inputs of shape (batch, height, width, channels).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jinv.losses.sums import image_sums


def _sum(x: jax.Array) -> jax.Array:
    return jnp.sum(x, 0)


def total_variation_l2(images: jax.Array) -> jax.Array:
    """TV-l2: the sum of the norms of the four one-pixel differences.

    sum_d |D_d x|_F over the directions d: horizontal, vertical and both diagonals
    (after Yin et al. 2020, equation 3; theirs couples the batch, see
    `total_variation_l2_nvlabs`).

    Args:
        images: Images or inputs, (batch, height, width, channels).

    Returns:
        One value per image, (batch,).

    Example:
        >>> round(float(total_variation_l2(jnp.eye(2)[None, ..., None])[0]), 4)
        2.8284
    """
    return jnp.sum(_sqrt(_energies(images)), -1)


def total_variation_l2_nvlabs(
    images: jax.Array, batch_sum: Callable[[jax.Array], jax.Array] = _sum
) -> jax.Array:
    """TV-l2 exactly as the published DeepInversion scripts compute it.

    sum_d |D_d X|_F over the whole batch X: grows as the square root of the batch size
    (Yin et al. 2020, equation 3).

    Args:
        images: Images or inputs, (batch, height, width, channels).
        batch_sum: Sums over the first axis; over all devices, where the batch is
            spread over several.

    Returns:
        A scalar.

    Example:
        >>> round(float(total_variation_l2_nvlabs(jnp.eye(2)[None, ..., None])), 4)
        2.8284
    """
    return jnp.sum(_sqrt(batch_sum(_energies(images))))


def total_variation_l1(images: jax.Array) -> jax.Array:
    """TV-l1: the sum of the mean absolute one-pixel differences.

    sum_d mean |D_d x| over the directions d of `total_variation_l2` (the published
    DeepInversion scripts of Yin et al. 2020).

    Args:
        images: Images or inputs, (batch, height, width, channels).

    Returns:
        One value per image, (batch,).

    Example:
        >>> float(total_variation_l1(jnp.eye(2)[None, ..., None])[0])
        2.0
    """
    return sum(jnp.mean(jnp.abs(d), (1, 2)) for d in _differences(images))  # pyright: ignore


def l2(images: jax.Array) -> jax.Array:
    """The Euclidean norm of each image.

    |x|_F (Yin et al. 2020, equation 3).

    Args:
        images: Images or inputs, (batch, height, width, channels).

    Returns:
        One value per image, (batch,).

    Example:
        >>> float(l2(jnp.ones((1, 2, 2, 1)))[0])
        2.0
    """
    return _sqrt(jnp.sum(jnp.square(images), (1, 2, 3)))


def l2_nvlabs(
    images: jax.Array, batch_sum: Callable[[jax.Array], jax.Array] = _sum
) -> jax.Array:
    """The norm of the whole batch, as the published CIFAR-10 script computes it.

    |X|_F over the whole batch X (Yin et al. 2020, equation 3). The published ImageNet
    script takes the mean over images, which is `l2`.

    Args:
        images: Images or inputs, (batch, height, width, channels).
        batch_sum: Sums over the first axis, as for `total_variation_l2_nvlabs`.

    Returns:
        A scalar.

    Example:
        >>> float(l2_nvlabs(jnp.ones((4, 2, 2, 1))))
        4.0
    """
    return _sqrt(batch_sum(jnp.sum(jnp.square(images), (1, 2, 3))))


def _differences(x: jax.Array) -> tuple[jax.Array, ...]:
    """Differences in four directions, each (batch, rows, columns * channels).

    Columns and channels are one long axis because a short last one is slow on CPU.
    """
    one = x.shape[-1]
    x = x.reshape(*x.shape[:2], -1)
    return (
        x[:, :, one:] - x[:, :, :-one],
        x[:, 1:] - x[:, :-1],
        x[:, 1:, one:] - x[:, :-1, :-one],
        x[:, 1:, :-one] - x[:, :-1, one:],
    )


def _energies(x: jax.Array) -> jax.Array:
    return jnp.stack([image_sums(jnp.square(d)) for d in _differences(x)], -1)


def _sqrt(x: jax.Array) -> jax.Array:
    # The small constant keeps the gradient finite for a constant image.
    return jnp.sqrt(x + 1e-12)
