"""The options of all commands that invert a classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from jinv.cli.networks import NetworkFacts, load_network
from jinv.devices import device_count, device_name
from jinv.engine.execution import Execution
from jinv.engine.precision import Precision, activation_type
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.job import Job
from jinv.inversion.learned import COMMON_WEIGHT
from jinv.inversion.make_job import make_job
from jinv.inversion.methods import METHODS, method_name
from jinv.inversion.presets import PRESETS, default_preset, find_preset
from jinv.inversion.settings import at_sizes, in_place
from jinv.metrics.judge import translate_labels
from jinv.models.classifier import Classifier
from jinv.models.loading import load_classifier
from jinv.models.zoo import classifier_spec
from jinv.priors.energy import STRIDE
from jinv.values import Count, Natural, Seed


@dataclass(frozen=True)
class WorkOptions:
    """What network is worked with, and how the work is carried out."""

    model: str = "cifar10_resnet20"
    """Classifier to invert, by its name in the zoo (`jinv models`)."""
    weights: Path | None = None
    """Weights of --model: a file of safetensors, PyTorch, Flax, .npz, …, or a folder
    with one; by default the project's own, an installed package's, or a download."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    batch_size: Count | None = None
    """Images optimised together; by default chosen for the device."""
    preset: Annotated[
        str | None, tyro.conf.arg(metavar=f"{{{','.join(PRESETS)},FILE.json}}")
    ] = None
    """Named settings of a method, or a .json file as `jinv search` leaves it;
    overridden by any option that is given too."""
    seed: Seed = 0
    """Seed of all randomness."""
    precision: Precision = "auto"
    """Type of the classifier's activations; auto: bfloat16 on accelerators."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time."""
    prior: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A learned prior that takes part, FILE or FILE:WEIGHT, as `jinv prior` writes it;
    may be given several times. By default it weighs --w-prior."""
    prior_stride: Count | None = None
    """Distance of the patches that priors look at in a step, on a random grid for each
    image, in pixels; 1 for all patches; by default 4."""
    overwrite: bool = False
    """Replace what is in --out."""
    execution: tyro.conf.OmitArgPrefixes[Execution] = field(default_factory=Execution)
    before: tyro.conf.Suppress[Mapping[str, Any]] = field(default_factory=dict)
    """What the preset has where the command line gives settings, by their names; others
    may follow these, see `Method.follow`."""

    def network(self) -> Classifier:
        """Load the network."""
        return load_classifier(
            self.model,
            self.weights,
            **self.facts.given().to_json(),
            dtype=activation_type(self.precision),
            remat=self.remat,
        )

    def learned_priors(self) -> dict[str, Any]:
        """Tell which learned priors take part, and how, by the names of jobs' options.

        Raises:
            ConfigError: There are none, but something is said of how they take part.
        """
        if not self.prior:
            stray = "--prior-stride" if self.prior_stride is not None else ""
            stray = "--w-prior" if COMMON_WEIGHT in self.before else stray
            if stray:
                raise ConfigError(
                    f"{stray} is of learned priors: give --prior FILE too"
                )
        return {"priors": self.prior, "prior_stride": self.prior_stride or STRIDE}


@dataclass(frozen=True)
class JobOptions(WorkOptions):
    """What is inverted, how, and who judges it."""

    classes: str = "all"
    """Comma-separated: names (cat), indices (3), ranges (0-4), all, random. Where
    classes are called by other numbers, name:3 and index:3 tell them apart."""
    company: Natural | None = None
    """Images of classes not asked for that are optimised along with every batch and
    then dropped, because BatchNorm's statistics are those of all classes; by default 3
    of each, or for more than 20 classes as many as make a batch of 20."""
    method: Annotated[str | None, tyro.conf.arg(metavar=f"{{{','.join(METHODS)}}}")] = (
        None
    )
    """How images are found. Each method has settings of its own: see --help with it."""
    student: str | None = None
    """Network with which some methods compare the classifier: NAME or NAME=FILE."""
    judge: str | None = None
    """Network that judges the images, by its name in the zoo: NAME or NAME=FILE."""
    judge_weights: Path | None = None
    """The judge's weights, instead of =FILE."""
    settings: tyro.conf.OmitArgPrefixes[Any] = field(default_factory=DeepInversion)


Options = TypeVar("Options", bound=JobOptions)


def job_defaults(kind: type[Options], words: Sequence[str]) -> Options:
    """Defaults of all options, given the words of the command line.

    The preset decides them, and the method and the model decide the preset. The type of
    its settings decides which options there are: that is how tyro reads `Any`.

    Raises:
        ConfigError: Unknown model, method or preset, a preset of another method, or an
            option of one.
    """
    spec = classifier_spec(word_after(words, "--model") or JobOptions.model)
    asked = word_after(words, "--method")
    name = word_after(words, "--preset") or default_preset(spec, asked)
    preset = find_preset(name, asked)
    method = method_name(preset.method)
    given = settings_in(words)
    _refuse_settings_of_others(given, method)
    settings = preset.fitted(spec)
    return kind(
        method=method, preset=name, settings=settings, before=in_place(settings, given)
    )


def settings_in(words: Sequence[str]) -> dict[str, str]:
    """Tell what a command line seems to give: flags by the names of their settings."""
    flags = (word.partition("=")[0] for word in words if word.startswith("--"))
    return {
        flag.removeprefix("--").removeprefix("no-").replace("-", "_"): flag
        for flag in flags
    }


def _refuse_settings_of_others(given: Mapping[str, str], method: str) -> None:
    settings = {n: {f.name for f in fields(i.kind)} for n, i in METHODS.items()}
    for setting, flag in given.items():
        owners = [name for name in settings if setting in settings[name]]
        if owners and method not in owners:
            raise ConfigError(
                f"the method {method} has no {flag}, which --method "
                f"{' and '.join(owners)} has"
            )


def prepare(
    options: JobOptions, images: int | None, per_class: int | None = None
) -> tuple[Job, Classifier | None]:
    """Load and check a job and its judge, before anything is touched."""
    classifier = options.network()
    job = make_job(
        classifier,
        options.classes,
        images,
        per_class=per_class,
        batch_size=options.batch_size,
        company=options.company,
        method=at_sizes(
            options.settings.follow(options.before), classifier, options.before
        ),
        student=load_network(options.student) if options.student else None,
        seed=options.seed,
        execution=options.execution,
        **options.learned_priors(),
    )
    return job, _judge(options, job)


def _judge(options: JobOptions, job: Job) -> Classifier | None:
    if options.judge is None:
        if options.judge_weights is not None:
            raise ConfigError("--judge-weights needs --judge MODEL")
        return None
    judge = load_network(options.judge, options.judge_weights)
    classifier = job.classifier
    if judge.sha256 == classifier.sha256:
        raise ConfigError(
            "the judge has the weights of the classifier that is inverted: "
            "choose a network that took no part"
        )
    if job.student and judge.sha256 == job.student.sha256:
        raise ConfigError(
            "the judge has the weights of the student, with which the classifier is "
            "compared: choose a network that took no part"
        )
    translate_labels(judge, job.request.labels, classifier.spec.classes)
    return judge


def verdict_line(role: str, verdict: dict[str, Any]) -> str:
    """Say what a network recognises, in a line for people."""
    text = f"{role} {verdict['name']}: top-1 {100 * verdict['top1']:.1f} %"
    if verdict.get("top5") is not None:
        text += f", top-5 {100 * verdict['top5']:.1f} %"
    return text


def devices_of(job: Job) -> str:
    """Say what a job runs on, for people."""
    there = device_count()
    if there == 1:
        return device_name()
    return f"{job.devices} of {there} {device_name()} devices"


def words_after(words: Sequence[str], flag: str) -> list[str]:
    """List what a command line says after a flag, the last time that it is there."""
    found: list[str] = []
    listing = False
    for word in words:
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == flag:
            found, listing = ([value] if equals else []), not equals
        elif word.startswith("--"):
            listing = False
        elif listing:
            found.append(word)
    return found


def word_after(words: Sequence[str], flag: str) -> str | None:
    """Find the first of them; None where there is none."""
    return next(iter(words_after(words, flag)), None)
