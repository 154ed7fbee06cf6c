"""An inversion that has been checked and can be run: the library's front door."""

from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Event, Frame, Logged
from jinv.engine.parallel import make_placement, on_accelerator, sharing_devices
from jinv.engine.phase import Procedure
from jinv.engine.run import Execution, Outcome, run
from jinv.errors import ConfigError
from jinv.inversion.classes import RANDOM, Classes, assign_labels, find_classes
from jinv.inversion.method import Method
from jinv.inversion.presets import default_preset, find_preset
from jinv.inversion.settings import with_given
from jinv.models.classifier import Classifier
from jinv.models.classify import classify
from jinv.models.facts import Facts
from jinv.values import Count, Natural, Seed, shown


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Job:
    """What is computed: all that changes the images, and how the work is carried out.

    Attributes:
        classifier: The network to invert.
        labels: The class of each image (images,).
        batch_size: Images that are optimised together, and kept.
        company: Classes of further images that are optimised with each batch, and
            dropped: they let it have the statistics of all classes.
        method: How.
        seed: Of all randomness.
        execution: How the work is carried out.
        student: A network whose answers some methods compare with the classifier's.
    """

    classifier: Classifier
    labels: np.ndarray
    batch_size: int
    company: np.ndarray
    method: Method
    seed: int
    execution: Execution
    student: Classifier | None = None

    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""
        spec = self.classifier.spec
        return {
            "model": spec.name,
            "weights_sha256": self.classifier.sha256,
            **Facts.beyond_zoo(spec).to_json(),
            "precision": np.dtype(self.classifier.dtype).name,
            "labels": self.labels.tolist(),
            "batch_size": self.batch_size,
            "company": self.company.tolist(),
            "seed": self.seed,
            "method": type(self.method).__name__,
            "settings": asdict(self.method),
            **({"student_sha256": self.student.sha256} if self.student else {}),
            "bn_scope": self.execution.bn_scope,
            **({"devices": self.devices} if self.execution.bn_scope == "local" else {}),
            "patience": self.execution.patience,
        }

    def __repr__(self) -> str:
        """A line for people; `describe` tells all."""
        return (
            f"<Job: {_about(self.labels)} by {self.classifier.spec.name}, "
            f"{type(self.method).__name__}, batches of {self.batch_size} and "
            f"{len(self.company)} in company, seed {self.seed}>"
        )

    @cached_property
    def procedure(self) -> Procedure:
        """What the engine does with each batch."""
        return self.method.procedure(self.classifier)

    @property
    def batches(self) -> int:
        """How many batches make all the images."""
        return -(-len(self.labels) // self.batch_size)

    @property
    def devices(self) -> int:
        """How many devices share each batch, of those that there are."""
        company = len(self.company)
        return sharing_devices(
            self.execution.devices, self.batch_size + company, company
        )

    def numbers_of(self, batch: int) -> range:
        """The numbers of the images that a batch yields."""
        first = batch * self.batch_size
        return range(first, min(first + self.batch_size, len(self.labels)))

    def labels_of(self, numbers: Sequence[int], images: np.ndarray) -> np.ndarray:
        """What finished images show.

        The classes asked for; or, where the method asks for none, the classifier's
        answers.

        Args:
            numbers: The images' numbers.
            images: (images, height, width, channels), uint8.
        """
        if self.procedure.labelled:
            return self.labels[np.asarray(numbers, int)]
        return np.argmax(classify(self.classifier, images), -1).astype(np.int32)

    def run(
        self,
        on_event: Callable[[Event], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
        resume: bool = False,
        numbers: Sequence[int] | None = None,
    ) -> Outcome:
        """Carry the job out; see `jinv.engine.run.run`."""

        def keep(event: Event) -> None:
            if isinstance(event, BatchDone | Frame):
                kept = len(self.numbers_of(event.position.batch))
                event = replace(event, inputs=event.inputs[:kept])
            on_event(event)

        return run(
            self.classifier,
            self.procedure,
            _batches(self.labels, self.batch_size, self.company),
            self.seed,
            self.execution,
            student=self.student,
            numbers=numbers,
            on_event=keep,
            should_stop=should_stop,
            checkpoints=checkpoints,
            resume=resume,
        )


# Compared by identity, as a job is.
@dataclass(frozen=True, eq=False)
class Result:
    """What an inversion yields.

    Attributes:
        images: (images, height, width, channels), float32 in [0, 1].
        labels: The class asked for in each (images,).
        log: Measurements over the steps, as in `metrics.jsonl`.
        outcome: What it took.
        job: What was computed.
    """

    images: np.ndarray
    labels: np.ndarray
    log: list[dict[str, Any]]
    outcome: Outcome
    job: Job

    def __repr__(self) -> str:
        """A line for people."""
        height, width = self.images.shape[1:3]
        return (
            f"<Result: {_about(self.labels)}, {height}x{width}, by "
            f"{self.job.classifier.spec.name} in {self.outcome.running:.0f} s>"
        )


@checked
def make_job(
    classifier: Classifier,
    classes: Classes,
    images: Count | None = None,
    *,
    per_class: Count | None = None,
    batch_size: Count | None = None,
    company: Natural | None = None,
    method: Method | str | None = None,
    preset: str | None = None,
    seed: Seed = 0,
    execution: Execution | None = None,
    student: Classifier | None = None,
    **overrides: Any,
) -> Job:
    """Check an inversion before any work is done.

    What is computed follows from what is asked for and whether it runs on a CPU or an
    accelerator, never from the number of devices. By default as many of them take part
    as share a batch evenly; see `Job.devices`.

    Args:
        classifier: The network to invert.
        classes: Names, indices, or text that `parse_classes` reads; in a list, integers
            are indices.
        images: How many in all.
        per_class: Instead, how many of each class; by default 6 (4 where inputs are
            large).
        batch_size: Images optimised together; by default as many as is sensible, the
            images being shared out evenly over batches.
        company: Images of classes not asked for that are optimised along with every
            batch and dropped: BatchNorm's statistics are those of all classes, and
            images of few cannot have them alone. By default 3 of each for up to 20
            classes; where there are more, of random ones as many as make a batch of 20.
        method: Its name, from `METHODS`, or its configuration; by default the preset's.
        preset: A name from `PRESETS`; by default one that suits the classifier.
        seed: Of all randomness.
        execution: How to carry the work out.
        student: A network whose answers the method is to compare with the classifier's.
        **overrides: Settings of the method that differ, e.g. `steps=(500,)`; others
            that are tied to them follow, see `with_given`.

    Raises:
        ConfigError: Something cannot work.
    """
    spec = classifier.spec
    given = set(overrides)
    if method is None or isinstance(method, str):
        chosen = find_preset(preset or default_preset(spec, method), method)
        execution = execution or Execution(patience=chosen.patience)
        method = chosen.fitted(spec)
    elif preset is not None:
        raise ConfigError("give a preset or a method's configuration, not both")
    elif isinstance(method, type) or not hasattr(method, "procedure"):
        raise ConfigError(
            f"method: expected its name or its configuration, e.g. DeepInversion(), "
            f"found {shown(method)}"
        )
    else:
        given |= set(method.__dataclass_fields__)
    execution = execution or Execution()
    settings = at_sizes(with_given(method, overrides), classifier, given)
    names = spec.classes
    targets = find_classes(classes, names)
    if images is not None and per_class is not None:
        raise ConfigError("give the number of images or of images per class, not both")
    each = (6 if spec.small else 4) if per_class is None else per_class
    count = len(targets) * each if images is None else images
    labels = assign_labels(targets, count, len(names), seed)
    if batch_size is None:
        most = 64 if on_accelerator() else 100 if spec.small else 20
        batch_size = _even_batch(count, most)
    absent = np.setdiff1d(np.arange(len(names), dtype=np.int32), labels)
    if company is None:
        few = len(names) <= 20
        company = 3 * len(absent) if few else max(0, 20 - batch_size)
    others = _choose(absent, company, seed)
    job = Job(
        classifier, labels, batch_size, others, settings, seed, execution, student
    )
    make_placement(
        execution.parallel,
        execution.devices,
        batch_size + len(others),
        execution.bn_scope,
        len(others),
    )
    _check_procedure(job, targets)
    return job


@checked
def invert(
    classifier: Classifier,
    classes: Classes,
    images: Count | None = None,
    **options: Any,
) -> Result:
    """Turn a classifier back into images of some of its classes.

    Args:
        classifier: From `load_classifier`.
        classes: E.g. "cat,ship", "0-4", "all", 3, or [0, 3].
        images: How many.
        **options: As for `make_job`.

    Raises:
        ConfigError: Something cannot work.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import jinv
        >>> teacher = jinv.load_classifier("cifar10_resnet20")
        >>> result = jinv.invert(teacher, "cat,ship", images=2, steps=(2,))
        >>> result.images.shape
        (2, 32, 32, 3)
    """
    job = make_job(classifier, classes, images, **options)
    done: list[np.ndarray] = []
    log: list[dict[str, Any]] = []

    def collect(event: Event) -> None:
        if isinstance(event, BatchDone):
            done.append(event.inputs)
        elif isinstance(event, Logged):
            log.append(event.row)

    outcome = job.run(collect)
    inputs = np.concatenate(done)
    shown = np.clip(classifier.denormalise(inputs), 0, 1)
    labels = job.labels_of(range(len(shown)), np.rint(255 * shown).astype(np.uint8))
    return Result(shown, labels, log, outcome, job)


def at_sizes(method: Any, classifier: Classifier, given: Container[str]) -> Any:
    """A method whose resolutions a classifier takes: where it does not, its own alone.

    Args:
        method: The configuration.
        classifier: Networks with dense layers over positions take one size only.
        given: Names of the settings that somebody gave.

    Raises:
        ConfigError: Resolutions were given that it does not take.
    """
    sizes = getattr(method, "resolutions", ())
    least = min(sizes, default=classifier.spec.input_size)
    if classifier.takes(least):
        return method
    if "resolutions" in given:
        raise ConfigError(
            f"resolutions: {classifier.spec.name} takes no inputs of {least}x{least} "
            f"pixels, only of its own {classifier.spec.input_size}"
        )
    return with_given(method, {"resolutions": ()})


def _check_procedure(job: Job, targets: Sequence[int]) -> None:
    """What the method makes of the job, and whether that can work."""
    procedure, name = job.procedure, type(job.method).__name__
    if procedure.student and job.student is None:
        raise ConfigError(
            f"{name} compares the classifier with a student: give one (--student "
            "NAME=FILE), or leave the term out (its weight 0)"
        )
    if job.student and not procedure.student:
        raise ConfigError(f"{name} has no term that looks at a student: leave it out")
    if job.student and job.student.sha256 == job.classifier.sha256 != "":
        raise ConfigError(
            "the student has the weights of the classifier that is inverted, and "
            "agrees with it in everything: give another network"
        )
    if job.student and job.student.spec.classes != job.classifier.spec.classes:
        raise ConfigError("the student's classes are not those of the classifier")
    everything = set(range(len(job.classifier.spec.classes)))
    if not procedure.labelled and set(targets) not in (everything, {RANDOM}):
        raise ConfigError(
            f"{name} asks for no classes, but names what comes out: leave --classes "
            "out, or choose a method that asks for classes"
        )


def _even_batch(images: int, most: int) -> int:
    """A batch size that shares images out evenly."""
    batches = -(-images // most)
    return -(-images // batches)


def _choose(absent: np.ndarray, wanted: int, seed: int) -> np.ndarray:
    """Labels of company: of each absent class as many, or of some of them one."""
    if wanted == 0 or len(absent) == 0:
        return absent[:0]
    mixed = np.random.default_rng(seed).permutation(absent)
    return np.sort(np.resize(mixed, wanted))


def _about(labels: np.ndarray) -> str:
    """How many images there are, and of how many classes."""
    images, classes = len(labels), len(np.unique(labels))
    return (
        f"{images} image{'s' * (images != 1)} of {classes} class{'es' * (classes != 1)}"
    )


def _batches(labels: np.ndarray, size: int, company: np.ndarray) -> list[np.ndarray]:
    """Cut labels into batches, filling the last one up from the start.

    Surplus images are optimised with the others, for the statistics, and dropped.
    """
    count = -(-len(labels) // size)
    filled = np.resize(labels, (count, size))
    return [np.concatenate([batch, company]) for batch in filled]
