"""One trial: making images by some settings, and judging them."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from jinv.engine.events import BatchDone, Compiled, Event, Made
from jinv.errors import ConfigError, DataError, Diverged
from jinv.metrics.bootstrap import Estimate
from jinv.search.follower import Follower
from jinv.search.plan import Plan
from jinv.search.results import TrialEnd

_BEFORE_PRUNING = 3  # other trials


def attempt(
    plan: Plan,
    settings: Mapping[str, Any],
    trial: optuna.Trial,
    prune: bool,
    follower: Follower,
    should_stop: Callable[[], bool],
) -> float:
    """Try settings: make images by them, and judge these.

    After each batch the objective of the images made so far is reported, at the number
    of images as its step. What it took, and why it failed, are noted in the trial.

    Returns:
        Value of the objective.

    Raises:
        optuna.TrialPruned: The trial is hopeless, or has failed.
        Interrupted: `should_stop` said so.
    """
    job = plan.job_with(settings)
    follower.begin(trial.number, job)
    done: list[Made] = []
    compiling = 0.0

    def on_event(event: Event) -> None:
        nonlocal compiling
        follower.on_event(event)
        if isinstance(event, Compiled):
            compiling += event.seconds
            trial.set_user_attr("compiling", compiling)
        if not (isinstance(event, BatchDone) and event.complete):
            return
        done.append(event.made)
        images, labels = _together(done)
        trial.set_user_attr("images", len(images))
        if len(images) < job.count:
            _report(plan, images, labels, trial, prune)

    try:
        job = job.fitting()
        job.run(on_event, should_stop)
        images, labels = _together(done)
        found = plan.objective.estimate(images, labels)
    except (ConfigError, DataError, Diverged) as reason:
        raise _end(trial, "failed", str(reason)) from reason
    if found.low is not None:
        trial.set_user_attr("interval", [found.low, found.high])
    follower.keep(trial.number, images, labels)
    return found.value


def _together(done: list[Made]) -> tuple[np.ndarray, np.ndarray]:
    """Join images of batches, and their labels."""
    images, labels = zip(*((made.images, made.labels) for made in done), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _report(
    plan: Plan,
    images: np.ndarray,
    labels: np.ndarray,
    trial: optuna.Trial,
    prune: bool,
) -> None:
    """Tell how good the images so far are, which may be the end of the trial."""
    count = len(images)
    try:
        found = plan.objective.estimate(images, labels)
    except DataError:
        # Some metrics need more images than this.
        return
    trial.report(found.value, count)
    if prune and _hopeless(plan, trial, found, count):
        note = f"{plan.objective.text(found.value)} after {count} images"
        raise _end(trial, "pruned", note)


def _hopeless(plan: Plan, trial: optuna.Trial, found: Estimate, count: int) -> bool:
    """Whether even the better end of a value's interval is worse than the median."""
    ended = trial.study.get_trials(
        deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
    )
    values = [other.intermediate_values.get(count) for other in ended]
    others = [value for value in values if value is not None]
    if len(others) < _BEFORE_PRUNING:
        return False
    end = found.high if plan.objective.metric.better == "higher" else found.low
    hope = found.value if end is None else end
    return plan.objective.is_better(median(others), hope)


def _end(trial: optuna.Trial, how: TrialEnd, note: str) -> optuna.TrialPruned:
    trial.set_user_attr("end", how)
    trial.set_user_attr("note", note)
    return optuna.TrialPruned(note)
