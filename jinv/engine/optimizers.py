"""Optimisers and learning-rate schedules, by the names that the field uses."""

from typing import Literal

import optax
import optax.contrib

from jinv.errors import ConfigError

Optimizer = Literal["adam", "sgd"]
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
) -> optax.GradientTransformationExtraArgs:
    """Make an optimiser; with `patience`, one that watches the loss.

    Args:
        name: "adam" (eps 1e-8) or "sgd" (momentum is the first of `betas`).
        learning_rate: Step → learning rate.
        betas: Adam's decay rates.
        patience: Steps without improvement after which the rate is cut to a tenth.
    """
    if name == "adam":
        chosen = optax.adam(learning_rate, *betas)
    else:
        chosen = optax.sgd(learning_rate, momentum=betas[0])
    if patience is None:
        return optax.with_extra_args_support(chosen)
    plateau = optax.contrib.reduce_on_plateau(factor=0.1, patience=patience)
    return optax.chain(chosen, plateau)
