"""The options of all commands that invert a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax.numpy as jnp
import numpy as np
import tyro

from jinv.cli.networks import load_network
from jinv.engine.parallel import on_accelerator
from jinv.engine.run import Execution
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.job import Job, make_job
from jinv.inversion.presets import default_preset, find_preset
from jinv.metrics.verifier import translate_labels
from jinv.models.classifier import Classifier, load_classifier
from jinv.models.zoo import classifier_spec


@dataclass(frozen=True)
class JobOptions:
    """What is inverted, how, and who judges it."""

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
    batch_size: int | None = None
    """Images optimised together; by default chosen for the device."""
    company: int | None = None
    """Images of classes not asked for that are optimised along with every batch and
    then dropped, because BatchNorm's statistics are those of all classes; by default 3
    of each, or for more than 20 classes as many as make a batch of 20."""
    preset: str | None = None
    """Named settings, overridden by any option that is given too."""
    verifier: str | None = None
    """Network that judges the images, by its name in the zoo: NAME or NAME=FILE."""
    verifier_weights: Path | None = None
    """The verifier's weights, instead of =FILE."""
    seed: int = 0
    """Of all randomness."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the classifier's activations; auto: bfloat16 on accelerators."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time."""
    overwrite: bool = False
    """Replace what is in --out."""
    method: tyro.conf.OmitArgPrefixes[DeepInversion] = field(
        default_factory=DeepInversion
    )
    execution: tyro.conf.OmitArgPrefixes[Execution] = field(default_factory=Execution)


Options = TypeVar("Options", bound=JobOptions)


def job_defaults(kind: type[Options], words: Sequence[str]) -> Options:
    """Defaults of all options, given the words of the command line.

    The preset decides them, and the model decides the preset.

    Raises:
        ConfigError: Unknown model or preset.
    """
    model = word_after(words, "--model") or JobOptions.model
    spec = classifier_spec(model)
    name = word_after(words, "--preset") or default_preset(spec)
    preset = find_preset(name)
    return kind(
        preset=name,
        method=preset.fitted(spec),
        execution=Execution(patience=preset.patience),
    )


def prepare(
    options: JobOptions, images: int | None, per_class: int | None = None
) -> tuple[Job, Classifier | None]:
    """Load and check a job and its verifier, before anything is touched."""
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
        images,
        per_class=per_class,
        batch_size=options.batch_size,
        company=options.company,
        method=options.method,
        seed=options.seed,
        execution=options.execution,
    )
    return job, _verifier(options, classifier, job.labels)


def _verifier(
    options: JobOptions, classifier: Classifier, labels: np.ndarray
) -> Classifier | None:
    if options.verifier is None:
        if options.verifier_weights is not None:
            raise ConfigError("--verifier-weights needs --verifier MODEL")
        return None
    verifier = load_network(options.verifier, options.verifier_weights)
    if verifier.sha256 == classifier.sha256:
        raise ConfigError(
            "the verifier has the weights of the classifier that is inverted: "
            "choose a network that took no part"
        )
    translate_labels(verifier, labels, classifier.spec.classes)
    return verifier


def verdict_line(role: str, verdict: dict[str, Any]) -> str:
    """What a network recognises, in a line for people."""
    text = f"{role} {verdict['name']}: top-1 {100 * verdict['top1']:.1f} %"
    if verdict.get("top5") is not None:
        text += f", top-5 {100 * verdict['top5']:.1f} %"
    return text


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


def word_after(words: Sequence[str], flag: str) -> str | None:
    """What a command line says after a flag; None where the flag is not there."""
    for position, word in enumerate(words):
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
        if word == flag and position + 1 < len(words):
            return words[position + 1]
    return None
