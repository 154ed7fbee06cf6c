"""Carrying a search out: trial after trial, beside any number of other workers."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from jinv.errors import Interrupted
from jinv.search.attempt import attempt
from jinv.search.follower import Follower
from jinv.search.plan import BASELINE, Plan
from jinv.search.results import Results, Trial
from jinv.search.sampling import NumberedSampler
from jinv.search.storage import (
    database_errors,
    enqueue,
    fail_silent_trials,
    join_study,
    note_alive,
    noted_names,
    open_storage,
    role_of,
)

_POLL = 2.0  # seconds
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class Study:
    """A search as one of its workers sees it.

    Settings are compared by the objective alone: losses under different weights cannot
    be. After every batch of a trial's images, the objective of those made so far is
    noted; a trial is pruned if it is then worse than the median of the others at as
    many images, where its value has an interval by more than that: a few images say
    little. So there is pruning only where the images take several batches. The trial
    that the search starts from is never pruned. Settings that diverge, or cannot work,
    end their trial and not the search.
    """

    def __init__(self, plan: Plan, url: str, name: str, *, alone: bool = False):
        """Begin a search, or join it.

        Args:
            plan: Plan of the search.
            url: Address of the database; see `open_storage`.
            name: Name of the study there.
            alone: Whether nobody else can be about to begin it; see `join_study`.

        Raises:
            ConfigError: The database cannot be used.
            FolderError: The database holds another search of this name.
        """
        better = plan.objective.metric.better
        self._study = join_study(
            open_storage(url),
            name,
            plan.describe(),
            "maximize" if better == "higher" else "minimize",
            plan.queue(),
            alone,
        )
        self.plan = replace(plan, space=plan.space.noted_as(noted_names(self._study)))
        self._study.sampler = NumberedSampler(plan.strategy, plan.job.seed)

    def run(
        self,
        trials: int,
        follower: Follower | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Results:
        """Work until so many trials have ended, whoever made them.

        Args:
            trials: Number of trials in all, with the one that the search starts from.
            follower: Told what happens.
            should_stop: Asked after every step.

        Raises:
            FolderError: The database failed.
            Interrupted: `should_stop` said so; the trial at hand will be begun anew.
        """
        with database_errors():
            return self._work(trials, follower or Follower(), should_stop)

    def _work(
        self, trials: int, follower: Follower, should_stop: Callable[[], bool]
    ) -> Results:
        waiting = False
        while (outlook := self._outlook(trials)) != "done":
            if should_stop():
                raise Interrupted("stopped between trials")
            if outlook == "go":
                waiting = False
                self._next(trials, follower, should_stop)
                continue
            if not waiting:
                follower.wait(self.results().running)
            waiting = True
            time.sleep(_POLL)
            # Of workers that were killed.
            optuna.storages.fail_stale_trials(self._study)
            fail_silent_trials(self._study)
        return self.results()

    def results(self) -> Results:
        """List the trials that have ended by now."""
        found = self._study.get_trials(deepcopy=False)
        ended = [self._record(trial) for trial in found if trial.state in _ENDED]
        running = sum(trial.state == TrialState.RUNNING for trial in found)
        return Results(ended, self.plan.space, self.plan.objective, running)

    def _outlook(self, wanted: int) -> Literal["done", "go", "wait"]:
        found = self._study.get_trials(deepcopy=False)
        states = Counter(trial.state for trial in found)
        ended = sum(states[state] for state in _ENDED)
        queued, running = states[TrialState.WAITING], states[TrialState.RUNNING]
        exhausted = self.plan.strategy == "grid" and not queued
        if ended >= wanted or (exhausted and not running):
            return "done"
        return "wait" if exhausted or ended + running >= wanted else "go"

    def _next(
        self, wanted: int, follower: Follower, should_stop: Callable[[], bool]
    ) -> None:
        """Make one trial, unless others have begun the last one meanwhile."""
        number = None

        def act(trial: optuna.Trial) -> float:
            nonlocal number
            number, role = trial.number, role_of(trial)
            note_alive(trial)
            settings = self._settings(trial)
            prune = self.plan.prune and role != BASELINE
            try:
                self._claim(trial, wanted)
                return attempt(self.plan, settings, trial, prune, follower, should_stop)
            except optuna.TrialPruned:
                raise
            except Exception as reason:
                if role or not isinstance(reason, _Surplus):
                    enqueue(self._study, role, trial.params)
                raise

        self._study.optimize(act, n_trials=1, catch=(_Surplus,))
        results = self.results()
        for trial in results.trials:
            if trial.number == number:
                follower.end(trial, results)

    def _settings(self, trial: Any) -> dict[str, Any]:
        if role_of(trial) == BASELINE and not self._starts_inside:
            return self.plan.start()
        return self.plan.space.suggest(trial)

    @property
    def _starts_inside(self) -> bool:
        return self.plan.space.params_of(self.plan.job.method) is not None

    def _claim(self, trial: optuna.Trial, wanted: int) -> None:
        """Give a trial up that is one too many: workers begin theirs independently."""
        counted = (*_ENDED, TrialState.RUNNING)
        others = self._study.get_trials(deepcopy=False, states=counted)
        outside = self.plan.strategy == "grid" and role_of(trial) is None
        if outside or sum(o.number < trial.number for o in others) >= wanted:
            raise _Surplus

    def _record(self, trial: FrozenTrial) -> Trial:
        facts = trial.user_attrs
        low, high = facts.get("interval", (None, None))
        complete = trial.state == TrialState.COMPLETE
        outside = role_of(trial) == BASELINE and not self._starts_inside
        plan = self.plan
        return Trial(
            number=trial.number,
            state="complete" if complete else facts.get("end", "pruned"),
            settings=plan.start() if outside else plan.space.settings_of(trial.params),
            value=trial.value if complete else None,
            low=low,
            high=high,
            images=facts.get("images", 0),
            seconds=trial.duration.total_seconds() if trial.duration else 0.0,
            compiling=facts.get("compiling", 0.0),
            note=facts.get("note", ""),
            baseline=role_of(trial) == BASELINE,
        )


class _Surplus(Exception):
    """Another worker has begun the last trial a moment before."""
