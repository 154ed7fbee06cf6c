"""What a prior learns: which numbers, from which examples, by which objective."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.engine.lesson import Lesson
from jinv.engine.optimizers import make_optimizer
from jinv.priors.config import PriorConfig
from jinv.priors.denoiser import draw_denoiser
from jinv.priors.experts import experts, initial_filters, whitened, whitenings
from jinv.priors.form import Form
from jinv.priors.objectives import denoised, denoising, score_matching, unrolled
from jinv.priors.scale import Scale, alone, scale_of

_WEIGHT, _RATE = 0.1, 0.3
"""Weight of an unrolled prior in the beginning, in squared deviations of the noise; and
the rate of its steps."""


class PriorLesson(NamedTuple):
    """A lesson, and what is needed to use it.

    Attributes:
        lesson: Lesson of the prior.
        prepare: Patches or crops (count, height, width, channels) → the examples that
            the objective takes.
        variables: (trained, frozen) → arrays of the prior.
        scale: How values are measured.
    """

    lesson: Lesson
    prepare: Callable[[np.ndarray], np.ndarray]
    variables: Callable[[Any, Any], dict[str, Any]]
    scale: Scale


def make_lesson(form: Form, config: PriorConfig, patches: np.ndarray) -> PriorLesson:
    """Put the lesson of a prior together.

    Args:
        form: Form of the prior, of values that have the chosen channels only.
        config: How it is learnt.
        patches: Patches (count, height, width, channels) of its size, by which values
            are measured and whitened.
    """
    scale = scale_of(form, config, patches)
    if form.kind == "dae":
        return _of_denoiser(form, config, scale)
    own = {}
    if form.layout == "channelwise":
        patches = alone(scale, patches)
        own = {"own": {"centre": scale.centre, "scale": scale.scale}}
    maps = whitenings(form, config, patches)
    trained = initial_filters(config, maps)
    frozen = {name: found._asdict() for name, found in maps.items()} | own
    prepare = _same
    if config.objective == "unrolled":
        weight = np.float32(np.log(_WEIGHT * scale.sigma**2))
        rates = np.full(config.unrolled, np.log(_RATE), np.float32)
        trained |= {"weight": weight, "rates": rates}
        objective = partial(unrolled, form, scale.sigma)
    elif config.objective == "denoising":
        objective = partial(denoising, form, scale.sigma)
    else:
        objective = partial(score_matching, form)
        prepare = whitened(form, maps)
    if form.layout == "channelwise" and not config.on_crops:
        prepare = _after(partial(alone, scale), prepare)
    lesson = _lesson(config, trained, objective, frozen)
    return PriorLesson(lesson, prepare, partial(experts, form), scale)


def recipe_of(scale: Scale, trained: Any) -> dict[str, Any]:
    """What an unrolled prior has learnt beside its filters, as JSON.

    Args:
        scale: How its values are measured.
        trained: What was learnt.

    Returns:
        Deviation `sigma` of the noise, in units of the values; and `weight` and `rates`
        of the steps that remove it, see `map_step`. Nothing for other objectives.
    """
    if "rates" not in trained:
        return {}
    weight, rates = (np.exp(np.asarray(trained[n])) for n in ("weight", "rates"))
    return {"sigma": scale.sigma, "weight": float(weight), "rates": rates.tolist()}


def _of_denoiser(form: Form, config: PriorConfig, scale: Scale) -> PriorLesson:
    """Put the lesson of a denoising network together."""
    layers = draw_denoiser(jax.random.key(config.seed), len(scale.centre))
    own, sigma = scale.scale, np.float32(config.sigma / 100)
    if not form.subject.layer:
        # The channels of images share a unit.
        own, sigma = np.ones_like(own), np.float32(scale.sigma)
    frozen = {"centre": scale.centre, "scale": own, "sigma": sigma}

    def variables(trained: Any, frozen: Any) -> dict[str, Any]:
        plain = {"mean": jnp.zeros(()), "deviation": jnp.ones(())}
        return {"layers": trained, **frozen, **plain}

    lesson = _lesson(config, layers, denoised, frozen)
    return PriorLesson(lesson, _same, variables, scale)


def _lesson(config: PriorConfig, trained: Any, objective: Any, frozen: Any) -> Lesson:
    optimizer = make_optimizer("adam", _rates(config), max_norm=config.max_norm)
    advice = f"take a lower lr than {config.lr:g}"
    return Lesson(
        trained, objective, optimizer, frozen, seed=config.seed, advice=advice
    )


def _rates(config: PriorConfig) -> optax.Schedule:
    ratio = config.last_lr / config.lr
    if not config.stages:
        return optax.cosine_decay_schedule(config.lr, config.steps, ratio)
    each = max(1, config.steps // config.stages)
    factor = ratio ** (1 / max(1, config.stages - 1))
    return optax.exponential_decay(
        config.lr, each, factor, staircase=True, end_value=config.last_lr
    )


def _after(first: Callable, then: Callable) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: then(first(values))


def _same(values: np.ndarray) -> np.ndarray:
    return values
