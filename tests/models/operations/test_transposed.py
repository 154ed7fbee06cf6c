import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jinv.models.operations import transposed

# Compiled whole, as in a network: part by part it takes longer.
convolve_transposed = jax.jit(transposed.convolve_transposed, static_argnums=(2, 3, 4))


@pytest.mark.parametrize(
    ("side", "stride", "first", "length"),
    [(3, 1, 1, 9), (2, 2, 0, 18), (3, 2, 0, 19), (11, 4, 2, 37), (5, 2, 3, 12)],
)
def test_it_is_the_transposed_form_of_a_convolution(side, stride, first, length):
    keys = jax.random.split(jax.random.key(side), 3)
    kernel = jax.random.normal(keys[0], (side, side, 2, 3))
    x = np.asarray(jax.random.normal(keys[1], (2, 9, 9, 2)))

    # Laid over everything that it reaches, then cut or filled up with zeros.
    whole = np.zeros((2, 60, 60, 3))
    for row in range(9):
        for column in range(9):
            laid = np.einsum("bi,hwio->bhwo", x[:, row, column], kernel)
            top, left = 10 + stride * row, 10 + stride * column
            whole[:, top : top + side, left : left + side] += laid
    wanted = whole[:, 10 + first :, 10 + first :][:, :length, :length]
    found = convolve_transposed(x, kernel, stride, first, (length, length))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_outputs_may_begin_before_what_inputs_reach_and_end_behind_it():
    x, kernel = jnp.ones((1, 2, 2, 1)), jnp.ones((1, 1, 1, 1))
    found = convolve_transposed(x, kernel, 1, -2, (5, 4))[0, ..., 0]
    assert found.tolist() == [[0] * 4, [0] * 4, [0, 0, 1, 1], [0, 0, 1, 1], [0] * 4]


def test_its_gradients_are_those_of_xla():
    keys = jax.random.split(jax.random.key(1), 2)
    kernel = jax.random.normal(keys[0], (5, 5, 3, 2))
    x = jax.random.normal(keys[1], (9, 6, 6, 3))

    def ours(x, kernel):
        return jnp.sum(jnp.sin(convolve_transposed(x, kernel, 2, 0, (15, 15))))

    def theirs(x, kernel):
        y = lax.conv_transpose(
            x,
            kernel[::-1, ::-1],
            (2, 2),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jnp.sum(jnp.sin(y))

    for found, wanted in zip(
        jax.jit(jax.grad(ours, (0, 1)))(x, kernel),
        jax.jit(jax.grad(theirs, (0, 1)))(x, kernel),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-3)
