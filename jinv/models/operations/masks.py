"""Masks of 0 and 1, which say what weights are used, and how scores learn from them.

Both rules pass the gradient of the mask straight through to what was rounded (Bengio et
al. 2013): the mask itself is constant almost everywhere.
"""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
from jax import lax

_FINEST = 10**9
"""Fractions are told apart by their first nine digits."""


def kept_count(keep_fraction: float, weights: int) -> int:
    """Count a layer's weights that a mask keeps: ⌈keep_fraction · weights⌉.

    The fraction is what was meant: 0.9 of 10 weights are 9, although 1 - 0.9 is a
    little less than 0.1, and 0.1 · 3 of them are 3, although that float is over 0.3.

    Example:
        >>> kept_count(0.9, 10), kept_count(0.1 * 3, 10), kept_count(0.3, 11)
        (9, 3, 4)
    """
    exact = Fraction(keep_fraction).limit_denominator(_FINEST)
    return math.ceil(exact * weights)


def top_mask(scores: jax.Array, kept: int) -> jax.Array:
    """Keep the weights whose scores are largest in magnitude: edge-popup.

    mask = 1 where |score| is among the `kept` largest of the layer, else 0; of equal
    ones the first in the array are kept, so that there are always exactly `kept`. The
    gradient passes: ∂mask/∂score = sign(score). Ramanujan et al. 2020, section 3.

    Args:
        scores: Scores of any shape, float32.
        kept: Number of weights to keep; see `kept_count`.

    Returns:
        Array of the scores' shape and type.
    """
    if kept >= scores.size:
        # Every weight is used whatever its score.
        return jnp.ones_like(scores)
    magnitudes = jnp.abs(scores)
    return _straight_through(magnitudes, largest(magnitudes, kept))


def sampled_mask(scores: jax.Array, key: jax.Array | None) -> jax.Array:
    """Keep each weight with probability sigmoid(score), independently.

    The gradient passes to the probability: ∂mask/∂score = p (1 - p). Zhou et al. 2019,
    "Deconstructing Lottery Tickets", section 5.

    Args:
        scores: Scores of any shape, float32.
        key: Key of the draw; None takes the likelier value of each weight, p > ½.

    Returns:
        Array of the scores' shape and type.
    """
    chances = jax.nn.sigmoid(scores)
    if key is None:
        return _straight_through(chances, scores > 0)
    drawn = jax.random.uniform(key, scores.shape, scores.dtype) < chances
    return _straight_through(chances, drawn)


def largest(values: jax.Array, count: int) -> jax.Array:
    """Mark exactly `count` largest of an array; of equal ones the first.

    The bits of floats that are not negative are ordered as the floats are, so the
    `count`-th largest is found bit by bit: 31 passes that count. A sort costs 36 times
    as much on CPU (`scripts/benchmark.py --forms`), and this is exact as well.

    Args:
        values: Values of any shape, float32, not negative.
        count: Number to mark, from 1 to that of the values.

    Returns:
        Booleans of the same shape.
    """
    bits = lax.bitcast_convert_type(values.astype(jnp.float32), jnp.int32)
    threshold = _highest(lambda t: jnp.sum(bits >= t) >= count, 31)
    above, equal = bits > threshold, bits == threshold
    missing = count - jnp.sum(above)

    def share() -> jax.Array:
        place = jnp.arange(bits.size).reshape(bits.shape)
        digits = max(bits.size - 1, 1).bit_length()
        # The last place with too few of the equal ones before it.
        last = _highest(lambda t: jnp.sum(equal & (place < t)) < missing, digits)
        return above | (equal & (place <= last))

    return lax.cond(jnp.sum(equal) == missing, lambda: above | equal, share)


def _highest(holds, digits: int) -> jax.Array:
    """Find the largest number of so many bits for which a falling predicate holds.

    The predicate must hold for 0.
    """

    def digit(index, found):
        candidate = found | (1 << (digits - 1 - index))
        return jnp.where(holds(candidate), candidate, found)

    return lax.fori_loop(0, digits, digit, jnp.int32(0))


def _straight_through(value: jax.Array, rounded: jax.Array) -> jax.Array:
    """Pass `rounded` on going forward, with the gradient of `value`."""
    return _as_if(value, rounded.astype(value.dtype))


@jax.custom_jvp
def _as_if(value: jax.Array, rounded: jax.Array) -> jax.Array:
    return rounded


@_as_if.defjvp
def _as_if_jvp(primals, tangents):
    return primals[1], tangents[0]
