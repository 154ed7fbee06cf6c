"""Which images a step learns from: a random order that can be told from any step."""

from functools import lru_cache

import numpy as np


def drawn(count: int, wanted: int, seed: int, begun: int, step: int) -> np.ndarray:
    """Draw the images of a step, each as often as any other before it comes again.

    Passes over the images follow one another without a gap, each in an order of its
    own, which depends on the seed, the step at which they began, and its number.

    Args:
        count: Number of images that there are.
        wanted: Number of images that a step takes.
        seed: Seed of the order.
        begun: Step at which the passes began, e.g. since there are so many images.
        step: Number of the step.

    Returns:
        Indices (wanted,), int64.

    Example:
        >>> first, second = (drawn(6, 3, seed=0, begun=0, step=step) for step in (0, 1))
        >>> sorted([*first.tolist(), *second.tolist()])  # together a pass
        [0, 1, 2, 3, 4, 5]
    """
    places = (step - begun) * wanted + np.arange(wanted)
    numbers, within = np.divmod(places, count)
    orders = {
        number: _order(count, seed, begun, number) for number in set(numbers.tolist())
    }
    return np.array(
        [
            orders[number][place]
            for number, place in zip(numbers.tolist(), within.tolist(), strict=True)
        ]
    )


@lru_cache(maxsize=4)
def _order(count: int, seed: int, begun: int, number: int) -> np.ndarray:
    return np.random.default_rng((seed, begun, number)).permutation(count)
