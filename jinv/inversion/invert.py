"""Turning a classifier into images: the library's front door."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.engine.notes import Outcome
from jinv.inversion.classes import Classes
from jinv.inversion.job import Job
from jinv.inversion.make_job import make_job
from jinv.inversion.request import about_labels
from jinv.models.classifier import Classifier
from jinv.values import Count


# Compared by identity, as a job is.
@dataclass(frozen=True, eq=False)
class Result:
    """What an inversion yields.

    Attributes:
        images: Images (images, height, width, channels), float32 in [0, 1].
        labels: Class asked for in each (images,).
        log: Measurements over the steps, as in `metrics.jsonl`.
        outcome: Bill of the run.
        job: Job that was done.

    Example:
        >>> import jinv
        >>> teacher = jinv.load_classifier("cifar10_resnet20")
        >>> result = jinv.invert(teacher, "cat,ship", images=2, steps=(2,))
        >>> result.labels.tolist(), result.log[-1]["step"]
        ([3, 8], 2)
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
            f"<Result: {about_labels(self.labels)}, {height}x{width}, by "
            f"{self.job.classifier.spec.name} in {self.outcome.running:.0f} s>"
        )


@checked
def invert(
    classifier: Classifier,
    classes: Classes,
    images: Count | None = None,
    **options: Any,
) -> Result:
    """Turn a classifier back into images of some of its classes.

    Args:
        classifier: Classifier, e.g. from `load_classifier`.
        classes: Classes, e.g. "cat,ship", "0-4", "all", 3, or [0, 3].
        images: Number of images in all.
        **options: Options of `make_job`.

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
    return Result(*job.gather(), job)
