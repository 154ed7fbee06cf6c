"""What a learned prior makes of natural patches, and of Gaussian ones beside them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from scipy.stats import kurtosis, rankdata

from jinv.priors.energy import Variables, patch_energies, responses
from jinv.priors.form import Form

_BATCH = 500
"""Patches that are looked at together."""
_SHOWN = 6
"""Filters whose marginals are counted."""
_EDGE, _BINS = 8.0, 41
"""Marginals are counted from minus to plus so many deviations, in so many bins."""


def measure_prior(
    form: Form, variables: Variables, patches: np.ndarray, seed: int
) -> dict[str, Any]:
    """Measure a prior on natural patches.

    Args:
        form: Form of the prior, of values that have the chosen channels only.
        variables: Arrays of the prior; its energies are measured as they are.
        patches: Natural patches (count, height, width, channels) of its size.
        seed: Seed of the Gaussian patches, which have the same mean and covariance.

    Returns:
        As JSON: the `mean` and `deviation` of the energy of a natural patch; `auc`, the
        share of pairs in which the Gaussian patch has more; histograms of both; and of
        experts the excess `kurtosis` of each filter's responses (0 for a Gaussian) and
        the `marginals` of those that weigh most.
    """
    look = partial(jax.jit(patch_energies, static_argnums=0), form, variables)
    natural = _in_batches(look, patches)
    gaussian = _in_batches(look, gaussian_like(patches, seed))
    found = {
        "patches": len(patches),
        "mean": float(natural.mean()),
        "deviation": float(natural.std()),
        "auc": area_under_curve(natural, gaussian),
        "energies": _histograms(natural=natural, gaussian=gaussian),
    }
    return found | (_marginals(form, variables, patches) if form.kind != "dae" else {})


def gaussian_like(patches: np.ndarray, seed: int) -> np.ndarray:
    """Draw as many Gaussian patches of the same mean and covariance.

    Args:
        patches: Patches (count, height, width, channels).
        seed: Seed of the draw.
    """
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    mean = flat.mean(0)
    # Sums of the patches themselves, with Gaussian weights, have their covariance.
    weights = np.random.default_rng(seed).normal(size=(len(flat), len(flat)))
    drawn = weights @ (flat - mean) / np.sqrt(len(flat)) + mean
    return drawn.astype(np.float32).reshape(patches.shape)


def area_under_curve(lower: np.ndarray, higher: np.ndarray) -> float:
    """Share of pairs in which the second number is larger; ties count by half.

    Example:
        >>> area_under_curve(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
        0.875
    """
    ranks = rankdata(np.concatenate([lower, higher]))[len(lower) :]
    least = len(higher) * (len(higher) + 1) / 2
    return float((ranks.sum() - least) / (len(lower) * len(higher)))


def _marginals(form: Form, variables: Variables, patches: np.ndarray) -> dict[str, Any]:
    look = partial(jax.jit(responses, static_argnums=0), form, variables)
    found = _in_batches(look, patches).reshape(-1, len(variables["alphas"]))
    order = np.argsort(-np.asarray(variables["alphas"]))[:_SHOWN]
    edges = np.linspace(-_EDGE, _EDGE, _BINS + 1)
    shown = found[:, order]
    shown = (shown - shown.mean(0)) / np.maximum(shown.std(0), 1e-12)
    return {
        "kurtosis": [round(float(x), 3) for x in kurtosis(found, 0)],
        "marginals": {
            "edges": [-_EDGE, _EDGE],
            "filters": order.tolist(),
            "counts": [np.histogram(x, edges)[0].tolist() for x in shown.T],
        },
    }


def _histograms(**values: np.ndarray) -> dict[str, Any]:
    """Count numbers in common bins, within which nearly all lie."""
    everything = np.concatenate(list(values.values()))
    low, high = (float(x) for x in np.quantile(everything, [0.001, 0.999]))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    ends = [float(edges[0]), float(edges[-1])]
    counts = {n: np.histogram(x, edges)[0].tolist() for n, x in values.items()}
    return {"edges": ends, **counts}


def _in_batches(look: Callable[[np.ndarray], Any], patches: np.ndarray) -> np.ndarray:
    starts = range(0, len(patches), _BATCH)
    return np.concatenate([look(patches[s : s + _BATCH]) for s in starts])
