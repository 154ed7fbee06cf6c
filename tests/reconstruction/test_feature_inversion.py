from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.engine.execution import Execution
from jinv.engine.phase import TEACHER
from jinv.engine.state import give, initial_state
from jinv.engine.step import make_step
from jinv.errors import ConfigError
from jinv.inversion.request import target
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.reconstruction.presets import (
    RECONSTRUCTIONS,
    depth_of,
    find_reconstruction,
)
from jinv.reconstruction.reconstruct import make_reconstruction

KEY = jax.random.key(5)
PLAIN = FeatureInversion(
    layers=("stage1", "stage2"),
    steps=(4,),
    unit="input",
    optimizer="sgd",
    betas=(0.0, 0.0),
    lr=0.1,
)
STILL = {"steps": (200,), "rates": (1.0,), "jitters": (0,)}
ONE = Execution(devices=1, log_every=1)


@pytest.fixture(scope="module")
def photographs(stripes):
    return stripes[0].images[:3]


def stepped(network, config, photographs, images=None):
    """A step of a method's first phase: before it, after it, and what was measured."""
    job = make_reconstruction(network, photographs, config.layers, method=config)
    index = np.arange(len(photographs))
    asked = job.request.asked(index)
    phase = job.procedure.phases[0]
    params = phase.image.init(KEY, jnp.asarray(index))
    if images is not None:
        params = params._replace(own=images)
    state = initial_state(phase, params, config.numbers)
    cast = {TEACHER: network.variables}
    read = give(cast, asked, config.numbers, jnp.asarray(index), KEY, KEY)
    after, metrics = jax.jit(make_step({TEACHER: network}, phase))(state, read)
    return params.own, after.params.own, metrics


def test_a_step_descends_the_formula_for_each_image_alone(tiny, photographs):
    config = replace(PLAIN, layer_weights=(1.0, 3.0), w_features=2.0, w_tv=0.01)
    before, after, metrics = stepped(tiny, config, photographs)
    wanted = tiny.features(tiny.variables, tiny.inputs_of(photographs))

    def loss(x):
        seen = tiny.features(tiny.variables, x[None])
        far = 0.0
        for layer, weight in (("stage1", 1), ("stage2", 3)):
            for number in range(3):
                goal = wanted[layer][number]
                share = jnp.sum((seen[layer][0] - goal) ** 2) / jnp.sum(goal**2)
                far += jnp.where(number == at, weight * share, 0.0)
        down, right = jnp.diff(x, axis=0), jnp.diff(x, axis=1)
        return 2 * far + 0.01 * (jnp.sum(down**2) + jnp.sum(right**2))

    losses = []
    for at in range(3):
        value, gradient = jax.value_and_grad(loss)(before[at])
        losses.append(value)
        np.testing.assert_allclose(after[at], before[at] - 0.1 * gradient, atol=1e-5)
    np.testing.assert_allclose(metrics["loss"], np.mean(losses), rtol=1e-5)


def test_a_step_of_2015_is_that_of_its_code(tiny, photographs):
    layer = "stage2"
    config = find_reconstruction("mahendran-2015").fitted(tiny, [layer])
    x, after, _ = stepped(tiny, config, photographs[:1])
    inputs = tiny.inputs_of(photographs[:1])
    wanted = tiny.features(tiny.variables, inputs)[layer]
    std = np.asarray(tiny.spec.std, np.float32)

    def features(x):  # of levels from which the mean is subtracted
        return tiny.features(tiny.variables, x / (255 * std)[None, None, None])[layer]

    def distance(x):
        return jnp.sum((features(x) - wanted) ** 2) / jnp.sum(wanted**2)

    # λ_TV is 100 for the deepest layers; differences beyond the border are 0.
    deep = depth_of(tiny, [layer]).field >= 0.65
    assert deep and config.w_tv == 50

    def prior(x):
        down, right = jnp.diff(x, axis=1), jnp.diff(x, axis=2)
        return 100 / 2 * (jnp.sum(down**2) + jnp.sum(right**2)) + 8e-10 / 2 * jnp.sum(
            x**6
        )

    sigma = 68.9 * np.sqrt(x[0].size)
    # m is 0 before the first step.
    step = jax.grad(prior)(x) + sigma**2 * jax.grad(distance)(x)
    expected = -0.004 * np.asarray(step)
    np.testing.assert_allclose(after - x, expected, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(np.std(x), 68.9, rtol=0.1)


def test_a_step_of_2016_is_that_of_its_paper(tiny, photographs):
    layer = "stage1"
    config = find_reconstruction("mahendran-2016").fitted(tiny, [layer])
    assert config.jitters == (1, 0)
    # Without jitter, which is random.
    config = replace(config, jitters=(0, 0))
    x, after, _ = stepped(tiny, config, photographs[:1])
    wanted = tiny.features(tiny.variables, tiny.inputs_of(photographs[:1]))[layer]
    std, pixels = np.asarray(tiny.spec.std, np.float32), 64

    def objective(x):
        seen = tiny.features(tiny.variables, x / (255 * std)[None, None, None])[layer]
        far = jnp.sum((seen - wanted) ** 2) / jnp.sum(wanted**2)
        down, right = jnp.diff(x, axis=1), jnp.diff(x, axis=2)
        variation = jnp.sum(down**2) + jnp.sum(right**2)
        norm = jnp.sum(jnp.sum((x / 80) ** 2, -1) ** 3)
        return config.w_features * far + (variation / (80 / 6.5) ** 2 + norm) / pixels

    gradient = np.asarray(jax.grad(objective)(x), np.float64)
    rate = 0.05 * 80**2 / 6 * pixels
    moved = x - gradient / (1 / rate + np.abs(gradient))
    norms = np.linalg.norm(moved, axis=-1, keepdims=True)
    np.testing.assert_allclose(after, moved * np.minimum(1, 160 / norms), atol=2e-2)


def test_a_step_of_the_coursework_is_that_of_its_losses(tiny, photographs):
    layers = ["stage1", "stage2"]
    config = find_reconstruction("coursework").fitted(tiny, layers)
    x, after, _ = stepped(tiny, config, photographs[:1])
    wanted = tiny.features(tiny.variables, tiny.inputs_of(photographs[:1]))
    facts = tiny.spec.mean, tiny.spec.std
    mean, std = (np.asarray(fact, np.float32)[None, None, None] for fact in facts)

    def objective(images):  # in [0, 1]
        seen = tiny.features(tiny.variables, (images - mean) / std)
        far = sum(jnp.mean((seen[layer] - wanted[layer]) ** 2) for layer in layers)
        down, right = jnp.diff(images, axis=1), jnp.diff(images, axis=2)
        return far + (jnp.sum(down**2) + jnp.sum(right**2)) / images[0, ..., 0].size

    images = x + mean
    g = np.asarray(jax.grad(objective)(images))
    # Adam's first step: both moments are the gradient's own.
    moved = np.clip(images - 0.01 * g / (np.abs(g) + 1e-8), 0, 1)
    np.testing.assert_allclose(after + mean, moved, atol=1e-5)
    assert np.abs(after - x).mean() > 0.009


@pytest.mark.parametrize(
    "options",
    [
        {"parametrisation": "pixels", "unit": "input", "init_scale": 1.0} | STILL,
        {"parametrisation": "fourier", "lr": 0.2, "steps": (100, 100)},
    ],
)
def test_features_are_found_again(tiny, photographs, options):
    found = jinv.reconstruct(
        tiny, photographs, "stage1", w_tv=0.0, execution=ONE, **options
    )
    wanted, own = (
        found.job.request.features(images)["stage1"]
        for images in (found.targets, found.images)
    )
    # Nobody has seen the photographs, and each is found by its own features.
    apart = np.square(own[:, None] - wanted[None]).sum((2, 3, 4))
    assert apart.argmin(1).tolist() == [0, 1, 2]
    assert np.all(np.diag(apart) < 0.2 * np.square(wanted).sum((1, 2, 3)))
    assert 0 <= found.images.min() < found.images.max() <= 1


def test_images_do_not_depend_on_those_beside_them(tiny, photographs):
    def found(batch):
        # Shifts are drawn by the batch's number, too.
        options = STILL | {"steps": (5,), "batch_size": batch, "execution": ONE}
        return jinv.reconstruct(tiny, photographs, "stage2", **options).images

    np.testing.assert_allclose(found(1), found(3), atol=2e-4)


def test_phases_go_on_from_each_other_under_their_own_rates(tiny, photographs):
    options = {"parametrisation": "pixels", "execution": ONE, "jitters": (1, 0)}
    found = jinv.reconstruct(
        tiny, photographs, "stage1", steps=(30, 10), rates=(1.0, 0.1), **options
    )
    rates = [row["learning_rate"] for row in found.log]
    lr = found.job.method.lr
    assert (rates[0], round(rates[30], 6)) == (pytest.approx(lr), round(0.1 * lr, 6))
    losses = [row["loss"] for row in found.log]
    assert losses[-1] < losses[0] / 2
    assert found.images.shape == (3, 8, 8, 3)


def test_layers_above_the_deepest_are_not_computed():
    network = jinv.make_classifier(jinv.classifier_spec("alexnet_features"))

    def flops(layer):
        config = RECONSTRUCTIONS["coursework"].fitted(network, [layer])
        (phase,) = config.procedure(network).phases
        index = jnp.arange(1)
        params = jax.eval_shape(phase.image.init, KEY, index)
        state = jax.eval_shape(
            lambda p: initial_state(phase, p, config.numbers), params
        )
        shape = (1, *network.feature_shapes[layer])
        asked = {target(layer): jnp.zeros(shape)}
        cast = {TEACHER: network.variables}
        read = give(cast, asked, config.numbers, index, KEY, KEY)
        step = jax.jit(make_step({TEACHER: network}, phase))
        return step.lower(state, read).compile().cost_analysis()["flops"]

    assert flops("conv1") <= 0.15 * flops("pool5")


@pytest.mark.parametrize(
    "layers, options, message",
    [
        ("stage3", {}, r"has no layer 'stage3' \(did you mean stage"),
        ("", {}, "no layers are given"),
        ("stage1", {"steps": (3, 3), "rates": (1.0,), "jitters": (0,)}, "phases"),
        ("stage1", {"layer_weights": (1.0, 2.0)}, "2 layer_weights for 1 layer"),
        ("stage1", {"w_features": 0.0}, "every loss weight is 0"),
        ("stage1", {"preset": "mahendran"}, "did you mean mahendran-20"),
        ("stage1", {"names": ["a"]}, "1 names for 3 photographs"),
        ("stage1", {"bounds": 3}, "unknown setting 'bounds'"),
    ],
)
def test_what_cannot_be_is_refused(tiny, photographs, layers, options, message):
    with pytest.raises(ConfigError, match=message):
        make_reconstruction(tiny, photographs, layers, **options)


def test_what_is_no_photograph_is_refused(tiny):
    for given in (np.zeros((8, 8)), np.zeros((0, 8, 8, 3)), "photo.png", None):
        with pytest.raises(ConfigError, match="photographs: expected an array"):
            make_reconstruction(tiny, given, "stage1")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (np.array([-2.5, 2.5]), "float64 from -2.5 to 2.5"),  # already normalised
        (np.array([0, 255]), "int64 from 0 to 255"),
        (np.array([0.5, np.nan]), "float64 from nan to nan"),
    ],
)
def test_what_is_not_between_black_and_white_is_refused(tiny, given, found):
    given = np.broadcast_to(given[:, None, None, None], (2, 8, 8, 3))
    with pytest.raises(ConfigError, match=f"floats in .0, 1., found {found}"):
        make_reconstruction(tiny, given, "stage1")


def test_one_photograph_is_a_list_of_one(tiny, photographs):
    one, listed = (
        make_reconstruction(tiny, given, "stage1").request.describe()
        for given in (photographs[0], photographs[:1])
    )
    assert one == listed


def test_photographs_of_one_name_are_refused(tiny, photographs):
    with pytest.raises(ConfigError, match="2 photographs are called 'cat'"):
        make_reconstruction(tiny, photographs[:2], "stage1", names=["cat", "cat"])


@pytest.mark.parametrize("name", RECONSTRUCTIONS)
def test_every_preset_serves_every_depth(tiny, name, photographs):
    for layer in ("middle1", "stage2", "pooled", "logits"):
        method = RECONSTRUCTIONS[name].fitted(tiny, [layer])
        job = make_reconstruction(tiny, photographs, layer, method=method)
        assert job.procedure.phases


def test_a_network_without_positions_is_deep_throughout():
    network = jinv.make_classifier(jinv.classifier_spec("mnist_fc"))
    layer = min(network.feature_shapes)
    depth = depth_of(network, [layer])
    assert (depth.field, depth.stride) == (1.0, 1)
    assert find_reconstruction("default").fitted(network, [layer]).jitters == (1, 0)
