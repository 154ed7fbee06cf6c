"""Priors of feature inversion: variations between neighbours, and powers of norms.

All take images or inputs of shape (batch, height, width, channels), and are sums over
an image where nothing else is said. Differences are taken forward: to the right and
downward; those of the last column and row are 0.
"""

from functools import partial

import jax
import jax.numpy as jnp

from jinv.losses.sums import image_sums

_LEAST = 1e-5
"""Least (dx² + dy²)^(β/2) of which the gradient takes notice, for β < 2."""


def total_variation(images: jax.Array, beta: float = 2.0) -> jax.Array:
    """V^β: the sum of the sizes of all gradients, to the power β.

    V^β(x) = sum (dx² + dy²)^(β/2) over all pixels and channels (Mahendran & Vedaldi
    2015, "Understanding Deep Image Representations by Inverting Them", section 2).
    With β = 1 this is the isotropic total variation.

    For β < 2 the slope of the power is infinite at 0; gradients are those of a power
    that is at least 1e-5, as in the published code.

    Args:
        images: Images or inputs, (batch, height, width, channels).
        beta: Power, from 1 on.

    Returns:
        One value per image, (batch,).

    Example:
        >>> ramp = jnp.array([[0.0, 3.0], [4.0, 7.0]])[None, ..., None]
        >>> total_variation(ramp, beta=1).tolist(), total_variation(ramp).tolist()
        ([12.0], [50.0])
    """
    dx, dy = _differences(images)
    return image_sums(_root_power(jnp.square(dx) + jnp.square(dy), beta))


def anisotropic_variation(images: jax.Array) -> jax.Array:
    """The anisotropic total variation: the sum of all absolute differences.

    sum |dx| + |dy| over all pixels and channels; what TensorFlow calls the total
    variation of an image.

    Args:
        images: Images or inputs, (batch, height, width, channels).

    Returns:
        One value per image, (batch,).

    Example:
        >>> ramp = jnp.array([[0.0, 3.0], [4.0, 7.0]])[None, ..., None]
        >>> anisotropic_variation(ramp).tolist()
        [14.0]
    """
    dx, dy = _differences(images)
    return image_sums(jnp.abs(dx) + jnp.abs(dy))


def squared_differences(images: jax.Array) -> jax.Array:
    """The sum of all squared differences between neighbours.

    sum dx² + dy² over all pixels and channels: `total_variation` with β = 2 (Mahendran
    & Vedaldi 2015, section 2), for those who know it by this name.

    Args:
        images: Images or inputs, (batch, height, width, channels).

    Returns:
        One value per image, (batch,).

    Example:
        >>> ramp = jnp.array([[0.0, 3.0], [4.0, 7.0]])[None, ..., None]
        >>> squared_differences(ramp).tolist()
        [50.0]
    """
    return total_variation(images, beta=2.0)


def alpha_norm(
    images: jax.Array, alpha: float = 6.0, own_mean: bool = True
) -> jax.Array:
    """The norm of each image's contrast, to the power α.

    ‖x - mean(x)‖_α^α = sum |x - mean(x)|^α over all values of an image (Mahendran &
    Vedaldi 2015, section 2). A large α lets values be anything within a range.

    Args:
        images: Images or inputs, (batch, height, width, channels).
        alpha: Power, from 1 on; for less than 2 gradients are as guarded as those of
            `total_variation`.
        own_mean: Whether each image's own mean, over all its values, is subtracted. The
            published code takes inputs from which the mean of the data has been
            subtracted, and nothing else.

    Returns:
        One value per image, (batch,).

    Example:
        >>> images = jnp.array([1.0, 3.0]).reshape(1, 1, 2, 1)
        >>> alpha_norm(images).tolist(), alpha_norm(images, own_mean=False).tolist()
        ([2.0], [730.0])
    """
    rows = _rows(images)
    if own_mean:
        rows -= jnp.mean(rows, (1, 2), keepdims=True)
    return image_sums(_root_power(jnp.square(rows), alpha))


def pixel_norm(images: jax.Array, bound: float = 1.0, alpha: float = 6.0) -> jax.Array:
    """N_α: the mean over pixels of the norm of their colour, to the power α.

    N_α(x) = sum_ij (sum_k x_ijk²)^(α/2) / (H W B^α) (Mahendran & Vedaldi 2016,
    "Visualizing Deep Convolutional Neural Networks Using Natural Pre-images"): about 0
    where norms are below the bound B, and quickly more above.

    Args:
        images: Inputs whose mean colour is 0, (batch, height, width, channels).
        bound: B, the norm of a colour that counts as 1.
        alpha: Power, from 1 on.

    Returns:
        One value per image, (batch,).

    Example:
        >>> pixel_norm(jnp.array([[[[3.0, 4.0]]]]), bound=5).tolist()
        [1.0]
        >>> pixel_norm(jnp.array([[[[3.0, 4.0]]]]), bound=2.5).tolist()
        [64.0]
    """
    squares = jnp.sum(jnp.square(images / bound), -1)
    height, width = images.shape[1:3]
    return image_sums(_root_power(squares, alpha)) / (height * width)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _root_power(squares: jax.Array, exponent: float) -> jax.Array:
    """The roots of squares, to the power of an exponent of at least 1."""
    return _power(squares, exponent / 2)


@_root_power.defjvp
def _(exponent: float, primals: tuple[jax.Array], tangents: tuple[jax.Array]):
    (squares,), (tangent,) = primals, tangents
    guarded = squares
    if exponent < 2:
        guarded = jnp.maximum(squares, _LEAST ** (2 / exponent))
    slope = exponent / 2 * _power(guarded, exponent / 2 - 1)
    return _root_power(squares, exponent), slope * tangent


def _power(x: jax.Array, exponent: float) -> jax.Array:
    # Products, of roots where need be, are much faster than other powers.
    if exponent == int(exponent):
        return x ** int(exponent)
    if 2 * exponent == int(2 * exponent):
        return jnp.sqrt(x) ** int(2 * exponent)
    return x**exponent


def _rows(images: jax.Array) -> jax.Array:
    """Columns and channels as one long axis: a short last one is slow on CPU."""
    return images.reshape(*images.shape[:2], -1)


def _differences(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Differences to the right and downward, each (batch, rows, columns * channels)."""
    rows, one = _rows(images), images.shape[-1]
    dx = jnp.pad(rows[:, :, one:] - rows[:, :, :-one], ((0, 0), (0, 0), (0, one)))
    dy = jnp.pad(rows[:, 1:] - rows[:, :-1], ((0, 0), (0, 1), (0, 0)))
    return dx, dy
