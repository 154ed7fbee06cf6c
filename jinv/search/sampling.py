"""Samplers, which say what settings are tried next."""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from jinv.search.plan import Strategy

STARTUP = 5
"""Trials drawn at random before those that are chosen by what they yielded."""


class NumberedSampler(BaseSampler):
    """An Optuna sampler whose draws depend on a seed and on the trial's number.

    So workers that share a seed never draw alike, and a search by one worker can be
    repeated.
    """

    def __init__(self, strategy: Strategy, seed: int):
        """Draw settings by TPE (Bergstra et al. 2011), or evenly."""
        self._strategy, self._seed = strategy, seed
        self._sampler: BaseSampler = RandomSampler(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin a trial's own stream of random numbers."""
        seed = (self._seed + 1_000_003 * trial.number) % 2**32
        if self._strategy == "tpe":
            # Workers keep away from what others are trying.
            self._sampler = TPESampler(
                seed=seed, n_startup_trials=STARTUP, constant_liar=True
            )
        else:
            self._sampler = RandomSampler(seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Tell Optuna which parameters are drawn together."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Draw the parameters that are drawn together."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter by itself."""
        return self._sampler.sample_independent(
            study, trial, param_name, param_distribution
        )
