"""What is asked of images that shall excite a network: the greater, the better.

All belong to single images, of which none knows of another, but for those that shall
differ from each other.
"""

import jax
import jax.numpy as jnp


def activation(
    features: jax.Array, directions: jax.Array, positions: jax.Array
) -> jax.Array:
    """How far features point in a direction: the mean over positions, or at one.

    mean_p ⟨φ_p, d⟩, or ⟨φ_p, d⟩ at a position p

    Olah et al. 2017, "Feature Visualization", appendix. The direction of a unit is 1 at
    its channel and 0 elsewhere.

    Args:
        features: Features φ, (batch, height, width, channels) or (batch, channels).
        directions: Directions d, (batch, channels).
        positions: Row and column of each image, (batch, 2), integers; negative for the
            mean over all. Features without positions need none.

    Returns:
        One value per image, (batch,), in units of the features.

    Example:
        >>> features = jnp.arange(8.0).reshape(1, 2, 2, 2)
        >>> second, mean = jnp.array([[0.0, 1.0]]), jnp.array([[-1, -1]])
        >>> activation(features, second, mean).tolist()
        [4.0]
        >>> activation(features, second, jnp.array([[1, 0]])).tolist()
        [5.0]
    """
    if features.ndim == 2:
        return jnp.sum(features * directions, -1)
    exact = jax.lax.Precision.HIGHEST
    along = jnp.einsum("bhwc,bc->bhw", features, directions, precision=exact)
    rows = jax.nn.one_hot(positions[:, 0], along.shape[1], dtype=along.dtype)
    columns = jax.nn.one_hot(positions[:, 1], along.shape[2], dtype=along.dtype)
    there = jnp.einsum("bhw,bh,bw->b", along, rows, columns, precision=exact)
    return jnp.where(positions[:, 0] < 0, along.mean((1, 2)), there)


def half_mean_square(features: jax.Array) -> jax.Array:
    """Half of the mean square of all features, whose gradient by them is themselves.

    ½ mean Φ²

    Mordvintsev et al. 2015, "Inceptionism": whatever a layer sees, more of it.

    Args:
        features: Features Φ, (batch, ...).

    Returns:
        One value per image, (batch,), in squared units of the features.

    Example:
        >>> half_mean_square(jnp.array([[2.0, 4.0]])).tolist()
        [5.0]
    """
    return jnp.square(features).reshape(len(features), -1).mean(-1) / 2


def likeness(features: jax.Array, target: jax.Array, power: float = 0.0) -> jax.Array:
    """How far features point to a target, and how much of them does.

    ⟨Φ, Φ₀⟩ / ‖Φ₀‖² · max(0.1, cos(Φ, Φ₀))^p

    The caricatures of Olah and others (lucid, `recipes/caricature`); there the product
    is not divided, and the cosine by ‖Φ‖ alone. It is 1 for the target itself, and
    grows without bounds.

    Args:
        features: Features Φ, (batch, ...).
        target: Features Φ₀ of what is to be exaggerated, of the same shape.
        power: Power p of the cosine: 0 lets anything be added that has a part in the
            target's direction, 1 and 2 ask for that direction alone.

    Returns:
        One value per image, (batch,).

    Example:
        >>> likeness(jnp.array([[6.0, 8.0]]), jnp.array([[3.0, 4.0]]), 1.0).tolist()
        [2.0]
    """
    product = _total(features * target)
    # A layer may see nothing at all.
    own, wanted = (
        jnp.maximum(_total(jnp.square(x)), 1e-12) for x in (features, target)
    )
    cosine = product / jnp.sqrt(own * wanted)
    return product / wanted * jnp.maximum(cosine, 0.1) ** power


def gram_similarity(features: jax.Array, group: int) -> jax.Array:
    """How alike the channels of an image and of its group go together.

    mean over the others j of the group of cos(G_i, G_j),  G = Σ_p φ_p φ_pᵀ

    Olah et al. 2017, "Feature Visualization", section "Diversity"; what lucid adds up
    over all pairs is here a mean over the others.

    Args:
        features: Features φ, (batch, height, width, channels).
        group: Number of neighbours in the batch that are compared, 2 or more; it
            divides the batch.

    Returns:
        One value per image, (batch,), from 0 to 1 where no feature is negative.

    Example:
        >>> channels = jnp.array([[1.0, 0.0], [3.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> gram_similarity(channels.reshape(4, 1, 1, 2), 2).tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    exact = jax.lax.Precision.HIGHEST
    grams = jnp.einsum("bhwc,bhwd->bcd", features, features, precision=exact)
    squares = _total(jnp.square(grams))
    grams = grams / jnp.sqrt(jnp.maximum(squares, 1e-10))[:, None, None]
    groups = grams.reshape(-1, group, grams.shape[1] * grams.shape[2])
    pairs = jnp.einsum("gix,gjx->gij", groups, groups, precision=exact)
    others = pairs.sum(-1) - jnp.diagonal(pairs, axis1=1, axis2=2)
    return others.reshape(-1) / (group - 1)


def _total(values: jax.Array) -> jax.Array:
    return values.reshape(len(values), -1).sum(-1)
