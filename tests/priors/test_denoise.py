"""Removing noise: by a prior, and by total variation."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.errors import ConfigError, DataError
from jinv.losses import total_variation
from jinv.priors.energy import score
from jinv.priors.form import Form, Subject
from jinv.priors.map_step import _mirrored
from jinv.priors.prior import Prior
from jinv.priors.removal import (
    STEPS,
    PriorRemoval,
    VariationRemoval,
    cleaned,
    prior_removal,
    steepness,
)

RNG = np.random.default_rng(0)
SIGMA = 0.1


def prior_of(filters, expert="student-t", alphas=None, card=None, **others):
    count, height, width, channels = filters.shape
    variables = {
        "filters": filters.astype(np.float32),
        "offsets": np.zeros(count, np.float32),
        "alphas": np.ones(count, np.float32) if alphas is None else alphas,
        "mean": np.zeros((), np.float32),
        "deviation": np.ones((), np.float32),
    }
    form = Form(Subject(channels), height, width, expert=expert, **others)
    return Prior(form, variables, card or {})


@pytest.fixture(scope="module")
def edges():
    """A field of experts that expects neighbours to be alike."""
    filters = np.zeros((2, 2, 2, 1))
    filters[0, 0, 0], filters[0, 0, 1] = -40, 40
    filters[1, 0, 0], filters[1, 1, 0] = -40, 40
    return prior_of(filters)


@pytest.fixture(scope="module")
def smooth():
    """A smooth image with one edge, and what noise makes of it."""
    rows, columns = np.mgrid[:24, :30] / 30
    clean = 0.3 + 0.2 * rows + 0.3 * (columns > 0.5)
    clean = clean[..., None].astype(np.float32)
    return clean, clean + SIGMA * RNG.normal(size=clean.shape).astype(np.float32)


def psnr(image, clean):
    return -10 * np.log10(np.mean(np.square(image - clean)))


def objective(prior, image, noisy, weight):
    seen = _mirrored(prior.form, image)
    kernel = jnp.asarray(prior.variables["filters"])
    found = jax.lax.conv_general_dilated(
        seen, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "OHWI", "NHWC")
    )
    energy = jnp.log1p(jnp.square(found) / 2).sum()
    return jnp.sum(jnp.square(image - noisy)) / 2 + weight * energy


def test_a_prior_removes_noise_and_every_step_may_be_looked_at(edges, smooth):
    clean, noisy = smooth
    removal = prior_removal(edges, SIGMA, weight=0.4)
    assert removal.steps == STEPS
    found = [np.asarray(image[0]) for image in removal.iterates(noisy[None])]
    assert len(found) == STEPS
    assert psnr(found[-1], clean) > psnr(noisy, clean) + 5
    (once,) = jinv.denoise([noisy], edges, sigma=255 * SIGMA, weight=0.4)
    np.testing.assert_allclose(once, found[-1], atol=1e-6)
    falls = [
        objective(edges, image[None], noisy[None], 0.4 * SIGMA**2)
        for image in (noisy, found[9], found[-1])
    ]
    assert falls[0] > falls[1] > falls[2]
    # There is nothing left to find.
    longer = cleaned(prior_removal(edges, SIGMA, 0.4, 4 * STEPS), noisy)
    assert np.abs(longer - found[-1]).mean() < 1e-3


def test_steps_are_as_long_as_is_safe(smooth):
    filters = RNG.normal(size=(6, 3, 3, 3)) * 30
    prior = prior_of(filters, "logistic")
    # The curvature at 0, where experts curve most, by power iteration.
    image = jnp.asarray(RNG.normal(size=(1, 20, 20, 3)), jnp.float32)

    @jax.jit
    def curved(direction):
        pulled = jax.jvp(
            lambda x: score(prior.form, prior.variables, x),
            (jnp.zeros_like(direction),),
            (direction,),
        )[1]
        return -pulled, jnp.linalg.norm(pulled)

    for _ in range(40):
        image, size = curved(image)
        image = image / size
    bound = steepness(prior.form, prior.variables)
    assert 0.75 * bound < size <= bound
    noisy = np.repeat(smooth[1], 3, -1)[None]
    *_, last = PriorRemoval(prior, SIGMA, 50.0, 100).iterates(noisy)
    assert np.isfinite(last).all() and np.std(last) < np.std(noisy)


def test_a_prior_that_has_learnt_its_steps_makes_them(edges, smooth):
    card = {"denoising": {"sigma": 0.05, "weight": 0.001, "rates": [0.3, 0.2]}}
    learnt = Prior(edges.form, edges.variables, card)
    removal = prior_removal(learnt, 0.05)
    assert (removal.weight, removal.rates) == (pytest.approx(0.4), (0.3, 0.2))
    noisy = smooth[1][None]
    image = noisy
    for rate in (0.3, 0.2):
        pulled = jax.grad(
            lambda x, image=image: jnp.vdot(
                _mirrored(edges.form, x),
                score(edges.form, edges.variables, _mirrored(edges.form, image)),
            )
        )(image)
        image = image - rate * (image - noisy - 0.4 * 0.05**2 * pulled)
    *_, found = removal.iterates(noisy)
    np.testing.assert_allclose(found, image, atol=1e-5)
    # Twice the noise in twice the image is the same noise.
    *_, twice = prior_removal(learnt, 0.1).iterates(0.5 + 2 * (noisy - 0.5))
    np.testing.assert_allclose(twice, 0.5 + 2 * (found - 0.5), atol=1e-5)
    assert prior_removal(learnt, 0.1, steps=7).rates == ()
    assert prior_removal(learnt, 0.1, weight=1.0).rates == ()


@pytest.mark.parametrize(
    "told",
    [
        3,
        {"rates": [0.3]},
        {"rates": [0.3], "weight": 1.0, "sigma": 0.0},
        {"rates": ["fast"], "weight": 1.0, "sigma": 0.1},
    ],
)
def test_a_card_that_makes_no_sense_is_refused(edges, told):
    strange = Prior(edges.form, edges.variables, {"denoising": told})
    with pytest.raises(ConfigError, match="does not tell how it removes noise"):
        prior_removal(strange, 0.1)
    assert prior_removal(strange, 0.1, weight=0.1).rates == ()  # as it advises
    assert prior_removal(edges, 0.1).rates == ()


def test_without_a_prior_the_own_one_removes_noise_of_any_deviation():
    clean = jinv.dead_leaves(2, 48)[..., :1].astype(np.float32) / 255
    for sigma, better in ((10, 2), (25, 5), (50, 8)):
        noisy = clean + sigma / 255 * RNG.normal(size=clean.shape).astype(np.float32)
        found = jinv.denoise(noisy, sigma=sigma)
        for before, image, wanted in zip(noisy, found, clean, strict=True):
            assert psnr(image, wanted) > psnr(before, wanted) + better


def test_a_grey_prior_sees_each_channel_of_colours_by_itself(edges):
    colours = RNG.uniform(size=(7, 9, 3)).astype(np.float32)
    (found,) = jinv.denoise([colours], edges, steps=3)
    apart = [jinv.denoise([colours[..., [c]]], edges, steps=3)[0] for c in range(3)]
    np.testing.assert_allclose(found, np.concatenate(apart, -1), atol=1e-6)


def test_total_variation_finds_its_minimum(smooth):
    clean, noisy = smooth
    found = cleaned(VariationRemoval(SIGMA, 1.0, 300), noisy)
    assert psnr(found, clean) > psnr(noisy, clean) + 5

    def loss(x):
        return (
            jnp.sum(jnp.square(x - noisy)) / 2
            + SIGMA * total_variation(x[None], beta=1).sum()
        )

    best = loss(jnp.asarray(found))
    for step in (0.01, 0.001):
        for _ in range(3):
            other = found + step * RNG.normal(size=found.shape).astype(np.float32)
            assert best < loss(other)
        for blend in (clean, noisy, np.full_like(clean, noisy.mean())):
            assert best <= loss((1 - step) * found + step * blend) + 1e-5


def test_what_is_asked_wrongly_is_refused(edges, smooth):
    noisy = smooth[1]
    with pytest.raises(ConfigError, match="found both"):
        jinv.denoise([noisy], edges, tv=1.0)
    colours = replace(edges, form=replace(edges.form, subject=Subject(3)))
    with pytest.raises(ConfigError, match="of RGB images, and image 0 are grey"):
        jinv.denoise([noisy], colours)
    for strange in (noisy, [noisy[..., 0]], [], 3, [noisy.astype(int)]):
        with pytest.raises(DataError, match="expected"):
            jinv.denoise(strange, tv=1.0)
