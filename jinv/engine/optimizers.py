"""Optimisers and learning-rate schedules, by the names that the field uses."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from jinv.errors import ConfigError

Optimizer = Literal["adam", "sgd", "adagrad", "normalised"]
Schedule = Literal["constant", "cosine", "step", "exponential", "plateau"]


def make_schedule(
    name: Schedule, peak: float, steps: int, warmup: int = 0
) -> optax.Schedule:
    """Make the schedule of the learning rate over the steps of one phase.

    After a linear warm-up from 0 over `warmup` steps:

    - constant, plateau: stays at `peak` (a plateau is cut by the optimiser, below);
    - cosine: falls to 0 at the last step;
    - step: a tenth at half of the remaining steps, a hundredth at three quarters;
    - exponential: falls evenly to a hundredth.

    Raises:
        ConfigError: The warm-up is as long as the phase.
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
    max_norm: float = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """Make an optimiser; with `patience`, one that watches the loss.

    Args:
        name: "adam" (eps 1e-8), "sgd" or "adagrad" (of both, momentum is the first of
            `betas`), see `adagrad_with_momentum`, or "normalised", see
            `normalised_steps`.
        learning_rate: Step → learning rate.
        betas: Adam's decay rates.
        patience: Steps without improvement after which the rate is cut to a tenth.
        max_norm: Largest norm of the gradient, to which longer ones are cut; 0 for any.
    """
    if name == "adam":
        chosen = optax.adam(learning_rate, *betas)
    elif name == "adagrad":
        chosen = adagrad_with_momentum(learning_rate, betas[0])
    elif name == "normalised":
        chosen = normalised_steps(learning_rate)
    else:
        chosen = optax.sgd(learning_rate, momentum=betas[0])
    chosen = with_cut_gradients(chosen, max_norm)
    if patience is None:
        return optax.with_extra_args_support(chosen)
    plateau = optax.contrib.reduce_on_plateau(factor=0.1, patience=patience)
    return optax.chain(chosen, plateau)


def with_cut_gradients(
    optimizer: optax.GradientTransformation, max_norm: float
) -> optax.GradientTransformation:
    """Cut gradients longer than a norm to it, before an optimiser; 0 cuts none."""
    if not max_norm:
        return optimizer
    return optax.chain(optax.clip_by_global_norm(max_norm), optimizer)


def adagrad_with_momentum(
    learning_rate: optax.ScalarOrSchedule, decay: float = 0.9
) -> optax.GradientTransformation:
    """AdaGrad whose sum of squares fades, with a momentum.

    G ← decay · G + g², m ← decay · m - g / (1 / lr + √G), x ← x + m (Mahendran &
    Vedaldi 2016, "Visualizing Deep Convolutional Neural Networks Using Natural
    Pre-images", and the published code). Before the momentum, steps are lr · g where
    gradients are small, and never larger than 1, in the units of x: there, levels from
    0 to 255.

    Args:
        learning_rate: Learning rate, or step → learning rate.
        decay: Share of the sum and of the momentum that is left after a step.
    """
    return optax.chain(_scale_by_fading_sum(learning_rate, decay), optax.trace(decay))


class _FadingSum(NamedTuple):
    count: jax.Array
    squares: Any


def _scale_by_fading_sum(
    learning_rate: optax.ScalarOrSchedule, decay: float
) -> optax.GradientTransformation:
    """Updates -g / (1 / lr + √G); Optax's sums either never fade, or are means."""

    def init(params: Any) -> _FadingSum:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return _FadingSum(jnp.zeros((), jnp.int32), zeros)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, _FadingSum]:
        del params
        rate = _rate(learning_rate, state.count)
        squares = jax.tree.map(lambda s, g: decay * s + g * g, state.squares, updates)
        # The same as above, and 0 where the rate is.
        scaled = jax.tree.map(
            lambda g, s: -rate * g / (1 + rate * jnp.sqrt(s)), updates, squares
        )
        return scaled, _FadingSum(state.count + 1, squares)

    return optax.GradientTransformation(init, update)


def normalised_steps(learning_rate: optax.Schedule) -> optax.GradientTransformation:
    """Steps along the gradient whose mean size is the learning rate.

    x ← x - lr g / mean |g|

    Mordvintsev et al. 2015, the notebook of DeepDream: each octave has steps of one
    size, however strongly a layer reacts.

    Args:
        learning_rate: Step → learning rate.
    """

    def sizes(updates: optax.Updates, params: optax.Params | None) -> optax.Updates:
        del params
        return jax.tree.map(
            lambda g: g / jnp.maximum(jnp.abs(g).mean(), jnp.finfo(g.dtype).tiny),
            updates,
        )

    return optax.chain(
        optax.stateless(sizes), optax.scale_by_learning_rate(learning_rate)
    )


def _rate(learning_rate: optax.ScalarOrSchedule, count: jax.Array) -> Any:
    return learning_rate(count) if callable(learning_rate) else learning_rate
