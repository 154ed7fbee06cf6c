"""Experts as they are learnt: filters of unit norm in whitened space, and weights."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.priors.config import PriorConfig
from jinv.priors.form import Form
from jinv.priors.whitening import Whitening, whiten


def whitenings(
    form: Form, config: PriorConfig, patches: np.ndarray
) -> dict[str, Whitening]:
    """Find the maps that whiten patches: one, or one in space and one across."""
    drop = config.dc == "drop" or (config.dc == "auto" and not form.subject.layer)
    if form.layout != "separable":
        flat = patches.reshape(len(patches), -1)
        constant = np.ones(flat.shape[1]) if drop else None
        kept = config.components
        return {"whole": whiten(flat, config.whitening, constant, most=kept)}
    count, height, width, channels = patches.shape
    across = whiten(patches.reshape(-1, channels), config.whitening)
    lines = across(patches.reshape(-1, channels)).reshape(count, height * width, -1)
    lines = lines.swapaxes(1, 2).reshape(-1, height * width)
    constant = np.ones(height * width) if drop else None
    spatial = whiten(lines, config.whitening, constant, centred=True)
    return {"spatial": spatial, "across": across}


def initial_filters(
    config: PriorConfig, maps: Mapping[str, Whitening]
) -> dict[str, Any]:
    """Draw the filters in whitened space, and what else is trained."""
    rng = np.random.default_rng(config.seed)
    trained: dict[str, Any] = {"alphas": np.zeros(config.filters, np.float32)}
    for name, found in maps.items():
        drawn = rng.normal(size=(config.filters, len(found.matrix)))
        if config.objective == "unrolled":
            # The axes themselves, as far as they go: the cosines that others begin by.
            first = min(drawn.shape)
            drawn[:first] = np.eye(first, drawn.shape[1]) + 0.01 * drawn[:first]
        trained[name] = (drawn @ found.basis).astype(np.float32)
    if config.objective == "unrolled":
        trained["norms"] = np.zeros(config.filters, np.float32)
    return trained


def directions(trained: Any, frozen: Any, name: str) -> jax.Array:
    """Filters of unit norm in whitened space, (filters, whitened dimensions)."""
    inside = trained[name] @ frozen[name]["basis"]
    return inside / jnp.linalg.norm(inside, axis=-1, keepdims=True)


def experts(form: Form, trained: Any, frozen: Any) -> dict[str, Any]:
    """Make the arrays of a prior: filters are brought back from whitened space."""
    alphas = jax.nn.softplus(trained["alphas"])
    norms = jnp.exp(trained.get("norms", jnp.zeros_like(alphas)))[:, None]
    flat = {
        name: directions(trained, frozen, name) @ frozen[name]["matrix"]
        for name in ("whole", "spatial", "across")
        if name in trained
    }
    found: dict[str, Any] = {"alphas": alphas, **frozen.get("own", {})}
    if form.layout == "separable":
        spatial, across = norms * flat["spatial"], flat["across"]
        offsets = jnp.sum(spatial, -1) * (across @ frozen["across"]["mean"])
        shape = (len(alphas), form.height, form.width)
        found |= {"spatial": spatial.reshape(shape), "across": across}
    else:
        filters = norms * flat["whole"]
        offsets = filters @ frozen["whole"]["mean"]
        found["filters"] = filters.reshape(len(alphas), *form.patch)
    plain = {"mean": jnp.zeros(()), "deviation": jnp.ones(())}
    return found | {"offsets": offsets} | plain


def whitened(
    form: Form, maps: Mapping[str, Whitening]
) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function that whitens patches (count, height, width, channels)."""

    def whole(patches: np.ndarray) -> np.ndarray:
        return maps["whole"](patches.reshape(len(patches), -1))

    def separable(patches: np.ndarray) -> np.ndarray:
        count, *_, channels = patches.shape
        lines = maps["across"](patches.reshape(-1, channels))
        lines = lines.reshape(count, form.height * form.width, -1)
        spatial = maps["spatial"].matrix
        return np.einsum("ds,nsc->ndc", spatial, lines, optimize=True)

    return separable if form.layout == "separable" else whole
