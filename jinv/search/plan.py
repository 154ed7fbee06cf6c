"""The plan of a search: the same for all of its workers, whenever they begin."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.inversion.presets import Preset
from jinv.inversion.settings import with_given
from jinv.search.objective import Objective
from jinv.search.results import Results, Trial
from jinv.search.space import Choice, Space

Strategy = Literal["tpe", "grid", "random"]
BASELINE, POINT = "baseline", "point"
"""Roles of trials that are queued: where the search starts, a point of the grid."""

_MOST_POINTS = 2000


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan of what is searched, how, and for what.

    Attributes:
        job: Job with the budget, and the settings to start from. All trials have its
            images, its batches and its seed: with the same random numbers for all, less
            of the difference between two trials is chance.
        space: Space that is searched.
        objective: Objective that is improved.
        strategy: Choice by tree-structured Parzen estimators, of all points, or random.
        prune: Whether hopeless trials are ended early.
    """

    job: Job
    space: Space
    objective: Objective
    strategy: Strategy
    prune: bool

    @property
    def size(self) -> int | None:
        """How many trials there can be; None for endlessly many."""
        return len(self.queue()) if self.strategy == "grid" else None

    def describe(self) -> dict[str, Any]:
        """All that the search's trials depend on, as JSON."""
        searched = {field.name for field in self.space.fields}
        return {
            **self.job.describe(),
            "space": self.space.describe(),
            "objective": {"metric": self.objective.name, **self.objective.basis},
            "sampler": self.strategy,
            "pruner": self.prune,
            # On which local statistics depend.
            **({"devices": self.job.devices} if "bn_scope" in searched else {}),
        }

    def check(self) -> None:
        """Refuse what no trial could work with.

        Lists, such as steps and resolutions, have to fit each other, which only a
        trial can tell.

        Raises:
            ConfigError: There is a value that never works, a grid without end or too
                large, or an objective that cannot be had.
        """
        for field in self.space.fields:
            if isinstance(field, Choice):
                values = [v for v in field.options.values() if type(v) is not tuple]
            else:
                values = [field.low, field.high]
            for value in values:
                self.job_with({field.name: value}).fitting()  # checks the settings
        if self.strategy == "grid" and self.space.size > _MOST_POINTS:
            raise ConfigError(
                f"the grid has {self.space.size} points, more than {_MOST_POINTS}: use "
                "--sampler random or tpe"
            )
        shape = self.job.count, *self.job.shape
        self.objective.check(shape, self.job.request.labels)

    def job_with(self, settings: Mapping[str, Any]) -> Job:
        """Make the job with some settings replaced; others follow, see `with_given`."""
        return replace(self.job, method=with_given(self.job.method, settings))

    def queue(self) -> list[tuple[str, dict[str, Any]]]:
        """List the trials that come first: the role of each, and its parameters.

        The first one is where the search starts, without parameters if that is outside
        the space. The points of a grid follow in an order drawn by the seed, so that a
        part of them tells of the whole.
        """
        start = self.space.params_of(self.job.method)
        first = (BASELINE, start or {})
        if self.strategy != "grid":
            return [first]
        points = [point for point in self.space.points() if point != start]
        order = np.random.default_rng(self.job.seed).permutation(len(points))
        return [first, *((POINT, points[i]) for i in order)]

    def start(self) -> dict[str, Any]:
        """The settings that the search starts from, of the fields that are searched."""
        method = self.job.method
        return {field.name: getattr(method, field.name) for field in self.space.fields}

    def preset_of(self, trial: Trial, results: Results) -> Preset:
        """Make a preset of a trial's settings, with their provenance."""
        job, spec = self.job_with(trial.settings), self.job.classifier.spec
        return Preset(
            job.method,
            source=f"jinv search over {', '.join(self.space.describe())}: trial "
            f"{trial.number} of {len(results.trials)}",
            expected=f"{job.count} images by {spec.name}: "
            f"{self.objective.metric.title} {results.text(trial)}",
            input_size=spec.input_size,
            batch_size=job.batch_size,
        )
