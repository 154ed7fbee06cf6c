from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from activations import X, close

from jinv.models.operations.layers import BatchNorm, Conv
from jinv.models.operations.pooling import adaptive_average


@pytest.mark.parametrize("train", [False, True])
def test_taps_are_the_moments_of_the_input(train):
    module = BatchNorm()

    @jax.jit
    def see(x):
        variables = jax.jit(module.init)(jax.random.key(0), x)
        # Fresh variables make the layer an identity, whose output has these moments
        # too.
        variables = jax.tree.map(lambda leaf: leaf + 0.5, variables)
        return module.apply(variables, x, train, mutable=["taps", "batch_stats"])

    _, seen = see(X)
    x = np.asarray(X, np.float64)
    close(seen["taps"]["mean"], x.mean((0, 1, 2)))
    close(seen["taps"]["var"], x.var((0, 1, 2)))


def test_taps_have_the_tree_of_the_statistics(tiny):
    look = partial(tiny.module.apply, mutable=["taps"])
    _, seen = jax.eval_shape(look, tiny.variables, jnp.ones((2, 8, 8, 3)))
    assert jax.tree.structure(seen["taps"]) == jax.tree.structure(
        dict(tiny.variables["batch_stats"])
    )


def test_nothing_is_tapped_unless_asked(tiny):
    look = partial(tiny.module.apply, mutable=["batch_stats"])
    _, changed = jax.eval_shape(look, tiny.variables, jnp.ones((2, 8, 8, 3)))
    assert set(changed) == {"batch_stats"}


@pytest.mark.parametrize("train", [False, True])
def test_batchnorm_is_that_of_flax(train):
    ours, theirs = BatchNorm(), nn.BatchNorm(momentum=0.9)
    keys = jax.random.split(jax.random.key(1), 4)
    params = {
        "scale": jax.random.normal(keys[0], (4,)),
        "bias": jax.random.normal(keys[1], (4,)),
    }
    statistics = {
        "mean": jax.random.normal(keys[2], (4,)),
        "var": 1 + jnp.abs(jax.random.normal(keys[3], (4,))),
    }

    def outcome(apply):
        def loss(params, x):
            variables = {"params": params, "batch_stats": statistics}
            out, new = apply(variables, x)
            return jnp.sum(jnp.sin(out)), (out, new)

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(params, X)

    found = outcome(lambda v, x: ours.apply(v, x, train, mutable=["batch_stats"]))
    expected = outcome(
        lambda v, x: theirs.apply(v, x, not train, mutable=["batch_stats"])
    )
    close(found, expected)


def test_batchnorm_keeps_its_precision_in_bfloat16():
    x = (30 + X / 3).astype(jnp.bfloat16)
    params = {"scale": jnp.linspace(0.7, 1.4, 4), "bias": jnp.ones(4)}
    statistics = {"mean": jnp.full(4, 30.5), "var": jnp.full(4, 1.1)}
    variables = {"params": params, "batch_stats": statistics}
    found = BatchNorm(dtype=jnp.bfloat16).apply(variables, x)
    expected = BatchNorm().apply(variables, x.astype(jnp.float32))
    assert found.dtype == jnp.bfloat16
    # Half a unit in the last of bfloat16's eight bits.
    np.testing.assert_allclose(found.astype(jnp.float32), expected, rtol=2**-8)


def test_same_padding_is_that_of_tensorflow():
    x = jax.random.normal(jax.random.key(5), (1, 8, 7, 2))
    layer = Conv(3, 5, stride=2, padding="same")
    variables = jax.jit(layer.init)(jax.random.key(6), x)
    theirs = nn.Conv(3, (5, 5), (2, 2), padding="SAME", use_bias=False)
    close(layer.apply(variables, x), theirs.apply(variables, x))


def test_adaptive_averages_are_those_of_pytorch():
    x = np.arange(5.0, dtype=np.float32).reshape(1, 5, 1, 1)
    found = adaptive_average(jnp.broadcast_to(x, (1, 5, 5, 1)), 3)[0, :, 0, 0]
    # Bins of rows 0-1, 1-3 and 3-4 overlap.
    np.testing.assert_allclose(found, [0.5, 2.0, 3.5])
