"""Objectives of priors, as lessons take them.

Each is a function (…, trained, frozen, state, batch, key) → (loss, (state,
measurements)); see `jinv.engine.lesson`.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jinv import losses
from jinv.priors.denoiser import apply_denoiser
from jinv.priors.experts import directions, experts
from jinv.priors.form import Form
from jinv.priors.map_step import map_step

ObjectiveValue = tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]


def score_matching(
    form: Form, trained: Any, frozen: Any, state: Any, whitened: Any, key: jax.Array
) -> ObjectiveValue:
    """Mean objective of score matching, in whitened space."""
    del key
    alphas = jax.nn.softplus(trained["alphas"])
    if form.layout == "separable":
        spatial, across = (
            directions(trained, frozen, name) for name in ("spatial", "across")
        )
        seen = jnp.einsum("nsk,ks->nk", whitened @ across.T, spatial)
        gram = (spatial @ spatial.T) * (across @ across.T)
    else:
        filters = directions(trained, frozen, "whole")
        seen, gram = whitened @ filters.T, filters @ filters.T
    found = losses.score_matching(seen, alphas, gram, form.expert)
    return jnp.mean(found), (state, {})


def denoising(
    form: Form,
    sigma: float,
    trained: Any,
    frozen: Any,
    state: Any,
    patches: jax.Array,
    key: jax.Array,
) -> ObjectiveValue:
    """Mean objective of denoising score matching, in the space of the patches."""
    variables = experts(form, trained, frozen)
    if form.layout == "separable":
        filters = jnp.einsum(
            "khw,kc->khwc", variables["spatial"], variables["across"]
        ).reshape(len(variables["alphas"]), -1)
    else:
        filters = variables["filters"].reshape(len(variables["alphas"]), -1)
    clean = patches.reshape(len(patches), -1)
    noise = jax.random.normal(key, clean.shape)
    seen = (clean + sigma * noise) @ filters.T - variables["offsets"][None]
    scores = losses.score(seen, variables["alphas"], filters, form.expert)
    found = losses.denoising_score_matching(scores, noise, sigma)
    return jnp.mean(found), (state, {})


def unrolled(
    form: Form,
    sigma: float,
    trained: Any,
    frozen: Any,
    state: Any,
    crops: jax.Array,
    key: jax.Array,
) -> ObjectiveValue:
    """Half the mean squared error of denoised crops, in squares of the noise.

    The gradient passes through all steps of the denoiser, as of Chen, Ranftl & Pock
    2014, "Insights into Analysis Operator Learning", who follow it at the minimum.
    """
    variables = experts(form, trained, frozen)
    noisy = crops + sigma * jax.random.normal(key, crops.shape)
    weight, rates = jnp.exp(trained["weight"]), jnp.exp(trained["rates"])

    @jax.checkpoint
    def step(image: jax.Array, rate: jax.Array) -> jax.Array:
        return map_step(form, variables, image, noisy, weight, rate)

    image = noisy
    for rate in rates:
        image = step(image, rate)
    return _error(image, crops, sigma, state)


def denoised(
    trained: Any, frozen: Any, state: Any, crops: jax.Array, key: jax.Array
) -> ObjectiveValue:
    """Half the mean squared error of a denoising network, in squares of the noise."""
    centre, scale = (frozen[name][None, None, None] for name in ("centre", "scale"))
    clean, sigma = (crops - centre) * scale, frozen["sigma"]
    noisy = clean + sigma * jax.random.normal(key, clean.shape)
    return _error(apply_denoiser(trained, noisy), clean, sigma, state)


def _error(
    found: jax.Array, clean: jax.Array, sigma: jax.Array | float, state: Any
) -> ObjectiveValue:
    error = jnp.mean(jnp.square(found - clean))
    measured = {"psnr": -10 * jnp.log10(error)}
    return error / (2 * jnp.square(sigma)), (state, measured)
