"""A network of one's own is trained, from what makes a call an inference alone."""

from dataclasses import replace
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.errors import ConfigError, FolderError
from jinv.models.wrapping import check_training
from jinv.transfer.population import population_statistics

CONFIG = jinv.TrainConfig(epochs=3, batch_size=32, lr=0.1, warmup_epochs=1, margin=1)


class Own(nn.Module):
    """Flax's own BatchNorm and dropout, and training as the default."""

    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.Conv(8, (3, 3), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        offset = self.variable("fixed", "offset", jnp.ones, (8,))
        x = x.mean((1, 2)) + offset.value[None]
        return nn.Dense(6)(nn.Dropout(0.2, deterministic=not train)(x))


def wrap(module=None, **options):
    module = module or Own()
    example = jnp.zeros((1, 8, 8, 3))
    arguments = options.setdefault("inference", {"train": False})
    return jinv.wrap_classifier(
        module,
        jax.jit(partial(module.init, **arguments))(jax.random.key(0), example),
        name="own",
        classes=[f"class {i}" for i in range(6)],
        input_size=8,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        **options,
    )


@pytest.fixture(scope="module")
def own():
    return wrap()


def test_it_learns(own, stripes, tmp_path):
    found = jinv.train(own, *stripes, CONFIG, tmp_path)
    assert found.achieved["test_accuracy"] > 70
    after = found.classifier.variables
    assert after["batch_stats"].keys() == own.variables["batch_stats"].keys()
    np.testing.assert_array_equal(after["fixed"]["offset"], np.ones(8))
    # What it has learnt is inverted as it is.
    assert jinv.invert(found.classifier, 1, 2, steps=(2,), company=0).images.any()


def test_other_initial_weights_are_another_training(own, stripes, tmp_path):
    jinv.train(own, *stripes, CONFIG, tmp_path)
    other = replace(own, variables=jax.tree.map(lambda x: x + 1, own.variables))
    with pytest.raises(FolderError, match="initial_weights"):
        jinv.train(other, *stripes, CONFIG, tmp_path)


def test_a_call_to_train_drops_out_and_moves_the_statistics(own):
    x = jax.random.normal(jax.random.key(1), (16, 8, 8, 3))
    keys = jax.random.split(jax.random.key(2))
    (one, new), (two, _) = (own.training(own.variables, x, key) for key in keys)
    assert not np.allclose(one, two)
    seen = own.training_moments(own.variables, x, keys[0])["BatchNorm_0"]
    left, moved = own.variables["batch_stats"]["BatchNorm_0"], new["BatchNorm_0"]
    np.testing.assert_allclose(moved["mean"], 0.1 * seen["mean"], atol=1e-6)
    kept = 0.9 * left["var"] + 0.1 * seen["var"]
    np.testing.assert_allclose(moved["var"], kept, rtol=1e-4)


def test_its_population_statistics_are_those_of_the_set(own, stripes):
    found = population_statistics(own, own.variables, stripes[0], batch_size=96)
    inputs = own.normalise(stripes[0].images)
    seen = own.respond(own.variables, jnp.asarray(inputs)).taps["BatchNorm_0"]
    moments = found["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(moments["mean"], seen.mean, atol=1e-4)
    np.testing.assert_allclose(moments["var"], seen.var, rtol=1e-3)


class Named(nn.Module):
    """Says in another way whether it is trained."""

    @nn.compact
    def __call__(self, x, deterministic: bool = False, depth: int = 1):
        x = nn.Dropout(0.5, deterministic=deterministic)(x.mean((1, 2)))
        return nn.Dense(6)(x)


def test_what_makes_a_call_an_inference_is_turned_round():
    inference = {"deterministic": True, "depth": 2}
    own = wrap(Named(), inference=inference)
    assert own.in_training == {"deterministic": False, "depth": 2}
    given = wrap(Named(), inference=inference, training={"depth": 3})
    assert given.in_training == {"depth": 3}


class Two(nn.Module):
    """Puts out something else in training."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        logits = nn.Dense(6)(x.mean((1, 2)))
        return (logits, logits) if train else logits


class Noisy(nn.Module):
    """Draws what is no dropout."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        if train:
            x += jax.random.normal(self.make_rng("noise"), x.shape)
        return nn.Dense(6)(x.mean((1, 2)))


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (Own(), {"training": {"train": False}}, "leaves its statistics as they are"),
        (Own(), {"training": {"learn": True}}, "cannot be called to train .*learn"),
        (Two(), {}, "cannot be called to train .*expected logits alone"),
        (Noisy(), {}, "cannot be called to train .*noise"),
    ],
)
def test_what_cannot_be_trained_is_refused_beforehand(
    module, options, message, stripes, tmp_path
):
    own = wrap(module, **options)
    with pytest.raises(ConfigError, match=message):
        check_training(own)
    with pytest.raises(ConfigError, match="training={'train': True}"):
        jinv.train(own, *stripes, CONFIG, tmp_path / "out")
    assert not (tmp_path / "out").exists()
