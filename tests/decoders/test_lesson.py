from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jinv.decoders.config import DecoderConfig
from jinv.decoders.crops import batches_of, laid_out, middles
from jinv.decoders.design import design_decoder
from jinv.decoders.lesson import decoder_lesson, decoder_losses, station_scales
from jinv.engine.lesson import Learner
from jinv.engine.placement import make_placement

BETWEEN = {"stacked": 0.7, "joint": 0.7, "end": None}
"""Regimes, and the weights of the stations between that are given."""
REGIMES = tuple(BETWEEN)
CONFIG = DecoderConfig(
    steps=1, batch_size=4, width=0.5, w_features=0.3, lr=0.01
).whole()


@pytest.fixture(scope="module")
def design(tiny):
    found = design_decoder(tiny, "stage2", CONFIG)
    assert found.names == ("image", "middle1", "res1", "middle2")
    return found


@pytest.fixture(scope="module")
def images(stripes):
    return list(stripes[0].images[:8])


@pytest.fixture(scope="module")
def scales(design, images):
    return station_scales(design, middles(images, 8))


def lesson_of(design, images, scales, regime):
    config = replace(CONFIG, regime=regime, w_between=BETWEEN[regime]).whole()
    return decoder_lesson(design, laid_out(images), scales, config, 8)


def test_regimes_have_equal_parameters(design, images, scales):
    lessons = [lesson_of(design, images, scales, regime=r) for r in REGIMES]
    for other in lessons[1:]:
        jax.tree.map(np.testing.assert_array_equal, lessons[0].trained, other.trained)


def formula(design, params, inputs, scales, regime):
    """The loss as it is written down, by the modules alone."""
    network = design.classifier
    names, sizes = ("image", "middle1", "res1", "middle2"), (8, 8, 8, 4, 4)
    features = network.features(network.variables, inputs)
    true = [inputs, *(features[name] for name in (*names[1:], "stage2"))]
    true = [x / s for x, s in zip(true, scales, strict=True)]
    loss, x = 0.0, true[4]
    for at in (3, 2, 1, 0):
        fed = true[at + 1] if regime == "stacked" else x
        module, size = design.modules[at], (sizes[at],) * 2
        x = module.apply({"params": params[names[at]]}, fed, size)
        error = jnp.mean((x - true[at]) ** 2)
        loss += error if at == 0 else 0.7 * error * (regime != "end")
    seen = network.features(network.variables, x)["stage2"] / scales[4]
    return loss + 0.3 * jnp.mean((seen - true[4]) ** 2)


@pytest.mark.parametrize("regime", REGIMES)
def test_a_step_descends_the_formula(design, images, scales, regime):
    lesson = lesson_of(design, images, scales, regime=regime)
    learner = Learner(lesson, make_placement("jit", 1, 4))
    (batch,) = batches_of(8, 4, 0, 0, 1)
    learnt, measured = learner.step(learner.begin(), batch, 0)
    # Photographs as small as a crop have one crop only.
    inputs = design.classifier.normalise(np.stack([images[n] for n in batch[0]]))
    params = lesson.trained
    loss, gradient = jax.jit(
        jax.value_and_grad(lambda p: formula(design, p, inputs, scales, regime))
    )(params)
    np.testing.assert_allclose(measured["loss"], loss, rtol=1e-4)
    adam = optax.adam(0.01)
    updates, _ = adam.update(gradient, adam.init(params), params)
    wanted = optax.apply_updates(params, updates)
    # Adam's first step is a sign; of what hardly moves, rounding decides that.
    close = jax.tree.map(
        lambda a, b, g: np.mean((np.abs(a - b) < 1e-4) | (np.abs(g) < 1e-4)),
        learnt.trained, wanted, gradient,
    )  # fmt: skip
    assert min(jax.tree.leaves(close)) > 0.98


def test_joint_modules_see_what_the_one_before_makes_and_stacked_ones_do_not(
    design, images, scales
):
    inputs = design.classifier.normalise(np.stack(images[:2]))
    params = design.init(0, 8)
    sizes, variables = design.sizes((8, 8)), design.classifier.variables
    broken = {**params, "middle2": jax.tree.map(jnp.zeros_like, params["middle2"])}

    def errors(regime, params):
        config = replace(CONFIG, regime=regime)
        return decoder_losses(design, config, sizes, params, variables, scales, inputs)

    for regime, heard in (("stacked", False), ("joint", True), ("end", True)):
        whole, without = errors(regime, params), errors(regime, broken)
        assert whole["middle2"] != without["middle2"]
        for name in ("res1", "middle1", "image", "features"):
            assert (whole[name] != without[name]) == heard, (regime, name)


def test_scales_are_the_sizes_of_what_stations_say(design, images, scales, tiny):
    inputs = tiny.normalise(np.stack(images))
    seen = tiny.features(tiny.variables, inputs)
    assert scales[0] == 1
    for scale, name in zip(
        scales[1:], ("middle1", "res1", "middle2", "stage2"), strict=True
    ):
        np.testing.assert_allclose(scale, np.sqrt(np.mean(seen[name] ** 2)), rtol=1e-4)
