"""Showing what excites a network: the front door of visualisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.engine.events import BatchDone, Logged, Made
from jinv.engine.notes import Outcome
from jinv.inversion.classes import Classes
from jinv.inversion.job import Job
from jinv.models.classifier import Classifier
from jinv.visualization.make_job import make_visualization


# Compared by identity, as a job is.
@dataclass(frozen=True, eq=False)
class Visualized:
    """What a visualisation yields.

    Attributes:
        images: Images (images, height, width, channels), float32 in [0, 1].
        names: What each is for: a unit, a class, a direction, or a photograph.
        log: Measurements over the steps, as in `metrics.jsonl`.
        outcome: Bill of the run.
        job: Job that was done.

    Example:
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> found = jinv.visualize(network, "stage3:0-1", classes="cat", steps=2)
        >>> found.names
        ['stage3_0', 'stage3_1', 'cat']
    """

    images: np.ndarray
    names: list[str]
    log: list[dict[str, Any]]
    outcome: Outcome
    job: Job


@checked
def visualize(
    classifier: Classifier,
    units: str | Sequence[str] = (),
    *,
    classes: Classes | None = None,
    directions: Any = None,
    layers: str | Sequence[str] = (),
    start: Any = None,
    caricature: Any = None,
    **options: Any,
) -> Visualized:
    """Make images that excite what is asked for in a network as much as they can.

    Args:
        classifier: Network, e.g. from `load_classifier`.
        units: Units, each for an image, e.g. "conv5:0-23 conv4:7@centre"; see
            `find_units`.
        classes: Classes, each for an image, e.g. "cat,ship".
        directions: Directions among the channels of a layer: a vector, several as the
            rows of a matrix, or either by name.
        layers: Layer of the directions; or layers that dream, or see a caricature.
        start: Photographs that images start from (images, height, width, channels):
            one for all, or one for each. With `layers` alone they are dreamt on.
        caricature: Photographs whose features are exaggerated.
        **options: Options of `make_visualization`.

    Raises:
        ConfigError: Something cannot work.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> jinv.visualize(network, "stage2:0-3", steps=2).images.shape
        (4, 32, 32, 3)
        >>> photograph = jinv.dead_leaves(1, 48)
        >>> brief = {"octaves": 1, "steps": 1}
        >>> dream = jinv.visualize(network, layers="stage2", start=photograph, **brief)
        >>> dream.images.shape
        (1, 48, 48, 3)
    """
    job = make_visualization(
        classifier,
        units,
        classes=classes,
        directions=directions,
        layers=layers,
        start=start,
        caricature=caricature,
        **options,
    )
    done: list[Made] = []
    log: list[dict[str, Any]] = []
    session = job.session()
    for event in session:
        if isinstance(event, BatchDone):
            done.append(event.made)
        elif isinstance(event, Logged):
            log.append(event.row)
    inputs = np.concatenate([made.inputs for made in done])
    found = np.clip(classifier.denormalise(inputs), 0, 1)
    names = [name for made in done for name in made.names]
    return Visualized(found, names, log, session.outcome, job)
