"""Linen classifiers that jinv did not write."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv import tap
from jinv.engine.execution import Execution
from jinv.errors import ConfigError, JinvWarning


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


def initial(module, shape, **options):
    """Variables of a module, computed in one program."""
    init = jax.jit(partial(module.init, **options))
    return init(jax.random.key(0), np.zeros(shape, np.float32))


def wrap(channels=3, **normalisation):
    module = Example(3)
    return jinv.wrap_classifier(
        module,
        initial(module, (1, 8, 8, channels), train=False),
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
    logits, taps, _ = wrapped.respond(wrapped.variables, x)
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


class Tutorial(nn.Module):
    """As every tutorial has it: it flattens what it has seen, and takes one size."""

    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(3)(x.reshape(len(x), -1))


class Channels(nn.Module):
    """BatchNorm over an axis that is not the last."""

    @nn.compact
    def __call__(self, x):
        x = jnp.moveaxis(nn.Conv(8, (3, 3))(x), -1, 1)
        x = nn.BatchNorm(use_running_average=True, axis=1)(x)
        return nn.Dense(3)(nn.relu(x).mean((2, 3)))


class Silent(nn.Module):
    """A layer with statistics of its own kind."""

    @nn.compact
    def __call__(self, x):
        mean = self.variable("batch_stats", "mean", jnp.zeros, (3,))
        var = self.variable("batch_stats", "var", jnp.ones, (3,))
        mean, var = (leaf.value[None, None, None] for leaf in (mean, var))
        return nn.Dense(3)(((x - mean) / jnp.sqrt(var)).mean((1, 2)))


class Dropping(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic=False):
        return nn.Dense(3)(nn.Dropout(0.5)(x.mean((1, 2)), deterministic))


class Odd(nn.Module):
    """Puts out something else than logits."""

    form: str

    @nn.compact
    def __call__(self, x):
        logits = nn.Dense(3)(x.mean((1, 2)))
        return {"logits": logits} if self.form == "dict" else (logits, x)


def bring(module, variables=None, **facts):
    """Wrap a module of three classes for 8x8 images."""
    example = jnp.zeros((1, 8, 8, 3))
    if variables is None:
        inference = facts.get("inference", {})
        keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
        variables = jax.jit(partial(module.init, **inference))(keys, example)
    usual = dict(
        name="mine", classes="abc", input_size=8, mean=[0.5] * 3, std=[0.25] * 3
    )
    usual["classes"] = ["a", "b", "c"]
    return jinv.wrap_classifier(module, variables, **{**usual, **facts})


def test_a_network_that_takes_one_size_is_inverted_at_that_size():
    mine = bring(Tutorial())
    assert mine.takes(8) and not mine.takes(4)
    job = jinv.make_job(mine, "a", 2, preset="default", w_bn=0.0, steps=(2,))
    assert job.method.resolutions == () and job.method.steps == (2,)
    result = jinv.invert(
        mine, "a", 2, w_bn=0.0, steps=(2,), execution=Execution(devices=1)
    )
    assert result.images.shape == (2, 8, 8, 3)
    with pytest.raises(ConfigError, match="mine takes no inputs of 4x4 pixels"):
        jinv.make_job(mine, "a", 2, w_bn=0.0, steps=(2,), resolutions=(4, 8))


def test_moments_are_those_of_the_channels_wherever_they_lie():
    mine = bring(Channels())
    x = jax.random.normal(jax.random.key(1), (5, 8, 8, 3))
    taps = mine.respond(mine.variables, x).taps
    first = nn.Conv(8, (3, 3)).apply({"params": mine.variables["params"]["Conv_0"]}, x)
    (moments,) = taps.values()
    np.testing.assert_allclose(moments.mean, first.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(moments.var, first.var((0, 1, 2)), rtol=1e-4)


def test_statistics_that_cannot_be_heard_are_said():
    with pytest.warns(JinvWarning, match="the statistics of 1 layer"):
        mine = bring(Silent())
    assert not mine.spec.batch_norm and mine.running_moments(mine.variables) == {}


def test_its_size_may_be_given_as_height_and_width():
    assert bring(Tutorial(), input_size=(8, 8)).spec.input_size == 8


EXAMPLE = initial(Example(3), (1, 8, 8, 3), train=False)


class Net:
    """Stands for a module of another library."""


def of_library(home):
    return type("Net", (Net,), {"__module__": home})()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: bring(Example(3), EXAMPLE), "inference={'train': False}"),
        (
            lambda: bring(Example(3), EXAMPLE["params"], inference={"train": False}),
            "variables has no params, but .*: expected {'params'",
        ),
        (
            lambda: bring(
                Example(3), {"params": EXAMPLE["params"]}, inference={"train": False}
            ),
            "variables has no batch_stats",
        ),
        (lambda: bring(Dropping()), "draws random numbers .* {'deterministic': True}"),
        (lambda: bring(Odd("dict")), "puts out a dict, but expected were logits"),
        (lambda: bring(Odd("tuple")), "puts out a tuple"),
        (lambda: bring(Tutorial(), classes=3), "expected their names"),
        (lambda: bring(Tutorial(), classes="a,b,c"), "expected their names"),
        (lambda: bring(Tutorial(), classes=["a", "b"]), "but 2 classes were named"),
        (lambda: bring(Tutorial(), input_size=(8, 9)), "expected one number, the heig"),
        (lambda: bring(Tutorial(), input_size="8"), "input_size: expected a whole"),
        (lambda: bring(Tutorial(), mean=None), "expected mean= and std="),
        (lambda: bring(Tutorial(), std=None), "expected mean= and std="),
        (lambda: bring(Tutorial(), mean=[128] * 3), "divide them by 255"),
        (lambda: bring(Tutorial(), std=[0] * 3), "numbers over 0 to 1"),
        (
            lambda: bring(Tutorial(), initial(Tutorial(), (1, 6, 6, 3))),
            "cannot be called with inputs .* check input_size",
        ),
        (lambda: bring(Tutorial, {"params": {}}), "the class Tutorial: make one"),
        (lambda: bring(of_library("torch.nn"), {}), "module of torch: save its state"),
        (lambda: bring(of_library("equinox.nn"), {}), "module of equinox: write its"),
        (lambda: bring(of_library("flax.nnx.nn"), {}), "an NNX module: wrap it"),
        (lambda: bring(lambda x: x, {}), "expected a flax.linen.Module, found <fun"),
        (lambda: bring(Tutorial(), [1, 2]), "variables: expected a mapping by text"),
        (lambda: bring(Tutorial(), name=3), "name: expected text, found 3"),
        (lambda: bring(Tutorial(), size=8), "unexpected keyword argument 'size'"),
    ],
)
def test_natural_mistakes_get_one_line(mistake, message):
    with pytest.raises(ConfigError, match=message) as error:
        mistake()
    assert "\n" not in str(error.value)
