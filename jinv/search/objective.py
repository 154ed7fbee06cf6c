"""Objectives: what a search improves, one number for a set of images."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from jinv.data.labelled import ArrayImages
from jinv.errors import ConfigError, DataError
from jinv.metrics.bootstrap import Estimate, bootstrap_mean
from jinv.metrics.extraction import Extractor, extract
from jinv.metrics.judge import translate_labels
from jinv.metrics.measures import Measure
from jinv.metrics.subject import Need, Reference, Subject
from jinv.metrics.table import METRICS, TOP1, Metric, top1_of
from jinv.models.classifier import Classifier
from jinv.models.classify import classify
from jinv.report.evaluation_table import value_text
from jinv.suggest import check_known

OBJECTIVES = tuple(
    name for name, metric in METRICS.items() if "batch numbers" not in metric.needs
)
"""Names of all objectives: the metrics of images that no set has numbered."""

_HOW: dict[Need, str] = {
    "judge": "a judge: --judge MODEL",
    "real images": "real images: --real SET",
}
"""How to give what an objective needs."""


@dataclass(frozen=True, eq=False)
class Objective:
    """A metric, and all that it takes to compute it.

    Attributes:
        name: Name from `OBJECTIVES`.
        metric: Metric of a set, or measure of images and their targets, with its title
            and which way it should go.
        basis: Basis of its values, as JSON: values on another basis cannot be
            compared.
        compute: Function of images (images, height, width, channels), uint8, and
            their labels.
    """

    name: str
    metric: Metric | Measure
    basis: Mapping[str, Any]
    compute: Callable[[np.ndarray, np.ndarray], Estimate]

    def estimate(self, images: np.ndarray, labels: np.ndarray) -> Estimate:
        """Compute the value for images (images, height, width, channels) and labels.

        Raises:
            DataError: There is no value for these images.
        """
        found = self.compute(images, labels)
        if not isfinite(found.value):
            raise DataError(f"{self.name} is {found.value}")
        return found

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return value > than if self.metric.better == "higher" else value < than

    def text(self, value: float) -> str:
        """Write a value with its unit."""
        return value_text({"value": value}, self.metric.unit)

    def check(self, shape: tuple[int, ...], labels: np.ndarray) -> None:
        """Find out by noise whether there is a value for such images.

        Args:
            shape: Shape of all images (images, height, width, channels).
            labels: Classes of the images, as far as they have any.

        Raises:
            ConfigError: There is none.
        """
        noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        try:
            self.estimate(noise, labels)
        except DataError as error:
            raise ConfigError(
                f"the objective cannot be had of {shape[0]} images: {error}"
            ) from error


def find_objective(name: str, there: Collection[Need]) -> Metric:
    """Look up the metric of an objective, if what it needs is there.

    Raises:
        ConfigError: The objective is unknown, or lacks something.
    """
    check_known("objective", name, OBJECTIVES)
    for need in METRICS[name].needs:
        if need not in there:
            raise ConfigError(f"the objective {name} needs {_HOW[need]}")
    return METRICS[name]


def recognition(judge: Classifier, classes: Sequence[str]) -> Objective:
    """Objective by the share of images that a network recognises.

    Args:
        judge: Network that recognises them.
        classes: Names of the classes, in the order of the labels.
    """

    def top1(images: np.ndarray, labels: np.ndarray) -> Estimate:
        wanted = translate_labels(judge, labels, classes)
        return bootstrap_mean(classify(judge, images).argmax(-1) == wanted)

    return Objective(TOP1, top1_of(judge.spec.name), _network(judge), top1)


def score(
    name: str,
    extractor: Extractor,
    reference: Reference | None = None,
    basis: Mapping[str, Any] | None = None,
) -> Objective:
    """Objective by any metric but recognition.

    Args:
        name: Name from `METRICS`.
        extractor: Network whose features are compared.
        reference: Real images, where the metric needs them.
        basis: Basis, which is what is to be said about these images.
    """
    metric = METRICS[name]

    def compute(images: np.ndarray, labels: np.ndarray) -> Estimate:
        plain = Extractor(extractor.classifier, extractor.feature)
        seen = extract(ArrayImages(images, labels), plain)
        found = metric.compute(Subject(seen, extractor.feature, reference))
        if found is None:
            raise DataError(f"{name} cannot be had of these images")
        return found

    rests_on = {
        **_network(extractor.classifier),
        "feature": extractor.feature,
        **(basis or {}),
    }
    return Objective(name, metric, rests_on, compute)


def _network(network: Classifier) -> dict[str, Any]:
    return {"network": network.spec.name, "sha256": network.origin}
