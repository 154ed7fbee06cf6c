"""Activations that operations are tried on, and how near two results must be."""

import jax
import numpy as np

X = 2 + 3 * jax.random.normal(jax.random.key(0), (11, 5, 6, 4))


def close(found, expected, tolerance=1e-5):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance),
        found,
        expected,
    )
