"""`jinv search`: settings that make better images."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jinv.cli.job_options import (
    JobOptions,
    job_defaults,
    prepare,
    settings_in,
    word_after,
)
from jinv.cli.running import warn_of_batches
from jinv.cli.search_objective import ObjectiveOptions, build_objective
from jinv.cli.search_reconstruction import (
    defaults_of_photographs,
    prepare_reconstruction,
)
from jinv.cli.stopping import Stop
from jinv.console import make_console
from jinv.devices import device_name
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.events import Event, Logged
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.reconstruction.photographs import PhotographRequest
from jinv.report.html import count
from jinv.search.folder import SearchFolder
from jinv.search.follower import Follower
from jinv.search.grids import find_grid
from jinv.search.plan import Plan, Strategy
from jinv.search.reconstruction import reconstruction
from jinv.search.results import Results, Trial, setting_text
from jinv.search.space import parse_space
from jinv.values import Count

_TRIALS = 20
_SHOWN = 30
_MOST = {"higher": "highest", "lower": "lowest"}
_QUIET_SECONDS = 30.0


@dataclass(frozen=True)
class Search(JobOptions):
    """Search settings that make better images, by Optuna.

    Trials make the same number of images, each by settings of its own, and are compared
    by one metric. The first has the settings that are given here, so that the result
    says whether the search has improved on them. The same command goes on with a search
    that was interrupted, and given several times at once, shares it among as many
    workers. The best settings are left as a preset: --preset OUT/best.json. With
    --reconstruct, what is searched are the settings of `jinv reconstruct`.
    """

    reconstruct: tuple[Path, ...] = ()
    """Photographs, files or folders of files, to be found again by --layers in each
    trial, instead of images of classes."""
    over: tuple[str, ...] = ()
    """What to search: settings, each with its values, as FIELD=LOW..HIGH,
    FIELD=LOW..HIGH:log, or FIELD=VALUE,VALUE,…; lists with / between their elements,
    e.g. steps=500/100,900/300."""
    grid: str | None = None
    """A published grid with its preset, instead of --over: technion."""
    aim: tyro.conf.OmitArgPrefixes[ObjectiveOptions] = field(
        default_factory=ObjectiveOptions
    )
    trials: Count | None = None
    """Trials in all, by however many workers, with the first; by default 20, or the
    whole grid."""
    sampler: Strategy = "tpe"
    """How settings are chosen: by what earlier ones yielded (tpe), all combinations
    (grid), or at random."""
    pruner: bool = True
    """End trials early that are clearly worse than the median at as many images; it
    takes more than one batch."""
    images: Count = 100
    """Images that each trial makes."""
    out: Path = Path("runs/search")
    """Folder of the results."""
    storage: str | None = None
    """Database of the search, as SQLAlchemy addresses it; by default an SQLite file in
    --out. Workers on several machines need a server, e.g. postgresql://HOST/NAME."""
    study: str | None = None
    """Name of the search in the database; by default that of the folder --out."""


def defaults(words: Sequence[str]) -> Search:
    """Defaults of all options, given the words; a grid brings a preset along."""
    grid = word_after(words, "--grid")
    if grid and not word_after(words, "--preset"):
        words = [*words, "--preset", find_grid(grid).preset]
    if "reconstruct" in settings_in(words):
        return Search(**defaults_of_photographs(words))
    return job_defaults(Search, words)


def run(options: Search) -> int:
    """Carry the command out; returns the exit status."""
    try:
        from jinv.search.storage import (
            database_errors,
            open_storage,
            remove_study,
        )
        from jinv.search.study import Study
    except ModuleNotFoundError as error:
        if error.name not in ("optuna", "sqlalchemy"):
            raise
        raise ConfigError(
            "jinv search needs Optuna: pip install 'jinv[search]'"
        ) from error

    started = time.monotonic()
    console = make_console()
    keep_compiled_programs()
    plan = _plan(options, console)
    storage = options.storage or SearchFolder.database(options.out)
    name = options.study or _name(options)

    if options.storage and options.overwrite and not options.study:
        raise ConfigError(
            f"--overwrite would remove the study {name!r} from a database that others "
            "may share: say by --study which one is meant"
        )
    elsewhere = open_storage(storage) if options.storage else None

    def forget() -> None:
        if elsewhere is not None:
            remove_study(elsewhere, name)

    with SearchFolder(
        options.out, plan, overwrite=options.overwrite, forget=forget
    ) as folder:
        with folder.turn():
            study = Study(plan, storage, name, alone=elsewhere is None)
        trials = options.trials or plan.size or _TRIALS
        trials = min(trials, plan.size or trials)
        _announce(options, plan, trials, study.results(), console)
        with database_errors(), Stop() as stop:
            try:
                worker = _Worker(plan, folder, trials, console)
                study.run(trials, worker, stop.requested)
            finally:
                folder.write(plan, study.results())
        _print(study.results(), console)
    best = options.out / "best.json"
    console.print(
        (f"the best settings are {best}, to be used by --preset; " * best.exists())
        + f"everything in {options.out}/index.html ({time.monotonic() - started:.0f} s)"
    )
    return 0


def _announce(
    options: Search, plan: Plan, trials: int, now: Results, console: Console
) -> None:
    metric = plan.objective.metric
    console.print(
        f"Searching {', '.join(plan.space.describe())} of "
        f"{plan.job.classifier.spec.name}: {trials} trials of {plan.job.count} images "
        f"in {count(plan.job.batch_count, 'batch', 'batches')} on {device_name()}, "
        f"preset {options.preset}, for the {_MOST[metric.better]} "
        f"{metric.title}; {len(now.trials)} done, {now.running} running"
    )
    if options.pruner and plan.job.batch_count == 1:
        console.print(
            "all images are one batch, so no trial can be ended early; with a smaller "
            "--batch-size, hopeless ones can"
        )


class _Worker(Follower):
    """Keeps what a worker makes, and says how far the search is."""

    def __init__(self, plan: Plan, folder: SearchFolder, trials: int, console: Console):
        self._plan, self._folder, self._trials = plan, folder, trials
        self._console = console

    def begin(self, number: int, job: Job) -> None:
        self._title = f"trial {number}"
        self._began = self._spoken = time.monotonic()
        chosen = ((name, getattr(job.method, name)) for name in self._plan.start())
        words = ", ".join(f"{name} {setting_text(value)}" for name, value in chosen)
        self._console.print(f"{self._title}: {words}")

    def on_event(self, event: Event) -> None:
        now = time.monotonic()
        if not isinstance(event, Logged) or now - self._spoken < _QUIET_SECONDS:
            return
        self._spoken, share = now, event.far.done / event.far.total
        left = (now - self._began) * (1 / share - 1)
        self._console.print(f"{self._title}: {100 * share:.0f} %, {_about(left)} left")

    def keep(self, number: int, images: np.ndarray, labels: np.ndarray) -> None:
        self._folder.keep(self._plan, number, images, labels)

    def end(self, trial: Trial, results: Results) -> None:
        self._folder.write(self._plan, results)
        outcome = trial.note or results.text(trial)
        if trial.state != "complete":
            outcome = f"{trial.state}, {outcome}"
        best = f"; best {results.text(results.best)}" if results.best else ""
        self._console.print(
            f"{self._title}: {outcome} ({trial.seconds:.0f} s){best}; "
            f"{len(results.trials)} of {self._trials} done{self._left(results)}"
        )

    def wait(self, running: int) -> None:
        self._console.print(
            f"nothing left to begin: waiting for {count(running, 'trial')} of other "
            "workers"
        )

    def _left(self, results: Results) -> str:
        left = self._trials - len(results.trials)
        if left <= 0:
            return ""
        each = float(np.mean([trial.seconds for trial in results.trials]))
        # This worker's next trial has not begun yet.
        return f", {_about(each * left / min(left, results.running + 1))} left"


def _about(seconds: float) -> str:
    return f"about {timedelta(seconds=round(seconds))}"


def _plan(options: Search, console: Console) -> Plan:
    strategy, over = options.sampler, options.over
    if options.grid:
        if over:
            raise ConfigError("give --over or --grid, not both")
        strategy, over = "grid", find_grid(options.grid).over
    space = parse_space(over, type(options.settings))
    if options.reconstruct:
        job = prepare_reconstruction(options, options.reconstruct, options.settings)
        assert isinstance(job.request, PhotographRequest)
        objective = reconstruction(options.aim.objective, job.request)
    else:
        job, judge = prepare(options, options.images)
        objective = build_objective(
            options.aim, job.classifier, judge, options.seed, console
        )
    plan = Plan(job, space, objective, strategy, options.pruner)
    plan.check()
    if options.grid:
        meant, whose = find_grid(options.grid).batch_size, f"the grid {options.grid}"
        warn_of_batches(whose, meant, job.batch_size, console)
    return plan


def _print(results: Results, console: Console) -> None:
    header, rows = results.table()
    table = Table(*header)
    for row in rows[:_SHOWN]:
        table.add_row(*row)
    width = None if console.is_terminal else 160
    make_console(stderr=False, soft_wrap=False, width=width).print(table)
    if len(rows) > _SHOWN:
        console.print(f"and {len(rows) - _SHOWN} more, see trials.csv")
    console.print(results.conclusion())


def _name(options: Search) -> str:
    return options.out.resolve().name
