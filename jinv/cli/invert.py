"""`jinv invert`: images of the classes asked for, and a page about them."""

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

import jax.numpy as jnp
import tyro
from rich.console import Console

from jinv.cli.progress import Progress
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.events import Event
from jinv.engine.parallel import device_name, on_accelerator, peak_memory_mib
from jinv.engine.run import Diverged, Execution, Interrupted
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.job import Job, make_job
from jinv.inversion.presets import PRESETS, default_preset, find_preset
from jinv.metrics.verifier import translate_labels
from jinv.models.classifier import Classifier, load_classifier
from jinv.models.zoo import classifier_spec
from jinv.report.run_folder import RunFolder


@dataclass(frozen=True)
class Invert:
    """Turn a classifier back into images of some of its classes.

    The folder --out then holds the images, a page about them (index.html), and all
    that is needed to repeat the run.
    """

    classes: str = "all"
    """Comma-separated: indices (3), names (cat), ranges (0-4), all, random."""
    model: str = "cifar10_resnet20"
    """Classifier to invert, by its name in the zoo (`jinv models`)."""
    weights: Path | None = None
    """Its weights: .safetensors, .npz or a PyTorch file; by default the project's own,
    an installed package's, or a download."""
    class_names: str | None = None
    """Names of the classes where they are not the zoo's: comma-separated, or a text
    file with one on each line."""
    images: int | None = None
    """Number of images; by default 6 of each class (4 for inputs over 64 pixels)."""
    batch_size: int | None = None
    """Images optimised together; by default chosen for the device."""
    company: int | None = None
    """Images of classes not asked for that are optimised along with every batch and
    then dropped, because BatchNorm's statistics are those of all classes; by default 3
    of each, or for more than 20 classes as many as make a batch of 20."""
    preset: str | None = None
    """Named settings, overridden by any option that is given too."""
    verifier: str | None = None
    """Network that judges the images, by its name in the zoo."""
    verifier_weights: Path | None = None
    """The verifier's weights, as for --weights."""
    out: Path = Path("runs/invert")
    """Folder for everything that the run leaves."""
    resume: bool = False
    """Go on with the run in --out where it was interrupted."""
    overwrite: bool = False
    """Replace the run in --out."""
    seed: int = 0
    """Of all randomness."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the classifier's activations; auto: bfloat16 on accelerators."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time."""
    method: tyro.conf.OmitArgPrefixes[DeepInversion] = field(
        default_factory=DeepInversion
    )
    execution: tyro.conf.OmitArgPrefixes[Execution] = field(default_factory=Execution)


def defaults(words: list[str]) -> Invert:
    """Defaults of all options, given the words of the command line.

    The preset decides them, and the model decides the preset.

    Raises:
        ConfigError: Unknown model or preset.
    """
    model = _word_after(words, "--model") or Invert.model
    spec = classifier_spec(model)
    name = _word_after(words, "--preset") or default_preset(spec)
    preset = find_preset(name)
    return Invert(
        preset=name,
        method=preset.fitted(spec),
        execution=Execution(patience=preset.patience),
    )


def run(options: Invert) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = Console(stderr=True)
    keep_compiled_programs()
    job, verifier = _prepare(options)
    folder = RunFolder(
        options.out, job, resume=options.resume, overwrite=options.overwrite
    )
    console.print(
        f"Inverting {job.classifier.spec.name}: {len(job.labels)} images in batches of "
        f"{job.batch_size} on {device_name()}, preset {options.preset} "
        f"({PRESETS[options.preset or 'default'].source})",
        highlight=False,
    )
    if not job.classifier.batchnorm_names:
        console.print(
            f"{job.classifier.spec.name} has no BatchNorm statistics: the images come "
            "from the class and the image prior alone",
            highlight=False,
        )
    stop = _Stop()
    outcome, status, code = None, "finished", 0
    with Progress(job, console) as progress:

        def on_event(event: Event) -> None:
            folder.on_event(event)
            progress.on_event(event)

        try:
            outcome = job.run(
                on_event, stop.requested, folder.checkpoints, options.resume
            )
        except Interrupted as reason:
            status, code = "interrupted", 128 + stop.signal
            progress.note(f"{reason}; go on with --resume")
        except Diverged as reason:
            status, code = "diverged", 1
            progress.note(f"[red]error:[/red] {reason}")
    stop.forget()
    extra = {"device": device_name(), "peak_memory_mib": peak_memory_mib()}
    total = time.monotonic() - started
    summary = folder.finish(status, total, outcome, verifier, extra)
    if status == "finished":
        folder.close()
    for role in ("teacher", "verifier"):
        if summary[role]:
            console.print(_verdict(role, summary[role]), highlight=False)
    console.print(
        f"{summary['images']} images in {options.out}/images, everything about them in "
        f"{options.out}/index.html ({time.monotonic() - started:.0f} s)",
        highlight=False,
        soft_wrap=True,
    )
    return code


def _prepare(options: Invert) -> tuple[Job, Classifier | None]:
    """Load and check everything, before anything is touched."""
    fast = options.precision == "bfloat16" or (
        options.precision == "auto" and on_accelerator()
    )
    classifier = load_classifier(
        options.model,
        options.weights,
        _names(options.class_names),
        dtype=jnp.bfloat16 if fast else jnp.float32,
        remat=options.remat,
    )
    job = make_job(
        classifier,
        options.classes,
        options.images,
        batch_size=options.batch_size,
        company=options.company,
        method=options.method,
        seed=options.seed,
        execution=options.execution,
    )
    if options.verifier is None:
        if options.verifier_weights is not None:
            raise ConfigError("--verifier-weights needs --verifier MODEL")
        return job, None
    verifier = load_classifier(options.verifier, options.verifier_weights)
    if verifier.sha256 == classifier.sha256:
        raise ConfigError(
            "the verifier has the weights of the classifier that is inverted: "
            "choose a network that took no part"
        )
    translate_labels(verifier, job.labels, classifier.spec.classes)
    return job, verifier


def _names(given: str | None) -> list[str] | None:
    if given is None:
        return None
    path = Path(given)
    lines = path.read_text().splitlines() if path.is_file() else given.split(",")
    names = [line.strip() for line in lines if line.strip()]
    if len(names) < 2:
        raise ConfigError(
            f"--class-names gives {len(names)} name(s): expected a file with one on "
            "each line, or names separated by commas"
        )
    return names


class _Stop:
    """Turns Ctrl-C and SIGTERM into a wish to stop; a second one stops at once."""

    def __init__(self) -> None:
        self.signal = 0
        watched = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._note) for number in watched}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, signal.SIG_DFL)

    def requested(self) -> bool:
        return self.signal != 0

    def forget(self) -> None:
        """Let signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _word_after(words: list[str], flag: str) -> str | None:
    for position, word in enumerate(words):
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
        if word == flag and position + 1 < len(words):
            return words[position + 1]
    return None


def _verdict(role: str, verdict: dict) -> str:
    text = f"{role} {verdict['name']}: top-1 {100 * verdict['top1']:.1f} %"
    if verdict["top5"] is not None:
        text += f", top-5 {100 * verdict['top5']:.1f} %"
    return text
