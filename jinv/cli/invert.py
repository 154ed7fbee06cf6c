"""`jinv invert`: images of the classes asked for, and a page about them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from jinv.cli.job_options import (
    JobOptions,
    devices_of,
    job_defaults,
    prepare,
    verdict_line,
)
from jinv.cli.progress import Progress
from jinv.cli.stopping import Stop
from jinv.devices import device_name, peak_memory_mib
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.events import Event
from jinv.engine.notes import Outcome
from jinv.errors import ConfigError, Diverged, Interrupted
from jinv.inversion.job import Job
from jinv.inversion.presets import find_preset
from jinv.report.run_folder import RunFolder
from jinv.values import Count


@dataclass(frozen=True)
class Invert(JobOptions):
    """Turn a classifier back into images of some of its classes.

    The folder --out then holds the images, a page about them (index.html), and all
    that is needed to repeat the run.
    """

    images: Count | None = None
    """Number of images; by default 6 of each class (4 for inputs over 64 pixels)."""
    out: Path = Path("runs/invert")
    """Folder for everything that the run leaves."""
    resume: bool = False
    """Go on with the run in --out where it was interrupted, as the same command does
    by itself."""


def defaults(words: Sequence[str]) -> Invert:
    """Defaults of all options, given the words of the command line."""
    return job_defaults(Invert, words)


def run(options: Invert) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    keep_compiled_programs()
    if options.resume and options.overwrite:
        raise ConfigError("give --resume or --overwrite, not both")
    job, judge = prepare(options, options.images)
    with RunFolder(options.out, job, overwrite=options.overwrite) as folder:
        if folder.summary is not None:
            console.print(
                f"{options.out} holds this run, finished: there is nothing to do, and "
                "--overwrite begins it anew"
            )
            _conclude(folder.summary, options.out, console)
            return 0
        _announce(options, job, folder.begun and not options.overwrite, console)
        status = carry_out(folder, job, console)
        extra = {"device": device_name(), "peak_memory_mib": peak_memory_mib()}
        total = time.monotonic() - started
        summary = folder.finish(status.name, total, status.outcome, judge, extra)
    took = f" ({time.monotonic() - started:.0f} s)"
    _conclude(summary, options.out, console, took)
    return status.code


class Status(NamedTuple):
    """How a run ended, its bill, and the exit status."""

    name: str
    outcome: Outcome | None
    code: int


def carry_out(folder: RunFolder, job: Job, console: Console) -> Status:
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
            return Status("interrupted", None, stop.exit_status)
        except Diverged as reason:
            progress.note(f"[red]error:[/red] {escape(str(reason))}")
            return Status("diverged", None, reason.exit_status)
    return Status("finished", outcome, 0)


def _announce(options: Invert, job: Job, begun: bool, console: Console) -> None:
    name = job.classifier.spec.name
    console.print(
        f"{'Going on with' if begun else 'Inverting'} {name}: {job.count} images "
        f"in batches of {job.batch_size} on {devices_of(job)}, preset {options.preset} "
        f"({find_preset(options.preset or 'default').source})"
    )
    if not job.classifier.batchnorm_names:
        console.print(
            f"{name} has no BatchNorm statistics: the images come from the class and "
            "the image prior alone"
        )


def _conclude(
    summary: dict[str, Any], out: Path, console: Console, took: str = ""
) -> None:
    for role in ("teacher", "judge"):
        if summary[role]:
            console.print(verdict_line(role, summary[role]))
    console.print(
        f"{summary['images']} images in {out}/images, everything about them in "
        f"{out}/index.html{took}"
    )
