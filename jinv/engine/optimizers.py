"""Optimisers and learning-rate schedules, by the names that the field uses."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from jinv.errors import ConfigError

Optimizer = Literal["adam", "sgd"]
Schedule = Literal["constant", "cosine", "step", "exponential", "plateau"]


def make_schedule(
    name: Schedule, peak: float, steps: int, warmup: int = 0
) -> optax.Schedule:
    """The learning rate over the steps of one phase.

    After a linear warm-up from 0 over `warmup` steps:

    - constant, plateau: stays at `peak` (a plateau is cut by the optimiser, below);
    - cosine: falls to 0 at the last step;
    - step: a tenth at half of the remaining steps, a hundredth at three quarters;
    - exponential: falls evenly to a hundredth.

    Raises:
        ConfigError: Unknown name, or a warm-up as long as the phase.
    """
    if warmup >= steps:
        raise ConfigError(f"a warm-up of {warmup} steps needs more than {steps} steps")
    left = steps - warmup
    match name:
        case "cosine":
            after = optax.cosine_decay_schedule(peak, left)
        case "step":
            cuts = {left // 2: 0.1, left * 3 // 4: 0.1}
            after = optax.piecewise_constant_schedule(peak, cuts)
        case "exponential":
            after = optax.exponential_decay(peak, left, 0.01)
        case _:
            after = optax.constant_schedule(peak)
    if warmup == 0:
        return after
    rising = optax.linear_schedule(0.0, peak, warmup)
    return optax.join_schedules([rising, after], [warmup])


def make_optimizer(
    name: Optimizer,
    learning_rate: optax.Schedule,
    betas: tuple[float, float] = (0.9, 0.999),
    patience: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    """An optimiser; with `patience`, one that watches the loss.

    Args:
        name: "adam" (eps 1e-8) or "sgd" (momentum is the first of `betas`).
        learning_rate: Step → learning rate.
        betas: Adam's decay rates.
        patience: Steps without improvement after which the rate is cut to a tenth.

    Raises:
        ConfigError: Unknown name.
    """
    if name == "adam":
        chosen = optax.adam(learning_rate, *betas)
    else:
        chosen = optax.sgd(learning_rate, momentum=betas[0])
    if patience is None:
        return optax.with_extra_args_support(chosen)
    plateau = optax.contrib.reduce_on_plateau(factor=0.1, patience=patience)
    return optax.chain(chosen, plateau)


def scale_by_frequency(power: float) -> optax.GradientTransformation:
    """Weight every spatial frequency f of an update by 1 / f^power.

    Pixels that are updated each on their own collect high frequencies, which fool a
    classifier cheaply; in photographs amplitude falls as 1 / f. Optimising Fourier
    coefficients scaled by 1 / f (Olah et al. 2017, "Feature Visualization", with what
    they call `decay_power`) has the same preference; as a transformation of updates it
    leaves the pixels as parameters, to be clipped and cut.

    The zero frequency counts as one period per image. The weights have a root mean
    square of 1, which keeps the size of updates that are white noise.

    Args:
        power: 0 changes nothing; 1 is the slope of photographs.

    Returns:
        A transformation for trees of arrays (batch, height, width, channels).
    """
    if power == 0:
        return optax.identity()

    def smooth(update: jax.Array) -> jax.Array:
        height, width = size = update.shape[1:3]
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
        frequency = np.maximum(np.hypot(rows, columns), 1 / max(size))
        weight = frequency**-power
        weight /= np.sqrt(np.mean(weight**2))
        half = jnp.asarray(weight[:, : width // 2 + 1, None], update.dtype)
        spectrum = jnp.fft.rfft2(update, axes=(1, 2)) * half
        return jnp.fft.irfft2(spectrum, size, axes=(1, 2)).astype(update.dtype)

    return optax.stateless(lambda updates, _: jax.tree.map(smooth, updates))


MetaRule = Literal["maml", "reptile"]


class MetaState(NamedTuple):
    """State of `meta_learnt`.

    Attributes:
        slow: Parameters with which each task begins.
        outer: State of the optimiser that moves them.
        inner: State of the optimiser of the task at hand.
        total: Sum of the task's gradients so far; empty for Reptile.
    """

    slow: Any
    outer: Any
    inner: Any
    total: Any


class MetaLearnt(NamedTuple):
    """An optimiser of tasks, and what is learnt from each of them.

    Attributes:
        optimizer: Moves the parameters within a task.
        settle: (parameters, state) after a task → those with which the next begins.
    """

    optimizer: optax.GradientTransformation
    settle: Callable[[Any, MetaState], tuple[Any, MetaState]]


def meta_learnt(
    inner: optax.GradientTransformation,
    outer: optax.GradientTransformation,
    rule: MetaRule = "maml",
) -> MetaLearnt:
    """Learn parameters from which a few steps suffice for any task.

    Each task starts from the slow parameters and takes steps of `inner`; then `outer`
    moves the slow ones by

    - maml: the sum of the task's gradients, first-order MAML (Finn et al. 2017,
      section 5.2; summed over all steps, as in Fang et al. 2022);
    - reptile: how far the task moved, slow - fast (Nichol et al. 2018).

    Args:
        inner: Starts afresh with each task.
        outer: Lasts.
        rule: "maml" or "reptile".
    """
    sums = rule == "maml"

    def init(params: Any) -> MetaState:
        # Copies: a buffer that appears twice in a state cannot be given up.
        slow = jax.tree.map(jnp.copy, params)
        total = jax.tree.map(jnp.zeros_like, params) if sums else ()
        return MetaState(slow, outer.init(params), inner.init(params), total)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, MetaState]:
        total = jax.tree.map(jnp.add, state.total, updates) if sums else ()
        updates, after = inner.update(updates, state.inner, params)
        return updates, state._replace(inner=after, total=total)

    def settle(params: Any, state: MetaState) -> tuple[Any, MetaState]:
        slow = state.slow
        gradients = state.total if sums else jax.tree.map(jnp.subtract, slow, params)
        updates, after = outer.update(gradients, state.outer, slow)
        slow: Any = optax.apply_updates(slow, updates)
        return slow, init(slow)._replace(outer=after)

    return MetaLearnt(optax.GradientTransformation(init, update), settle)
