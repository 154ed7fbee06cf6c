"""Checking an inversion before any work is done: what is asked for becomes a job."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.devices import on_accelerator
from jinv.engine.execution import Execution
from jinv.engine.phase import STUDENT, TEACHER, Procedure
from jinv.engine.placement import make_placement
from jinv.errors import ConfigError
from jinv.inversion.classes import RANDOM, Classes, assign_labels, find_classes
from jinv.inversion.job import Job
from jinv.inversion.learned import cast_priors
from jinv.inversion.method import Method
from jinv.inversion.presets import default_preset, find_preset
from jinv.inversion.request import ClassRequest
from jinv.inversion.settings import at_sizes, with_given
from jinv.inversion.terms import LABELS
from jinv.models.classifier import Classifier
from jinv.priors.energy import STRIDE
from jinv.values import Count, Natural, Seed, shown


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
    priors: Sequence[Any] = (),
    prior_stride: Count = STRIDE,
    **overrides: Any,
) -> Job:
    """Check an inversion before any work is done.

    What is computed follows from what is asked for and whether it runs on a CPU or an
    accelerator, never from the number of devices. By default as many of them take part
    as share a batch evenly; see `Job.devices`.

    Args:
        classifier: Classifier to invert.
        classes: Names, indices, or text that `parse_classes` reads; in a list, integers
            are indices.
        images: Number of images in all.
        per_class: Number for each class, instead; by default 6 (4 where inputs are
            large).
        batch_size: Images optimised together; by default as many as is sensible, the
            images being shared out evenly over batches.
        company: Images of classes not asked for that are optimised along with every
            batch and dropped: BatchNorm's statistics are those of all classes, and
            images of few cannot have them alone. By default 3 of each for up to 20
            classes; where there are more, of random ones as many as make a batch of 20.
        method: Method by its name, from `METHODS`, or its settings; by default the
            preset's.
        preset: Name from `PRESETS`; by default one that suits the classifier.
        seed: Seed of all randomness.
        execution: How to carry the work out.
        student: Network whose answers the method is to compare with the classifier's.
        priors: Learned priors, see `cast_priors`.
        prior_stride: Distance of the patches that priors look at in a step, in pixels;
            1 for all.
        **overrides: Settings of the method that differ, e.g. `steps=(500,)`; others
            that are tied to them follow, see `with_given`.

    Raises:
        ConfigError: Something cannot work.

    Example:
        >>> from jinv import load_classifier
        >>> job = make_job(load_classifier("cifar10_resnet20"), "cat,ship", per_class=3)
        >>> job.count, job.batch_count, job.company
        (6, 1, 24)
    """
    spec = classifier.spec
    given = set(overrides)
    if method is None or isinstance(method, str):
        chosen = find_preset(preset or default_preset(spec, method), method)
        method = chosen.fitted(spec)
    elif preset is not None:
        raise ConfigError("give a preset or a method's configuration, not both")
    elif not isinstance(method, Method):
        raise ConfigError(
            f"method: expected its name or its configuration, e.g. DeepInversion(), "
            f"found {shown(method)}"
        )
    else:
        given |= set(method.__dataclass_fields__)
    execution = execution or Execution()
    taking_part = cast_priors(priors, classifier, prior_stride)
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
    make_placement(
        execution.parallel, execution.devices, batch_size + len(others), len(others)
    )
    # With its own numbers: what is remembered is the procedure of the form alone.
    procedure = settings.procedure(classifier)
    if LABELS not in procedure.asks:
        _check_unasked(settings, targets, classifier)
    request = ClassRequest(classifier, labels, others).fitting(procedure)
    cast = {TEACHER: classifier, **({STUDENT: student} if student else {})}
    _check_student(settings, procedure, classifier, student)
    return Job(cast, request, batch_size, settings, seed, execution, taking_part)


def _check_student(
    method: Method,
    procedure: Procedure,
    classifier: Classifier,
    student: Classifier | None,
) -> None:
    name, needed = type(method).__name__, STUDENT in procedure.cast
    if needed and student is None:
        raise ConfigError(
            f"{name} compares the classifier with a student: give one (--student "
            "NAME=FILE), or leave the term out (its weight 0)"
        )
    if student is None:
        return
    if not needed:
        raise ConfigError(f"{name} has no term that looks at a student: leave it out")
    if student.origin == classifier.origin:
        raise ConfigError(
            "the student has the weights of the classifier that is inverted, and "
            "agrees with it in everything: give another network"
        )
    if student.spec.classes != classifier.spec.classes:
        raise ConfigError("the student's classes are not those of the classifier")


def _check_unasked(
    method: Method, targets: Sequence[int], classifier: Classifier
) -> None:
    everything = set(range(len(classifier.spec.classes)))
    if set(targets) not in (everything, {RANDOM}):
        raise ConfigError(
            f"{type(method).__name__} asks for no classes, but names what comes out: "
            "leave --classes out, or choose a method that asks for classes"
        )


def _even_batch(images: int, most: int) -> int:
    """Choose a batch size that shares images out evenly."""
    batches = -(-images // most)
    return -(-images // batches)


def _choose(absent: np.ndarray, wanted: int, seed: int) -> np.ndarray:
    """Choose labels of company: of each absent class as many, or of some one."""
    if wanted == 0 or len(absent) == 0:
        return absent[:0]
    mixed = np.random.default_rng(seed).permutation(absent)
    return np.sort(np.resize(mixed, wanted))
