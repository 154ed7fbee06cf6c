"""Terms that compare a batch's BatchNorm statistics with those of training."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

Moments = tuple[jax.Array, jax.Array]
"""Mean and biased variance of a layer's input, each (..., channels)."""


def bn_loss(
    batch: Mapping[str, Moments],
    running: Mapping[str, Moments],
    weights: Mapping[str, float],
) -> jax.Array:
    """R_feature: distance of a batch's statistics from the running ones.

    sum_l k_l (|v_l - s2_l|_2 + |m_l - mu_l|_2), norms not squared, with m_l, v_l the
    running mean and variance of BatchNorm layer l, and mu_l, s2_l the mean and biased
    variance of its input over the batch (Yin et al. 2020, equation 4).

    Args:
        batch: Moments (mu_l, s2_l) by layer. Leading axes, as left by a batch taken in
            groups, are averaged over.
        running: Moments (m_l, v_l) by layer, each (channels,).
        weights: Factors k_l by layer.

    Returns:
        A scalar.

    Example:
        >>> batch, running = (jnp.zeros(4), jnp.ones(4)), (jnp.ones(4), jnp.ones(4))
        >>> round(float(bn_loss({"bn": batch}, {"bn": running}, {"bn": 1.0})), 4)
        2.0
    """

    def distance(layer: str) -> jax.Array:
        (mu, s2), (m, v) = batch[layer], _beside(running[layer], batch[layer])
        return weights[layer] * (_norm(v - s2) + _norm(m - mu))

    return jnp.mean(sum(distance(layer) for layer in running))


def normalised_bn_loss(
    batch: Mapping[str, Moments],
    running: Mapping[str, Moments],
    weights: Mapping[str, float],
) -> jax.Array:
    """R_feature in units of each channel's own spread.

    sum_l k_l (sqrt(mean_c (m - mu)^2 / v) + sqrt(mean_c ((v - s2) / v)^2)) / sum_l k_l.

    The raw term's scale varies by orders of magnitude between architectures; this one
    is about 1 for images whose statistics are off by one standard deviation, whatever
    the network, so that one weight serves all. It is jinv's own, after `bn_loss`.

    Args:
        batch: Moments (mu, s2) by layer, as for `bn_loss`.
        running: Moments (m, v) by layer, as for `bn_loss`.
        weights: Factors k_l by layer.

    Returns:
        A scalar.

    Example:
        >>> batch, running = (jnp.zeros(4), jnp.ones(4)), (jnp.ones(4), jnp.ones(4))
        >>> loss = normalised_bn_loss({"bn": batch}, {"bn": running}, {"bn": 1.0})
        >>> round(float(loss), 4)
        1.0
    """

    def distance(layer: str) -> jax.Array:
        (mu, s2), (m, v) = batch[layer], _beside(running[layer], batch[layer])
        v = v + _FLOOR
        size = jnp.sqrt(v.shape[-1])
        mean_error = _norm((m - mu) * jax.lax.rsqrt(v)) / size
        return weights[layer] * (mean_error + _norm((v - s2) / v) / size)

    total = sum(weights[layer] for layer in running)
    return jnp.mean(sum(distance(layer) for layer in running)) / total


def blend_moments(
    batch: Mapping[str, Moments],
    remembered: Mapping[str, Moments],
    share: float | jax.Array,
) -> dict[str, Moments]:
    """A batch's statistics, mixed with those remembered of earlier batches.

    share * remembered + (1 - share) * batch, for the mean and the variance of each
    layer. Compared in place of the batch's own, they ask of the batches together, not
    of each, that they look like training (Fang et al. 2022, "Up to 100x Faster
    Data-free Knowledge Distillation": share 0.9; after each batch, the blend of its
    last step is remembered, averaged over groups; the first batch is compared alone).

    Args:
        batch: Moments by layer. Leading axes, as left by a batch taken in groups, stay.
        remembered: Moments by layer, each (channels,); finite even where `share` is 0,
            and with `stop_gradient` if they depend on what is optimised.
        share: Share of what is remembered, 0 to 1; 0 where nothing is remembered yet.
            A traced scalar will do.

    Returns:
        Moments in the shape of `batch`.

    Example:
        >>> new, old = (jnp.zeros(1), jnp.ones(1)), (jnp.ones(1), jnp.ones(1))
        >>> mean, _ = blend_moments({"bn": new}, {"bn": old}, 0.25)["bn"]
        >>> mean.tolist()
        [0.25]
    """

    def blend(old: jax.Array, new: jax.Array) -> jax.Array:
        return share * old + (1 - share) * new

    def blended(layer: str) -> Moments:
        (mean, variance), new = (
            _beside(remembered[layer], batch[layer]),
            batch[layer],
        )
        return blend(mean, new[0]), blend(variance, new[1])

    return {layer: blended(layer) for layer in batch}


_FLOOR = 1e-5
"""BatchNorm's own epsilon: a channel that never varied must not weigh infinitely."""


def _beside(known: Moments, batch: Moments) -> Moments:
    """Moments (channels,), with the leading axes of a batch taken in groups."""
    axes = tuple(range(jnp.ndim(batch[0]) - 1))
    return jnp.expand_dims(known[0], axes), jnp.expand_dims(known[1], axes)


def _norm(x: jax.Array) -> jax.Array:
    # The small constant keeps the gradient finite where statistics agree exactly.
    return jnp.sqrt(jnp.sum(jnp.square(x), -1) + 1e-12)
