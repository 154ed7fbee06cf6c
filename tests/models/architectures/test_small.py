from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.models.architectures.small import SmallNet
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.loading import make_classifier
from jinv.models.weights.state_dict import to_state_dict
from jinv.models.zoo import classifier_spec

# Nine weights for each pair of channels; pooled positions times channels into the head.
PARAMETERS = {
    "cifar10_conv2": 9 * (3 * 64 + 64**2) + 256 * (16**2 * 64 + 256 + 10),
    "cifar10_conv4": 259_776 + 256 * (8**2 * 128 + 256 + 10),
    "cifar10_conv6": 1_144_512 + 256 * (4**2 * 256 + 256 + 10),
    "cifar10_conv8": 4_683_456 + 256 * (2**2 * 512 + 256 + 10),
    "cifar100_conv2": 9 * (3 * 64 + 64**2) + 256 * (16**2 * 64 + 256 + 100),
    "mnist_fc": 784 * 300 + 300 * 100 + 100 * 10,
}
INPUTS = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)


def described(name) -> Classifier:
    """A classifier of shapes only."""
    spec = classifier_spec(name)
    module = spec.make_module()
    return Classifier(spec, module, init_shapes(module, spec))


def state_of(classifier):
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape), classifier.variables)
    return to_state_dict(zeros)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_network_has_the_size_of_its_layers(name):
    classifier = described(name)
    leaves = jax.tree.leaves(classifier.variables)
    assert sum(leaf.size for leaf in leaves) == PARAMETERS[name]
    assert not classifier.spec.batch_norm and not classifier.batchnorm_names


def test_keys_are_those_of_the_published_checkpoints():
    dense = ["linear.0.weight", "linear.2.weight", "linear.4.weight"]
    state = state_of(described("cifar10_conv8"))
    positions = (0, 2, 5, 7, 10, 12, 15, 17)
    assert sorted(state) == sorted([*(f"convs.{n}.weight" for n in positions), *dense])
    assert state["convs.17.weight"].shape == (512, 512, 3, 3)
    assert state["linear.0.weight"].shape == (256, 2048)
    assert sorted(state_of(described("mnist_fc"))) == dense


def test_layers_can_be_asked_for_by_name():
    shapes = described("cifar10_conv4").feature_shapes
    assert list(shapes) == [
        "conv1_1", "conv1_2", "conv2_1", "conv2_2", "fc1", "fc2", "fc3", "logits",
        "pool1", "pool2", "stage1", "stage2",
    ]  # fmt: skip
    assert shapes["stage2"] == (16, 16, 128) and shapes["pool2"] == (8, 8, 128)
    shapes = described("mnist_fc").feature_shapes
    assert shapes == {"fc1": (300,), "fc2": (100,), "fc3": (10,), "logits": (10,)}


def test_stages_are_what_enters_the_pools():
    module = SmallNet((4,), hidden=(5,), input_size=8)
    variables = jax.jit(module.init)(jax.random.key(0), INPUTS)
    apply = jax.jit(partial(module.apply, mutable=["features"]))
    _, seen = apply(variables, INPUTS)
    found = seen["features"]
    np.testing.assert_array_equal(found["stage1"], np.maximum(found["conv1_2"], 0))
    corners = [found["stage1"][:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    np.testing.assert_array_equal(found["pool1"], np.max(corners, 0))


def test_dense_layers_see_averages_of_larger_inputs():
    module = SmallNet((), hidden=(5,), input_size=8)
    variables = jax.jit(module.init)(jax.random.key(0), INPUTS)
    expected = jax.jit(module.apply)(variables, INPUTS)
    noise = np.random.default_rng(1).normal(size=INPUTS.shape).astype(np.float32)
    larger = INPUTS.repeat(2, 1).repeat(2, 2)
    larger[:, ::2, ::2] += noise
    larger[:, 1::2, 1::2] -= noise
    found = jax.jit(module.apply)(variables, larger)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_activations_start_of_about_one_size_in_all_depths():
    spec = classifier_spec("cifar10_conv8")
    classifier = make_classifier(spec)
    x = jax.random.normal(jax.random.key(1), (4, 32, 32, 3))
    features = jax.jit(classifier.features)(classifier.variables, x)
    for name in ("conv1_1", "conv2_2", "conv4_2", "fc2", "logits"):
        # Each pool takes the largest values, and so adds a little.
        assert 1 < jnp.sqrt(jnp.mean(features[name] ** 2)) < 6


def test_bfloat16_keeps_logits_in_float32():
    exact = SmallNet((4,), hidden=(5,), input_size=8)
    variables = jax.jit(exact.init)(jax.random.key(0), INPUTS)
    fast = SmallNet((4,), hidden=(5,), input_size=8, dtype=jnp.bfloat16)
    found, expected = (jax.jit(m.apply)(variables, INPUTS) for m in (fast, exact))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())
