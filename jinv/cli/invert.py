"""`jinv invert`: images of the classes asked for, and a page about them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from jinv.cli.job_options import (
    JobOptions,
    devices_of,
    job_defaults,
    prepare,
    verdict_line,
)
from jinv.cli.running import preset_told, run_in_folder, told, warn_of_batches
from jinv.console import make_console
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.inversion.presets import find_preset
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
    console = make_console()
    keep_compiled_programs()
    if options.resume and options.overwrite:
        raise ConfigError("give --resume or --overwrite, not both")
    job, judge = prepare(options, options.images)
    return run_in_folder(
        options.out,
        job,
        console,
        judge,
        overwrite=options.overwrite,
        announce=lambda begun: _announce(options, job, begun, console),
        conclude=lambda summary, took: _conclude(summary, options.out, console, took),
        started=started,
    )


def _announce(options: Invert, job: Job, begun: bool, console: Console) -> None:
    name = job.classifier.spec.name
    preset = find_preset(options.preset or "default")
    console.print(
        f"{'Going on with' if begun else 'Inverting'} {name}: {job.count} images "
        f"in batches of {job.batch_size} on {devices_of(job)}, "
        + preset_told(options.preset, preset)
    )
    whose = f"the preset {options.preset}"
    warn_of_batches(whose, preset.batch_size, job.batch_size, console)
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
    told(summary, out, console, took)
