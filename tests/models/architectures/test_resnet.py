from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.models.architectures.resnet import BasicBlock, ResNet, cifar_resnet
from jinv.models.listing import batchnorm_names
from jinv.models.operations.taps import TAPS
from jinv.models.zoo import classifier_spec


def test_batchnorm_layers_come_in_the_order_of_the_forward_pass():
    spec = classifier_spec("cifar10_resnet110")
    names = batchnorm_names(spec.make_module(), spec)
    assert len(names) == 109 and names[0] == "bn1"
    assert names.index("layer1.2.bn1") < names.index("layer1.10.bn1")


def test_a_padding_shortcut_subsamples_and_adds_zero_channels():
    block = BasicBlock(6, stride=2, shortcut="padding")
    x = jnp.abs(jax.random.normal(jax.random.key(0), (2, 8, 8, 2)))
    variables = jax.jit(block.init)(jax.random.key(1), x)
    silent = jax.tree.map(jnp.zeros_like, variables["params"])
    out = jax.jit(block.apply)({**variables, "params": silent}, x)
    np.testing.assert_array_equal(out[..., 2:4], x[:, ::2, ::2])
    assert not out[..., :2].any() and not out[..., 4:].any()


def test_depths_other_than_6n_plus_2_are_refused():
    with pytest.raises(ValueError, match="6n"):
        cifar_resnet(21)


def test_rematerialisation_changes_nothing_but_memory(tiny):
    again = ResNet((1, 1), (4, 8), 6, stem="cifar", remat=True)
    x = jax.random.normal(jax.random.key(0), (3, 8, 8, 3))

    def outcome(module):
        def loss(x):
            logits, seen = module.apply(tiny.variables, x, mutable=[TAPS])
            return jnp.sum(logits**2) + sum(map(jnp.sum, jax.tree.leaves(seen)))

        return jax.jit(jax.value_and_grad(loss))(x)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        outcome(again),
        outcome(tiny.module),
    )


def test_bfloat16_keeps_logits_and_taps_in_float32(tiny):
    fast = ResNet((1, 1), (4, 8), 6, stem="cifar", dtype=jnp.bfloat16)
    x = jax.random.normal(jax.random.key(0), (3, 8, 8, 3))
    logits, seen = jax.jit(partial(fast.apply, mutable=[TAPS]))(tiny.variables, x)
    assert {leaf.dtype for leaf in jax.tree.leaves((logits, seen))} == {
        np.dtype(np.float32)
    }
    exact = jax.jit(tiny.module.apply)(tiny.variables, x)
    np.testing.assert_allclose(logits, exact, atol=0.05 * float(jnp.abs(exact).max()))
