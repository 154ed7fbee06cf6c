"""Experts: how a learned prior judges what one filter makes of a patch.

The logarithm of a density is the sum of alpha_i G(s_i) over filters, and s_i = w_i.x.
"""

from typing import Literal

import jax
import jax.numpy as jnp

Expert = Literal["logistic", "student-t"]
"""Kinds of experts, both with heavier tails than a Gaussian's."""


def potential(responses: jax.Array, expert: Expert) -> jax.Array:
    """Logarithm G of an expert, but for a constant.

    logistic: G(s) = -log cosh s; Student-t: G(s) = -log(1 + s²/2)

    Hyvärinen 2005, "Estimation of Non-Normalized Statistical Models by Score Matching",
    section 3; Roth & Black 2009, "Fields of Experts", equation 4.

    Args:
        responses: Responses s of filters, of any shape and size: nothing overflows.
        expert: Kind of expert.

    Returns:
        Numbers of the same shape, at most 0.

    Example:
        >>> found = potential(jnp.array([1.0, -2e3]), "logistic")
        >>> [round(x, 2) for x in found.tolist()]
        [-0.43, -1999.31]
    """
    if expert == "logistic":
        size = jnp.abs(responses)
        return jnp.log(2.0).astype(size.dtype) - size - jnp.log1p(jnp.exp(-2 * size))
    return -jnp.log1p(jnp.square(responses) / 2)


def slope(responses: jax.Array, expert: Expert) -> jax.Array:
    """Derivative g = G' of an expert's `potential`.

    logistic: g(s) = -tanh s; Student-t: g(s) = -2s / (s² + 2)

    Roth & Black 2009, "Fields of Experts", section 3.

    Args:
        responses: Responses s of filters, of any shape.
        expert: Kind of expert.

    Returns:
        Numbers of the same shape, within -1 and 1.

    Example:
        >>> [round(x, 2) for x in slope(jnp.array([2.0, -1e4]), "logistic").tolist()]
        [-0.96, 1.0]
    """
    if expert == "logistic":
        return -jnp.tanh(responses)
    return -2 * responses / (jnp.square(responses) + 2)


def curvature(responses: jax.Array, expert: Expert) -> jax.Array:
    """Second derivative g' of an expert's `potential`.

    logistic: g'(s) = tanh² s - 1; Student-t: g'(s) = 2 (s² - 2) / (s² + 2)²

    Hyvärinen 2005, "Estimation of Non-Normalized Statistical Models by Score Matching",
    section 3.

    Args:
        responses: Responses s of filters, of any shape.
        expert: Kind of expert.

    Returns:
        Numbers of the same shape, from -1 on.

    Example:
        >>> found = curvature(jnp.array([0.0, 2.0]), "student-t")
        >>> [round(x, 2) for x in found.tolist()]
        [-1.0, 0.11]
    """
    if expert == "logistic":
        return jnp.square(jnp.tanh(responses)) - 1
    share = 2 / (jnp.square(responses) + 2)
    return share * (1 - 2 * share)
