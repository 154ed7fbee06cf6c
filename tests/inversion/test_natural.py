from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stepping import given, start

from jinv.engine.execution import Execution
from jinv.engine.phase import TEACHER
from jinv.engine.step import make_step
from jinv.errors import ConfigError
from jinv.inversion.invert import invert
from jinv.inversion.make_job import make_job
from jinv.inversion.natural import NaturalInversion
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.wrapping import wrap_classifier
from jinv.models.zoo import classifier_spec

ONE = Execution(devices=1)
SMALL = NaturalInversion(steps=4, latent=12, channels=32, jitter=1)


def images(classifier, **settings):
    job = {"batch_size": 12, "execution": ONE, "method": SMALL, **settings}
    return invert(classifier, "all", job.pop("images", 12), **job).images


def described(name):
    """A classifier of shapes only."""
    spec = classifier_spec(name)
    module = spec.make_module()
    return Classifier(spec, module, init_shapes(module, spec))


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_the_published_sizes_on_cifar10_and_a_resnet34():
    classifier = described("cifar10_resnet34")
    (phase,) = NaturalInversion().procedure(classifier).phases
    params = jax.eval_shape(phase.image.init, jax.random.key(0), jnp.arange(256))
    assert count(params.shared["generator"]) == 8_702_467
    assert count(params.shared["pyramid"]) == 947_279
    assert params.own["latent"].shape == (256, 1024)
    assert params.own["scale"].shape == (256, 1, 1, 3)


def convolve(params, x):
    y = jax.lax.conv_general_dilated(
        x,
        params["kernel"],
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + params["bias"][None, None, None]


def normalise(params, x):
    mean, var = x.mean((0, 1, 2), keepdims=True), x.var((0, 1, 2), keepdims=True)
    scale, bias = (params[name][None, None, None] for name in ("scale", "bias"))
    return (x - mean) / jnp.sqrt(var + 1e-5) * scale + bias


def double(x):
    return x.repeat(2, 1).repeat(2, 2)


def published_image(params, labels, classifier):
    """Written from the paper's formulas, for two stages and one doubling."""
    g = params.shared["generator"]["params"]
    p = params.shared["pyramid"]["params"]
    z = jnp.concatenate([params.own["latent"], jax.nn.one_hot(labels, 6)], -1)
    x = z @ g["dense"]["kernel"] + g["dense"]["bias"][None]
    x = jax.nn.leaky_relu(normalise(g["norm0"], x.reshape(len(z), 4, 4, -1)), 0.2)
    x = normalise(g["norm1"], convolve(g["conv1"], double(x)))
    x = convolve(g["colours"], jax.nn.leaky_relu(x, 0.2))
    features = classifier.features(classifier.variables, x)
    f1, f2 = map(jax.lax.stop_gradient, (features["stage1"], features["stage2"]))
    m = convolve(p["pass2"], double(f2))
    m = convolve(p["pass1"], convolve(p["mix1"], f1 + m))
    return params.own["scale"] * jnp.tanh(convolve(p["colours"], x + m))


def test_a_step_descends_the_published_objective(tiny):
    config = replace(SMALL, jitter=0, flip=0.0, w_bn=0.3, w_l2=0.1, w_tv2=0.2)
    (phase,) = config.procedure(tiny).phases
    key, labels = jax.random.key(3), jnp.arange(6)
    state = start(phase, config, 6, key)
    step = jax.jit(make_step({TEACHER: tiny}, phase))
    after, metrics = step(state, given(tiny, config, 6, key))

    def objective(params):
        x = published_image(params, labels, tiny)
        logits, taps, _ = tiny.respond(tiny.variables, x)
        cross_entropy = -jax.nn.log_softmax(logits)[jnp.arange(6), labels].mean()
        feature = sum(
            jnp.linalg.norm(taps[name].mean - old.mean)
            + jnp.linalg.norm(taps[name].var - old.var)
            for name, old in tiny.running_moments(tiny.variables).items()
        )
        differences = (
            x[:, :, 1:] - x[:, :, :-1],
            x[:, 1:] - x[:, :-1],
            x[:, 1:, 1:] - x[:, :-1, :-1],
            x[:, 1:, :-1] - x[:, :-1, 1:],
        )
        tv2 = sum(jnp.linalg.norm(d.ravel()) for d in differences)
        l2 = jnp.linalg.norm(x.ravel())
        return cross_entropy + 0.3 * feature + 0.2 * tv2 + 0.1 * l2

    loss, gradient = jax.jit(jax.value_and_grad(objective))(state.params)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    # Adam's first step is the learning rate times the gradient's sign.
    rates = {"generator": 1e-3, "pyramid": 5e-4}
    for branch, rate in rates.items():
        moved = jax.tree.map(
            jnp.subtract, after.params.shared[branch], state.params.shared[branch]
        )
        for way, slope in zip(
            jax.tree.leaves(moved),
            jax.tree.leaves(gradient.shared[branch]),
            strict=True,
        ):
            clear = jnp.abs(slope) > 1e-4
            np.testing.assert_allclose(
                jnp.where(clear, way, 0),
                jnp.where(clear, -rate * jnp.sign(slope), 0),
                atol=2e-2 * rate,
            )
    moved = after.params.own["scale"] - state.params.own["scale"]
    slope = gradient.own["scale"]
    np.testing.assert_allclose(moved, -5e-2 * jnp.sign(slope), rtol=1e-2)
    np.testing.assert_array_equal(
        after.params.own["latent"], state.params.own["latent"]
    )


@pytest.fixture(scope="module")
def whole(tiny):
    """Images of two batches."""
    return images(tiny, images=24)


def parts_of(classifier, **settings):
    """Names of what is optimised, and of the pyramid's layers."""
    (phase,) = replace(SMALL, **settings).procedure(classifier).phases
    params = jax.eval_shape(phase.image.init, jax.random.key(0), jnp.arange(4))
    pyramid = params.shared.get("pyramid", {"params": {}})["params"]
    return {*params.own, *params.shared}, set(pyramid)


def test_each_ablation_leaves_out_what_it_says(tiny):
    every, layers = parts_of(tiny)
    assert every == {"latent", "scale", "generator", "pyramid"}
    assert layers == {"pass2", "mix1", "pass1", "colours"}
    assert parts_of(tiny, pyramid=False) == (every - {"pyramid"}, set())
    assert parts_of(tiny, channel_scaling=False) == (every - {"scale"}, layers)
    # The last stage's features alone, as the first of a pyramid of one.
    assert parts_of(tiny, pyramid_stages=1)[1] == {"mix1", "pass1", "colours"}


def test_without_pyramid_and_scaling_images_are_made_all_the_same(tiny):
    made = images(tiny, pyramid=False, channel_scaling=False)
    assert made.std() > 0.02


def test_one_generator_for_all_batches_goes_on_learning(tiny, whole):
    one_to_many = images(tiny, images=24, one_to_one=False)
    # The first batch cannot know whether others follow.
    np.testing.assert_allclose(whole[:12], one_to_many[:12], atol=1e-5)
    assert np.abs(whole[12:] - one_to_many[12:]).max() > 1e-3


def test_in_bfloat16_parameters_and_images_stay_float32(tiny, outline):
    half = replace(tiny, module=tiny.module.clone(dtype=jnp.bfloat16))
    ((before, after, _, images),) = outline(half, SMALL)
    assert {x.dtype for x in jax.tree.leaves(after.params)} == {np.dtype(np.float32)}
    assert jax.tree.map(lambda x: x.dtype, before) == jax.tree.map(
        lambda x: x.dtype, after
    )
    assert images.dtype == jnp.float32


def test_one_to_one_batches_differ_from_each_other(whole):
    assert np.abs(whole[:12] - whole[12:]).mean() > 0.02


@pytest.mark.parametrize("name", ["cifar10_vgg11_bn", "cifar10_wrn16_1"])
def test_the_pyramid_follows_the_classifier(name):
    classifier = described(name)
    (phase,) = NaturalInversion().procedure(classifier).phases
    params = jax.eval_shape(phase.image.init, jax.random.key(0), jnp.arange(4))
    pyramid = params.shared["pyramid"]["params"]
    kernels = [
        pyramid[f"mix{number}"]["kernel"].shape
        for number in range(1, len(classifier.stages))
    ]
    widths = [classifier.feature_shapes[name][-1] for name in classifier.stages]
    assert kernels == [(3, 3, width, width) for width in widths[:-1]]


def test_what_cannot_work_is_refused(tiny, unnormalised):
    def refuse(message, classifier=tiny, **settings):
        with pytest.raises(ConfigError, match=message):
            make_job(classifier, "all", method=replace(SMALL, **settings))

    plain = replace(unnormalised, spec=replace(unnormalised.spec, input_size=8))
    refuse("plain names no stages.*--no-pyramid", plain, w_bn=0.0)
    refuse("no BatchNorm statistics.*--w-bn 0", plain, pyramid=False)
    refuse("to read 3 stages, but tiny has 2: stage1, stage2", pyramid_stages=3)
    refuse(
        "pyramid_stages means nothing without pyramid: leave out --pyramid-stages or",
        pyramid=False,
        pyramid_stages=1,
    )
    refuse(
        "lr_scale means nothing without channel", channel_scaling=False, lr_scale=1.0
    )
    refuse("lr: expected a number over 0", lr=0.0)
    refuse("cosine ends with the first batch", one_to_one=False, schedule="cosine")
    odd = wrap_classifier(
        tiny.module,
        tiny.variables,
        name="odd",
        classes=tiny.spec.classes,
        input_size=35,
        mean=tiny.spec.mean,
        std=tiny.spec.std,
    )
    refuse(r"35 is none: take 32 or 36", odd)
