"""Linen classifiers that jinv did not write."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.engine.run import Execution
from jinv.errors import ConfigError
from jinv.models.layers import tap


class Block(nn.Module):
    """A residual block in the style of Flax's ImageNet example."""

    features: int
    conv: type
    norm: type
    strides: tuple[int, int]

    @nn.compact
    def __call__(self, x):
        y = nn.relu(self.norm()(self.conv(self.features, (3, 3), self.strides)(x)))
        y = self.norm(scale_init=nn.initializers.ones)(
            self.conv(self.features, (3, 3))(y)
        )
        if x.shape != y.shape:
            x = self.conv(self.features, (1, 1), self.strides, name="conv_proj")(x)
            x = self.norm(name="norm_proj")(x)
        return tap(self, f"block_{self.features}", nn.relu(x + y))


class Example(nn.Module):
    """BatchNorm of Flax's own, and training as the default."""

    classes: int

    @nn.compact
    def __call__(self, x, train: bool = True):
        norm = partial(nn.BatchNorm, use_running_average=not train, epsilon=1e-5)
        conv = partial(nn.Conv, use_bias=False)
        x = nn.relu(norm(name="bn_init")(conv(4, (3, 3), name="conv_init")(x)))
        for features, stride in ((4, 1), (8, 2)):
            x = Block(features, conv, norm, (stride, stride))(x)
        return nn.Dense(self.classes)(x.mean((1, 2)))


def wrap(channels=3, **normalisation):
    module = Example(3)
    example = jnp.zeros((1, 8, 8, channels))
    return jinv.wrap_classifier(
        module,
        module.init(jax.random.key(0), example, train=False),
        name="example",
        classes=["a", "b", "c"],
        input_size=8,
        inference={"train": False},
        **{"mean": [0.5] * channels, "std": [0.25] * channels, **normalisation},
    )


@pytest.fixture(scope="module")
def wrapped():
    return wrap()


def test_its_batchnorm_layers_report_their_inputs(wrapped):
    x = jax.random.normal(jax.random.key(1), (5, 8, 8, 3))
    logits, taps, _ = wrapped.observe(wrapped.variables, x)
    np.testing.assert_allclose(logits, wrapped.logits(wrapped.variables, x), rtol=1e-5)
    assert set(taps) == set(wrapped.running_moments(wrapped.variables))
    assert set(taps) == set(wrapped.batchnorm_names) and len(taps) == 6
    kernel = wrapped.variables["params"]["conv_init"]["kernel"]
    first = jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(taps["bn_init"].mean, first.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(taps["bn_init"].var, first.var((0, 1, 2)), rtol=1e-4)


def test_its_tapped_activations_can_be_asked_for(wrapped):
    assert wrapped.feature_shapes["block_8"] == (4, 4, 8)


def test_it_is_inverted(wrapped):
    result = jinv.invert(
        wrapped, "a,c", images=4, steps=(20,), execution=Execution(devices=1)
    )
    losses = [row["loss"] for row in result.log]
    assert result.images.shape == (4, 8, 8, 3) and losses[-1] < losses[0]


def test_images_may_be_grey():
    grey = wrap(1, mean=[0.5], std=[0.25])
    assert grey.spec.channels == 1
    result = jinv.invert(
        grey, "a,c", images=2, steps=(2,), execution=Execution(devices=1)
    )
    assert result.images.shape == (2, 8, 8, 1)
    with pytest.raises(ConfigError, match=r"mean has 1 value\(s\) and std 3: expected"):
        wrap(mean=[0.5], std=[0.5] * 3)
    with pytest.raises(ConfigError, match="or 1 for grey ones"):
        wrap(mean=[0.5, 0.5], std=[0.5, 0.5])


def test_another_number_of_classes_is_refused(wrapped):
    with pytest.raises(ConfigError, match=r"\(3,\) per image, but 2 classes"):
        jinv.wrap_classifier(
            wrapped.module,
            wrapped.variables,
            name="example",
            classes=["a", "b"],
            input_size=8,
            mean=[0.5] * 3,
            std=[0.25] * 3,
            inference={"train": False},
        )
