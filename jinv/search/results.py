"""What a search has found so far, apart from how it was found."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinv.atomic import replacing
from jinv.report.evaluation_table import MISSING, spread
from jinv.search.objective import Objective
from jinv.search.space import Space

TrialEnd = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Attributes:
        number: Number in the order in which trials began.
        state: Whether all images were made; if not, whether the trial was pruned as
            hopeless, or the settings failed.
        settings: Values of the fields that are searched.
        value: Value of the objective; None unless complete.
        low: Lower end of the value's interval, if it has one.
        high: Upper end of the interval.
        images: Number of images that were made.
        seconds: Time that the trial took.
        compiling: Seconds of that for compiling, which trials share: a program takes
            loss weights and learning rates as data.
        note: Why the trial was not completed.
        baseline: Whether these are the settings that the search started from.
    """

    number: int
    state: TrialEnd
    settings: Mapping[str, Any]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    images: int = 0
    seconds: float = 0.0
    compiling: float = 0.0
    note: str = ""
    baseline: bool = False


@dataclass(frozen=True, eq=False)
class Results:
    """All trials that have ended.

    Attributes:
        trials: Trials in the order of their numbers.
        space: Space that is searched.
        objective: Objective that is improved.
        running: Number of trials that are at work.
    """

    trials: Sequence[Trial]
    space: Space
    objective: Objective
    running: int = 0

    @property
    def baseline(self) -> Trial | None:
        """Trial of the settings that the search started from, if it is complete."""
        return next((t for t in self.complete if t.baseline), None)

    @property
    def complete(self) -> list[Trial]:
        """Trials that have a value."""
        return [trial for trial in self.trials if trial.value is not None]

    @property
    def best(self) -> Trial | None:
        """Best trial that has a value; of equals the baseline, then the first."""
        return next((trial for trial in self.ranked if trial.value is not None), None)

    @property
    def ranked(self) -> list[Trial]:
        """All trials: the best first, those without a value last."""
        sign = -1 if self.objective.metric.better == "higher" else 1

        def place(trial: Trial) -> tuple:
            value = float("inf") if trial.value is None else sign * trial.value
            return value, trial.state != "pruned", not trial.baseline, trial.number

        return sorted(self.trials, key=place)

    def conclusion(self) -> str:
        """Say in a sentence whether the search has improved on its start."""
        best, baseline = self.best, self.baseline
        if best is None or best.value is None:
            return "no trial is complete yet"
        if baseline is None:
            return f"trial {best.number} is the best: {self.text(best)}"
        if best is baseline:
            return (
                f"no other trial ({len(self.trials) - 1}) is better than the "
                f"settings that the search started from: {self.text(baseline)}"
            )
        return (
            f"trial {best.number} is the best: {self.text(best)}, where the settings "
            f"that the search started from have {self.text(baseline)}"
        )

    def text(self, trial: Trial) -> str:
        """Write a trial's value with its unit."""
        if trial.value is None:
            return MISSING
        return self.objective.text(trial.value)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Write the trials for people, the best first: a header, and rows."""
        names = [field.name for field in self.space.fields]
        header = ["trial", self.objective.metric.title, "interval", *names]
        header += ["images", "seconds", "compiling", "note"]
        rows = []
        for trial in self.ranked:
            ends = {"value": trial.value, "low": trial.low, "high": trial.high}
            note = trial.note or ("where the search started" if trial.baseline else "")
            rows.append(
                [
                    str(trial.number),
                    self.text(trial) if trial.value is not None else trial.state,
                    spread(ends, self.objective.metric.unit),
                    *(setting_text(trial.settings[name]) for name in names),
                    str(trial.images),
                    f"{trial.seconds:.0f}",
                    f"{trial.compiling:.1f}",
                    note,
                ]
            )
        return header, rows


def setting_text(value: Any) -> str:
    """Write a setting for people, numbers to three digits."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def write_csv(path: Path, results: Results) -> None:
    """Write the trials, in order, with all digits; the objective in its own units."""
    names = [field.name for field in results.space.fields]
    facts = (
        *("value", "low", "high", "images", "seconds", "compiling"),
        *("baseline", "note"),
    )
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "state", *names, *facts])
        for trial in results.trials:
            settings = (trial.settings[name] for name in names)
            texts = ("/".join(map(str, s)) if type(s) is tuple else s for s in settings)
            values = (getattr(trial, fact) for fact in facts)
            writer.writerow([trial.number, trial.state, *texts, *values])
