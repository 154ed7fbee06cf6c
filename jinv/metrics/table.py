"""All metrics: what each is called, means and needs, and how it is computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np

from jinv.errors import DataError
from jinv.metrics.bootstrap import Estimate, bootstrap_mean
from jinv.metrics.diversity import within_class_diversity
from jinv.metrics.frechet import FeatureStatistics, frechet_distance
from jinv.metrics.inception_score import inception_score
from jinv.metrics.subject import Need, Subject


@dataclass(frozen=True)
class Metric:
    """A number that says how good a set is.

    Attributes:
        title: Title of the metric.
        better: Whether lower or higher is better.
        unit: Unit of the value: "%" for shares.
        about: Meaning of the value.
        compute: Function that takes it of a set with all needs; None if there is none.
        needs: Needs beside the images.
        images: Number of images of the set on which it is taken.
        doubt: Doubt about its value, if there is any.
    """

    title: str
    better: Literal["lower", "higher"]
    unit: str
    about: str
    compute: Callable[[Subject], Estimate | None]
    needs: frozenset[Need] = frozenset()
    images: Callable[[Subject], int] = lambda subject: len(subject.seen)
    doubt: Callable[[Subject], str | None] = lambda subject: None

    def describe(self) -> dict[str, Any]:
        """What a reader of the metric's values has to know, as JSON."""
        names = ("title", "better", "unit", "about")
        return {name: getattr(self, name) for name in names}

    def can_be_had(self, subject: Subject) -> bool:
        """Whether a set has all that the metric needs."""
        return all(map(subject.has, self.needs))


def _top1(subject: Subject) -> Estimate:
    if not len(subject.hits):
        raise DataError("no images of classes that the network knows")
    return bootstrap_mean(subject.hits, seed=subject.seed)


def _unknown_classes(subject: Subject) -> str | None:
    assert subject.judge is not None
    strange = subject.seen.labels[~subject.judge.knows(subject.seen.labels)]
    if not len(strange):
        return None
    return (
        f"{len(strange)} images are of {len(set(strange))} classes that "
        f"{subject.judge.name} does not know; they are left out"
    )


def _fid(subject: Subject) -> Estimate:
    statistics = FeatureStatistics.of(subject.features)
    return Estimate(frechet_distance(statistics, subject.reference.statistics))


def _too_few_for_fid(subject: Subject) -> str | None:
    images, width = subject.features.shape
    if images > width:
        return None
    return (
        f"{images} images are too few to estimate a covariance of {width} features: "
        "compare it only at equal numbers of images"
    )


def _of_manifolds(name: str) -> dict[str, Any]:
    """How a score of neighbourhoods is taken."""
    return {
        "compute": lambda subject: bootstrap_mean(
            getattr(subject.manifolds, name), seed=subject.seed
        ),
        "images": lambda subject: subject.compared,
        "needs": _REAL,
    }


def _inception_score(subject: Subject) -> Estimate:
    probabilities = np.asarray(jax.nn.softmax(subject.seen.logits[0]))
    mean, deviation = inception_score(probabilities)
    return Estimate(mean, mean - deviation, mean + deviation)


def _diversity(subject: Subject) -> Estimate:
    classes = within_class_diversity(subject.features, subject.seen.labels)
    if not classes:
        raise DataError("no class has two images")
    return Estimate(float(np.mean(list(classes.values()))))


def _ratio(subject: Subject) -> Estimate | None:
    found = subject.batches.ratio
    return None if found is None else Estimate(found)


_REAL: frozenset[Need] = frozenset({"real images"})
_BATCHES: frozenset[Need] = frozenset({"batch numbers"})

TOP1 = "top1"
METRICS = {
    TOP1: Metric(
        "Top-1",
        "higher",
        "%",
        "Images in which the judge sees the class asked for",
        compute=_top1,
        needs=frozenset({"judge"}),
        images=lambda subject: len(subject.hits),
        doubt=_unknown_classes,
    ),
    "fid": Metric(
        "FID",
        "lower",
        "",
        "Fréchet distance between the features' normal approximations, to the real "
        "images (Heusel et al. 2017); biased upwards for few images",
        compute=_fid,
        needs=_REAL,
        doubt=_too_few_for_fid,
    ),
    "precision": Metric(
        "Precision",
        "higher",
        "%",
        "Images within the k-NN manifold of real ones: realism (Kynkäänniemi et al. "
        "2019, k = 3)",
        **_of_manifolds("precision"),
    ),
    "recall": Metric(
        "Recall",
        "higher",
        "%",
        "Real images within the k-NN manifold of these: variety (the same)",
        **_of_manifolds("recall"),
    ),
    "density": Metric(
        "Density",
        "higher",
        "",
        "Real neighbourhoods around an image, over k (Naeem et al. 2020, k = 5); real "
        "images have about 1",
        **_of_manifolds("density"),
    ),
    "coverage": Metric(
        "Coverage",
        "higher",
        "%",
        "Real images with one of these in their neighbourhood (the same)",
        **_of_manifolds("coverage"),
    ),
    "f_8": Metric(
        "F 8",
        "higher",
        "%",
        "Best F-score that weighs PRD recall (Sajjadi et al. 2018)",
        compute=lambda subject: Estimate(subject.prd.f_beta(8)),
        needs=_REAL,
    ),
    "f_1/8": Metric(
        "F 1/8",
        "higher",
        "%",
        "Best F-score that weighs PRD precision (the same)",
        compute=lambda subject: Estimate(subject.prd.f_beta(1 / 8)),
        needs=_REAL,
    ),
    "inception_score": Metric(
        "Inception Score",
        "higher",
        "",
        "exp(mean KL(p(y|x) ‖ p(y))) of the extractor's softmax, ± standard deviation "
        "over 10 parts (Salimans et al. 2016)",
        compute=_inception_score,
    ),
    "diversity": Metric(
        "Diversity",
        "higher",
        "",
        "Mean cosine distance between features of two images of one class",
        compute=_diversity,
    ),
    "diversity_within": Metric(
        "Diversity within batches",
        "higher",
        "",
        "Diversity among images of one class that were made in one batch",
        compute=lambda subject: Estimate(subject.batches.within),
        needs=_BATCHES,
    ),
    "diversity_between": Metric(
        "Diversity between batches",
        "higher",
        "",
        "The same of different batches; below the diversity of real images, batches "
        "resemble each other",
        compute=lambda subject: Estimate(subject.batches.between),
        needs=_BATCHES,
    ),
    "diversity_ratio": Metric(
        "Within / between",
        "higher",
        "",
        "The one over the other: about 1 where a batch is as varied as the set, far "
        "below where the images of a batch are alike; more than 1 is no gain: batches "
        "then repeat each other",
        compute=_ratio,
        needs=_BATCHES,
    ),
}
"""All metrics by name, in the order in which people read them."""


def metrics_by(judges: Sequence[str]) -> dict[str, Metric]:
    """All metrics by name, with one for each of several judges.

    Args:
        judges: Names of the judges.

    Example:
        >>> list(metrics_by(["vgg16", "resnet50"]))[:3]
        ['top1:vgg16', 'top1:resnet50', 'fid']
    """
    others = {name: metric for name, metric in METRICS.items() if name != TOP1}
    return {top1_name(judge): top1_of(judge) for judge in judges} | others


def top1_name(judge: str) -> str:
    """Name of a judge's metric among those of several."""
    return f"{TOP1}:{judge}"


def top1_of(judge: str) -> Metric:
    """The metric of what a judge recognises, by the judge's name."""
    return replace(
        METRICS[TOP1],
        title=f"Top-1 of {judge}",
        about=f"Images in which {judge} sees the class asked for",
    )
