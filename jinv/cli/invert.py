"""`jinv invert`: images of the classes asked for, and a page about them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from jinv.cli.job_options import JobOptions, job_defaults, prepare, verdict_line
from jinv.cli.progress import Progress
from jinv.cli.stopping import Stop
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.events import Event
from jinv.engine.parallel import device_name, peak_memory_mib
from jinv.errors import Diverged, Interrupted
from jinv.inversion.presets import find_preset
from jinv.report.run_folder import RunFolder


@dataclass(frozen=True)
class Invert(JobOptions):
    """Turn a classifier back into images of some of its classes.

    The folder --out then holds the images, a page about them (index.html), and all
    that is needed to repeat the run.
    """

    images: int | None = None
    """Number of images; by default 6 of each class (4 for inputs over 64 pixels)."""
    out: Path = Path("runs/invert")
    """Folder for everything that the run leaves."""
    resume: bool = False
    """Go on with the run in --out where it was interrupted."""


def defaults(words: Sequence[str]) -> Invert:
    """See `job_defaults`."""
    return job_defaults(Invert, words)


def run(options: Invert) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = Console(stderr=True)
    keep_compiled_programs()
    job, verifier = prepare(options, options.images)
    folder = RunFolder(
        options.out, job, resume=options.resume, overwrite=options.overwrite
    )
    console.print(
        f"Inverting {job.classifier.spec.name}: {len(job.labels)} images in batches of "
        f"{job.batch_size} on {device_name()}, preset {options.preset} "
        f"({find_preset(options.preset or 'default').source})",
        highlight=False,
    )
    if not job.classifier.batchnorm_names:
        console.print(
            f"{job.classifier.spec.name} has no BatchNorm statistics: the images come "
            "from the class and the image prior alone",
            highlight=False,
        )
    outcome, status, code = None, "finished", 0
    with Stop() as stop, Progress(job, console) as progress:

        def on_event(event: Event) -> None:
            folder.on_event(event)
            progress.on_event(event)

        try:
            outcome = job.run(
                on_event, stop.requested, folder.checkpoints, options.resume
            )
        except Interrupted as reason:
            status, code = "interrupted", stop.exit_status
            progress.note(f"{reason}; go on with --resume")
        except Diverged as reason:
            status, code = "diverged", 1
            progress.note(f"[red]error:[/red] {reason}")
    extra = {"device": device_name(), "peak_memory_mib": peak_memory_mib()}
    total = time.monotonic() - started
    summary = folder.finish(status, total, outcome, verifier, extra)
    if status == "finished":
        folder.close()
    for role in ("teacher", "verifier"):
        if summary[role]:
            console.print(verdict_line(role, summary[role]), highlight=False)
    console.print(
        f"{summary['images']} images in {options.out}/images, everything about them in "
        f"{options.out}/index.html ({time.monotonic() - started:.0f} s)",
        highlight=False,
        soft_wrap=True,
    )
    return code
