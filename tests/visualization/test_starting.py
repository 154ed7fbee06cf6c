from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.engine.phase import Context, Split
from jinv.inversion.request import START
from jinv.visualization.starting import octave_sizes, started_image

KEY, INDEX = jax.random.key(0), jnp.arange(2)
STARTS = jax.random.uniform(jax.random.key(1), (2, 12, 8, 3), minval=0.1, maxval=0.9)
KINDS = ("fourier", "pixels")


def context(starts):
    return Context({}, {START: starts}, INDEX, KEY, lambda tree: tree)


def shown(classifier, image, params, starts):
    return classifier.denormalise(image.render(params, context(starts)))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_added_is_the_photograph(tiny, kind):
    image = started_image(tiny, (12, 8), kind, scale=0.0)
    params = image.init(KEY, INDEX)
    found = shown(tiny, image, params, STARTS)
    np.testing.assert_allclose(found, STARTS, atol=1e-5)
    half = started_image(tiny, (6, 4), kind, scale=0.0)
    found = shown(tiny, half, half.init(KEY, INDEX), STARTS)
    small = jax.image.resize(STARTS, (2, 6, 4, 3), "linear")
    np.testing.assert_allclose(found, small, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_rendered_can_be_shown(tiny, kind):
    image = started_image(tiny, (12, 8), kind, scale=9.0)
    found = shown(tiny, image, image.init(KEY, INDEX), STARTS)
    assert found.min() > -1e-5 and found.max() < 1 + 1e-5
    extremes = jnp.round(STARTS)
    still = started_image(tiny, (12, 8), kind, scale=0.0)
    found = shown(tiny, still, still.init(KEY, INDEX), extremes)
    np.testing.assert_allclose(found, extremes, atol=0.011)


def test_pixels_that_left_what_can_be_shown_come_back(tiny):
    image = started_image(tiny, (12, 8), "pixels", scale=0.0)
    beyond = Split(jnp.full((2, 12, 8, 3), 2.0))

    def brightness(params):
        return shown(tiny, image, params, STARTS).sum()

    np.testing.assert_allclose(jax.grad(brightness)(beyond).own, 1, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_added_is_carried_to_the_next_octave(tiny, kind):
    make = partial(started_image, tiny, parametrisation=kind, scale=0.0)
    small, large = make(size=(6, 6)), make(size=(12, 12))
    starts = jnp.full((2, 12, 12, 3), 0.5)
    added = 0.2 * jnp.ones((2, 6, 6, 3)) if kind == "pixels" else None
    params = Split(added) if kind == "pixels" else small.init(KEY, INDEX)
    if kind == "fourier":
        # The mean colour alone, which looks the same at every size.
        params = Split(params.own.at[:, 0, 0].set(0.3))
    before = shown(tiny, small, params, starts)
    after = shown(tiny, large, large.carry(params), starts)
    assert abs(before - 0.5).max() > 0.01
    expected = jnp.broadcast_to(before[:, :1, :1], after.shape)
    np.testing.assert_allclose(after, expected, atol=1e-5)


def test_octaves_grow_to_the_image():
    assert octave_sizes((100, 200), 1, 1.4) == [(100, 200)]
    assert octave_sizes((768, 512), 4, 1.4)[::-1] == [
        (768, 512), (549, 366), (392, 261), (280, 187),
    ]  # fmt: skip
