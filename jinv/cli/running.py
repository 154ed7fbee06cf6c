"""A job as a command does it: in a folder, with progress, and told from end to end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rich.console import Console

from jinv.cli.progress import Progress
from jinv.cli.stopping import Stop
from jinv.console import remark
from jinv.devices import device_name, peak_memory_mib
from jinv.engine.events import Event
from jinv.engine.notes import Outcome
from jinv.errors import Diverged, Interrupted
from jinv.inversion.job import Job
from jinv.models.classifier import Classifier
from jinv.report.html import count
from jinv.report.run_folder import RunFolder


def run_in_folder(
    out: Path,
    job: Job,
    console: Console,
    judge: Classifier | None,
    *,
    overwrite: bool,
    announce: Callable[[bool], None],
    conclude: Callable[[dict[str, Any], str], None],
    started: float,
) -> int:
    """Do a job in a folder, or what is left of it; returns the exit status.

    Args:
        out: Path of the folder.
        job: Job to do.
        console: Console for progress.
        judge: Network that judges the images, if any.
        overwrite: Whether to remove the run that the folder holds.
        announce: Says what begins; told whether it goes on.
        conclude: Says what came out: the summary, and what it took.
        started: Time at which the command began, by `time.monotonic`.
    """
    with RunFolder(out, job, overwrite=overwrite) as folder:
        if folder.summary is not None:
            console.print(
                f"{out} holds this run, finished: there is nothing to do, and "
                "--overwrite begins it anew"
            )
            if judge and "judge" not in folder.summary:
                console.print(
                    f"{judge.spec.name} has not judged it: `jinv evaluate` judges a "
                    "set, and --overwrite makes the images anew"
                )
            conclude(folder.summary, "")
            return 0
        announce(folder.begun and not overwrite)
        for prior in job.priors:
            weighs = f"weight {job.numbers[prior.weight_name]:g}"
            console.print(
                f"with {prior.role}: {prior.prior.name}, {prior.form}, {weighs}"
            )
        status = _carry_out(folder, job, console)
        extra = {"device": device_name(), "peak_memory_mib": peak_memory_mib()}
        total = time.monotonic() - started
        summary = folder.finish(status.name, total, status.outcome, judge, extra)
    conclude(summary, f" ({time.monotonic() - started:.0f} s)")
    return status.code


class Sourced(Protocol):
    """What presets of all kinds say of themselves."""

    @property
    def source(self) -> str:
        """Source of the settings."""
        ...

    @property
    def expected(self) -> str:
        """Yield that they are known for; "" where nobody knows."""
        ...


def preset_told(name: str | None, preset: Sourced) -> str:
    """Say which preset it is, where it comes from, and what it is known to yield.

    Args:
        name: Name of the preset; None for "default".
        preset: Preset of that name.
    """
    facts = [preset.source, preset.expected and f"expected: {preset.expected}"]
    return f"preset {name or 'default'} ({'; '.join(filter(None, facts))})"


def warn_of_batches(whose: str, meant: int, found: int, console: Console) -> None:
    """Say so where weights are for batches of another size; 0 is for any."""
    if meant not in (0, found):
        about = f"the weights of {whose} are for batches of {meant}"
        console.print(remark("warning", f"{about}, not {found}"))


def told(summary: dict[str, Any], out: Path, console: Console, took: str) -> None:
    """Say how many images there are, and where everything about them is."""
    console.print(
        f"{count(summary['images'], 'image')} in {out}/images, all about this run in "
        f"{out}/index.html{took}"
    )


class _Status(NamedTuple):
    """How a run ended, its bill, and the exit status."""

    name: str
    outcome: Outcome | None
    code: int


def _carry_out(folder: RunFolder, job: Job, console: Console) -> _Status:
    """Do what is missing of a run, showing progress; a fault is told, not raised."""
    missing = folder.missing()
    with Stop() as stop, Progress(console) as progress:

        def on_event(event: Event) -> None:
            folder.on_event(event)
            progress.on_event(event)

        try:
            outcome = job.run(
                on_event, stop.requested, folder.checkpoints, True, missing
            )
        except Interrupted as reason:
            progress.note(f"{reason}; the same command goes on")
            return _Status("interrupted", None, stop.exit_status)
        except Diverged as reason:
            progress.note(remark("error", reason))
            return _Status("diverged", None, reason.exit_status)
    return _Status("finished", outcome, 0)
