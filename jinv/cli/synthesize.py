"""`jinv synthesize`: a whole data set, image by image accounted for."""

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from jinv.cli.job_options import (
    JobOptions,
    devices_of,
    job_defaults,
    prepare,
    verdict_line,
)
from jinv.cli.progress import Progress
from jinv.cli.running import preset_told, warn_of_batches
from jinv.cli.stopping import Stop
from jinv.console import make_console, remark
from jinv.data.exporting import SetForm
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.events import Event
from jinv.engine.hosts import from_first_host, is_first_host, join_hosts
from jinv.errors import ConfigError, Diverged
from jinv.inversion.job import Job
from jinv.inversion.presets import find_preset
from jinv.synthesis.recipe import Recipe
from jinv.synthesis.synthetic_set import SyntheticSet
from jinv.values import Count


@dataclass(frozen=True)
class Synthesize(JobOptions):
    """Make a whole data set by inverting a classifier, batch after batch.

    Every batch has a seed of its own, so the set is the same in whatever order, and by
    however many processes, its batches are made. The same command goes on with a set
    that was interrupted.
    """

    per_class: Count | None = None
    """Images to make of each class."""
    images: Count | None = None
    """Images to make in all, instead of --per-class; the classes take turns."""
    out: Path = Path("runs/synthesize")
    """Folder of the set."""
    form: SetForm = "folder"
    """An ImageFolder of PNGs, one .npz file, or array_record for tfds."""
    split: str = "train"
    """Name of the split that the images make."""
    accepted_only: bool = False
    """Keep only images that the judge recognises."""
    best: Count | None = None
    """Keep so many of each class, those of which the judge (without one, the
    teacher) is surest."""
    soft_labels: bool = False
    """Store the teacher's logits of each image beside the set, for `jinv train
    --soft-labels`."""
    shard: str = "0/1"
    """I/N: do every N-th batch from the I-th on, I from 0 to N-1. Processes with the
    same --out share the work, and the one that finishes last puts the set together.
    Parts made in separate folders may be copied into the `parts` of one."""
    hosts: str | None = None
    """Compute each batch on several machines together: auto (Slurm, Kubernetes, TPU
    pods) or ADDRESS:PORT,I/N. Process 0 writes; an interrupted batch is begun anew."""


def defaults(words: Sequence[str]) -> Synthesize:
    """Defaults of all options, given the words of the command line."""
    return job_defaults(Synthesize, words)


def run(options: Synthesize) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    if options.hosts:
        join_hosts(options.hosts)
    console = make_console(quiet=not is_first_host())
    keep_compiled_programs()
    shard = _shard(options.shard)
    if options.images is None and options.per_class is None:
        raise ConfigError("give --per-class N or --images N: how many to make")
    job, judge = prepare(options, options.images, options.per_class)
    recipe = Recipe(
        job,
        options.form,
        options.split,
        judge,
        options.accepted_only,
        options.best,
        options.soft_labels,
    )
    # Hosts that compute together write once, and would have to agree on a checkpoint.
    with ExitStack() as stack:
        growing, missing = None, np.zeros(job.batch_count, bool)
        if is_first_host():
            growing = stack.enter_context(
                SyntheticSet(options.out, recipe, shard, overwrite=options.overwrite)
            )
            missing[growing.missing()] = True
        numbers = np.flatnonzero(from_first_host(missing)).tolist()
        _announce(options, job, growing, numbers, console)
        checkpoints = None if options.hosts or not growing else growing.checkpoints
        with Stop() as stop, Progress(console) as progress:

            def on_event(event: Event) -> None:
                if growing:
                    growing.on_event(event)
                progress.on_event(event)

            try:
                job.run(on_event, stop.requested, checkpoints, True, numbers)
            except Diverged as reason:
                kept = "finished batches are kept"
                progress.note(remark("error", f"{reason}; {kept}"))
                return reason.exit_status
        if growing:
            _conclude(growing, console, time.monotonic() - started)
    return 0


def _announce(
    options: Synthesize,
    job: Job,
    growing: SyntheticSet | None,
    numbers: list[int],
    console: Console,
) -> None:
    if growing and growing.complete:
        console.print(
            f"{options.out} holds this set, finished: 0 to do here, and --overwrite "
            "begins it anew"
        )
        return
    preset = find_preset(options.preset or "default")
    console.print(
        f"Synthesising {job.count} images from {job.classifier.spec.name} in "
        f"{job.batch_count} batches of {job.batch_size} on {devices_of(job)}, "
        f"{preset_told(options.preset, preset)}; "
        f"{len(numbers)} to do here"
        + (f" (shard {options.shard})" if options.shard != "0/1" else "")
    )
    whose = f"the preset {options.preset}"
    warn_of_batches(whose, preset.batch_size, job.batch_size, console)


def _conclude(growing: SyntheticSet, console: Console, seconds: float) -> None:
    summary = growing.finish()
    if summary is None:
        console.print(
            f"this shard is done ({seconds:.0f} s); {growing.left()} batches of other "
            "shards are missing, and whoever makes the last one puts the set together"
        )
        return
    for role in ("teacher", "judge"):
        if role in summary:
            console.print(verdict_line(role, summary[role]))
    if growing.recipe.best and (few := _short_of(growing.recipe.best, summary)):
        console.print(remark("warning", f"fewer than asked for: {few}"))
    console.print(
        f"{summary['images']} images in {growing.path}, README.md is their card "
        f"({seconds:.0f} s)"
    )


def _short_of(best: int, summary: dict) -> str:
    counts = summary["classes"].items()
    return ", ".join(f"{name} {count}" for name, count in counts if count < best)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        raise ConfigError(
            f"--shard {text!r}: expected I/N with I from 0 to N - 1, e.g. 0/4"
        )
    return int(found[1]), int(found[2])
