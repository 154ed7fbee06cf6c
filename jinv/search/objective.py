"""What a search improves: one number for a set of images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from jinv.data.labelled import ArrayImages
from jinv.errors import ConfigError, DataError
from jinv.metrics.bootstrap import Estimate, bootstrap_mean
from jinv.metrics.evaluation import METRICS, Metric, Reference, measure
from jinv.metrics.judge import translate_labels
from jinv.metrics.observe import Extractor, observe
from jinv.models.classifier import Classifier
from jinv.models.classify import classify
from jinv.report.evaluation_table import value_text
from jinv.suggest import near

TOP1 = "top1"
_WITHOUT_REAL = ("inception_score", "diversity")
OBJECTIVES = (TOP1, *METRICS)
"""Names of all objectives."""


@dataclass(frozen=True, eq=False)
class Objective:
    """A metric, and all that it takes to measure it.

    Attributes:
        name: From `OBJECTIVES`.
        metric: What it is called, and which way it should go.
        basis: What its values rest on, as JSON: values on another basis cannot be
            compared.
        measure: A function of images (images, height, width, channels), uint8, and
            their labels.
    """

    name: str
    metric: Metric
    basis: Mapping[str, Any]
    measure: Callable[[np.ndarray, np.ndarray], Estimate]

    def estimate(self, images: np.ndarray, labels: np.ndarray) -> Estimate:
        """Measure images (images, height, width, channels), uint8, and their labels.

        Raises:
            DataError: It cannot be had of these images.
        """
        found = self.measure(images, labels)
        if not isfinite(found.value):
            raise DataError(f"{self.name} is {found.value}")
        return found

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return value > than if self.metric.better == "higher" else value < than

    def text(self, value: float) -> str:
        """A value with its unit."""
        return value_text({"value": value}, self.metric.unit)

    def check(self, labels: np.ndarray, size: int) -> None:
        """Find out by noise whether it can be had of so many images.

        Raises:
            ConfigError: It cannot.
        """
        shape = (len(labels), size, size, 3)
        noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        try:
            self.estimate(noise, labels)
        except DataError as error:
            raise ConfigError(
                f"the objective cannot be had of {len(labels)} images: {error}"
            ) from error


def check_objective(name: str, *, judge: bool, real: bool) -> None:
    """Whether an objective is known, and what it needs is there.

    Raises:
        ConfigError: It is not.
    """
    if name not in OBJECTIVES:
        raise ConfigError(
            f"unknown objective {name!r}{near(name, OBJECTIVES)}; there are "
            f"{', '.join(OBJECTIVES)}"
        )
    if name == TOP1 and not judge:
        raise ConfigError("the objective top1 needs a judge: --judge MODEL")
    if name not in (TOP1, *_WITHOUT_REAL) and not real:
        raise ConfigError(f"the objective {name} needs real images: --real")


def recognition(judge: Classifier, classes: Sequence[str]) -> Objective:
    """The share of images that a network recognises.

    Args:
        judge: The network.
        classes: Names, in the order of the labels.
    """

    def top1(images: np.ndarray, labels: np.ndarray) -> Estimate:
        wanted = translate_labels(judge, labels, classes)
        return bootstrap_mean(classify(judge, images).argmax(-1) == wanted)

    name = judge.spec.name
    about = f"Images that {name} gives the class asked for"
    metric = Metric(f"Top-1 of {name}", "higher", "%", about)
    return Objective(TOP1, metric, _network(judge), top1)


def score(
    name: str,
    extractor: Extractor,
    reference: Reference | None = None,
    basis: Mapping[str, Any] | None = None,
) -> Objective:
    """Any other metric.

    Args:
        name: From `METRICS`.
        extractor: Whose features are compared.
        reference: Real images, where the metric needs them.
        basis: What is to be said about them.
    """

    def measured(images: np.ndarray, labels: np.ndarray) -> Estimate:
        plain = Extractor(extractor.classifier, extractor.feature)
        seen = observe(ArrayImages(images, labels), plain)
        found = measure(seen, extractor.feature, reference, wanted=name.__eq__)
        if name not in found.estimates:
            raise DataError("; ".join(found.warnings))
        return found.estimates[name]

    rests_on = {
        **_network(extractor.classifier),
        "feature": extractor.feature,
        **(basis or {}),
    }
    return Objective(name, METRICS[name], rests_on, measured)


def _network(network: Classifier) -> dict[str, Any]:
    return {"network": network.spec.name, "sha256": network.sha256}
