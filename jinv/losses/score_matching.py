"""Score matching: densities are learnt that nobody can normalise.

The score of a density is the gradient of its logarithm with respect to the data.
"""

import jax
import jax.numpy as jnp

from jinv.losses.experts import Expert, curvature, slope


def score(
    responses: jax.Array, alphas: jax.Array, filters: jax.Array, expert: Expert
) -> jax.Array:
    """Score of a product of experts.

    psi(x) = sum_i alpha_i g(w_i.x) w_i

    Hyvärinen 2005, "Estimation of Non-Normalized Statistical Models by Score Matching",
    section 3.

    Args:
        responses: What filters make of the data, w_i.x, (batch, filters).
        alphas: Weights of the experts, (filters,).
        filters: Filters w_i, (filters, dimensions).
        expert: Kind of expert; its slope is g.

    Returns:
        Gradients of the log density, (batch, dimensions).

    Example:
        >>> x, w = jnp.array([[2.0]]), jnp.array([[1.0]])
        >>> score(x @ w.T, jnp.array([3.0]), w, "student-t").tolist()
        [[-2.0]]
    """
    return (alphas[None] * slope(responses, expert)) @ filters


def score_matching(
    responses: jax.Array, alphas: jax.Array, gram: jax.Array, expert: Expert
) -> jax.Array:
    """Objective of score matching for a product of experts: ½|psi|² + div psi, exactly.

    J(x) = sum_k alpha_k |w_k|² g'(w_k.x)
           + ½ sum_jk alpha_j alpha_k (w_j.w_k) g(w_j.x) g(w_k.x)

    Hyvärinen 2005, "Estimation of Non-Normalized Statistical Models by Score Matching",
    equation 4; psi is `score`. The norms are often left out, which is right only where
    they are 1. Filters are needed by their products alone: those of separable ones
    D_k P_k^T are (D_j.D_k) (P_j.P_k), and nobody need put them together.

    Args:
        responses: What filters make of the data, w_k.x, (batch, filters).
        alphas: Weights of the experts, (filters,).
        gram: Products w_j.w_k of the filters, (filters, filters).
        expert: Kind of expert.

    Returns:
        One value per datum, (batch,), which may be negative.

    Example:
        >>> x, gram = jnp.array([[2.0]]), jnp.array([[1.0]])
        >>> round(float(score_matching(x, jnp.ones(1), gram, "student-t")[0]), 2)
        0.33
    """
    weighted = alphas[None] * slope(responses, expert)
    divergence = curvature(responses, expert) @ (alphas * jnp.diagonal(gram))
    return divergence + jnp.sum(weighted * (weighted @ gram), -1) / 2


def denoising_score_matching(
    scores: jax.Array, noise: jax.Array, sigma: float
) -> jax.Array:
    """Denoising score matching: a score points from noisy data to clean ones.

    J = ½ |sigma psi(x + sigma n) + n|²

    Vincent 2011, "A Connection Between Score Matching and Denoising Autoencoders",
    section 4, times sigma²: half the squared error of the estimate y + sigma² psi(y) in
    units of the noise.

    Args:
        scores: Scores psi of noisy data x + sigma n, (batch, dimensions).
        noise: Noise n that was added, of deviation 1, (batch, dimensions).
        sigma: Deviation of the noise, in units of the data.

    Returns:
        One value per datum, (batch,), at least 0.

    Example:
        >>> noise = jnp.array([[1.0, -1.0]])
        >>> float(denoising_score_matching(-noise / 0.5, noise, 0.5)[0])
        0.0
    """
    return jnp.sum(jnp.square(sigma * scores + noise), -1) / 2
