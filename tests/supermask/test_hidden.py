from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jinv.errors import ConfigError
from jinv.models.listing import init_shapes, kernel_names
from jinv.models.weights.state_dict import kernel_from_torch
from jinv.models.zoo import classifier_spec
from jinv.supermask.hidden import Supermask, hide

NAMES = ("conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "fc")


def params_of(network, key=None):
    parts = network.trainable
    follow = jax.jit(lambda trained, frozen: parts.params(trained, frozen, key))
    return follow(parts.trained, parts.frozen)


def test_every_layer_keeps_its_share_of_the_frozen_weights(tiny):
    network = hide(tiny.spec, Supermask(keep_fraction=0.3))
    params = params_of(network)
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_equal(ours.shape, theirs.shape),
        params,
        tiny.variables["params"],
    )
    drawn = network.frozen.draw()
    kernels = {
        ".".join(path[:-1]): value
        for path, value in flatten_dict(params).items()
        if path[-1] == "kernel"
    }
    masks = network.masks(network.trainable.trained)
    assert set(masks) == set(drawn)
    for name, mask in masks.items():
        assert mask.sum() == -(-3 * mask.size // 10)
        expected = kernel_from_torch(drawn[name] * mask)
        np.testing.assert_array_equal(kernels[name], expected)


def test_layers_have_fractions_of_their_own():
    config = Supermask(0.5, ("layer1.*=0.2", "layer1.0.conv2=0.7"), last_dense=True)
    assert list(config.fractions(NAMES).values()) == [0.5, 0.2, 0.7, 0.5, 1.0]
    assert replace(config, first_dense=True).fractions(NAMES)["conv1"] == 1.0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Supermask(layers=("conv1=0",)), "keep_fraction of conv1"),
        (Supermask(layers=("conv1=30",)), "the fraction of weights kept, not 30"),
        (Supermask(layers=("conv9=0.1",)), "fits no layer; there are conv1"),
        (Supermask(layers=("conv1=half",)), "no PATTERN=FRACTION"),
        (Supermask(layers=("conv1",)), "no PATTERN=FRACTION"),
        (Supermask(1.0), "nothing to search"),
    ],
)
def test_fractions_that_are_none_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        config.fractions(NAMES)


def test_an_unknown_way_to_draw_weights_is_refused():
    with pytest.raises(ConfigError, match="signed-constant"):
        Supermask(weight_init="ones")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("affine", [False, True])
def test_batchnorm_learns_its_scale_only_if_it_is_told_to(tiny, affine):
    network = hide(tiny.spec, Supermask(affine=affine))
    parts = network.trainable

    def loss(trained):
        params = parts.params(trained, parts.frozen, None)
        inputs = jax.random.normal(jax.random.key(0), (2, 8, 8, 3))
        return jnp.sum(tiny.logits({**tiny.variables, "params": params}, inputs) ** 2)

    gradients = jax.jit(jax.grad(loss))(parts.trained)
    assert all(np.any(x["kernel"] != 0) for x in gradients["scores"].values())
    assert ("bn1" in gradients["affine"]) == affine
    if affine:
        assert np.any(gradients["affine"]["bn1"]["scale"] != 0)
        assert "fc" not in gradients["affine"]  # its bias stays 0


def test_sampled_masks_change_with_the_key_and_settle_without(tiny):
    network = hide(tiny.spec, Supermask(sampled=True))
    first, second = (params_of(network, jax.random.key(seed)) for seed in (0, 1))
    assert np.any(first["conv1"]["kernel"] != second["conv1"]["kernel"])
    settled = params_of(network)
    trained = network.trainable.trained
    for name, mask in network.masks(trained).items():
        kept = np.sum(trained["scores"][name]["kernel"] > 0)
        assert mask.sum() == kept
    np.testing.assert_array_equal(
        settled["conv1"]["kernel"] != 0, trained["scores"]["conv1"]["kernel"] > 0
    )


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v2", "inception_v3"])
def test_architectures_of_every_kind_can_be_masked(name):
    spec = classifier_spec(name)
    module = spec.make_module()
    params = flatten_dict(init_shapes(module, spec)["params"])
    kernels = [".".join(path[:-1]) for path in params if path[-1] == "kernel"]
    assert sorted(kernel_names(module, spec)) == sorted(kernels)


def test_parameters_that_are_no_kernels_are_refused(tiny):
    class Embedding(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            slope = self.param("slope", nn.initializers.ones, (3,))
            return nn.Dense(6)(jnp.mean(x * slope[None, None, None], (1, 2)))

    spec = replace(tiny.spec, build=lambda **_: Embedding())
    with pytest.raises(ConfigError, match="parameter slope: expected kernels"):
        hide(spec, Supermask())
