"""How good a set of images is: every metric of one set, beside its controls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import jax
import numpy as np

from jinv.errors import DataError
from jinv.metrics.bootstrap import Estimate, bootstrap_mean
from jinv.metrics.diversity import batch_diversity, within_class_diversity
from jinv.metrics.frechet import FeatureStatistics, frechet_distance
from jinv.metrics.inception_score import inception_score
from jinv.metrics.judge import top_shares
from jinv.metrics.manifolds import ManifoldScores, manifold_scores
from jinv.metrics.observe import Observed, draw
from jinv.metrics.prd import Prd, prd_curve
from jinv.models.classifier import Classifier

MOST_NEIGHBOURS = 10_000
"""Images of each set among which neighbours are sought, at most."""


@dataclass(frozen=True)
class Metric:
    """What a number is called, which way it should go, and what it means."""

    title: str
    better: Literal["lower", "higher"]
    unit: str
    about: str


METRICS = {
    "fid": Metric(
        "FID",
        "lower",
        "",
        "Fréchet distance between the features' normal approximations, to the real "
        "images (Heusel et al. 2017); biased upwards for few images",
    ),
    "precision": Metric(
        "Precision",
        "higher",
        "%",
        "Images within the k-NN manifold of real ones: realism (Kynkäänniemi et al. "
        "2019, k = 3)",
    ),
    "recall": Metric(
        "Recall",
        "higher",
        "%",
        "Real images within the k-NN manifold of these: variety (the same)",
    ),
    "density": Metric(
        "Density",
        "higher",
        "",
        "Real neighbourhoods around an image, over k (Naeem et al. 2020, k = 5); real "
        "images have about 1",
    ),
    "coverage": Metric(
        "Coverage",
        "higher",
        "%",
        "Real images with one of these in their neighbourhood (the same)",
    ),
    "f_8": Metric(
        "F 8",
        "higher",
        "%",
        "Best F-score that weighs PRD recall (Sajjadi et al. 2018)",
    ),
    "f_1/8": Metric(
        "F 1/8", "higher", "%", "Best F-score that weighs PRD precision (the same)"
    ),
    "inception_score": Metric(
        "Inception Score",
        "higher",
        "",
        "exp(mean KL(p(y|x) ‖ p(y))) of the extractor's softmax, ± standard deviation "
        "over 10 parts (Salimans et al. 2016)",
    ),
    "diversity": Metric(
        "Diversity",
        "higher",
        "",
        "Mean cosine distance between features of two images of one class",
    ),
}
"""Metrics that need features; those of judges are added by name."""

BATCH_METRICS = {
    "diversity_within": Metric(
        "Diversity within batches",
        "higher",
        "",
        "Diversity among images of one class that were made in one batch",
    ),
    "diversity_between": Metric(
        "Diversity between batches",
        "higher",
        "",
        "The same of different batches; below the diversity of real images, batches "
        "resemble each other",
    ),
    "diversity_ratio": Metric(
        "Within / between",
        "higher",
        "",
        "The one over the other: about 1 where a batch is as varied as the set, far "
        "below where the images of a batch are alike; more than 1 is no gain: batches "
        "then repeat each other",
    ),
}
"""Metrics of sets that tell in which batch each image was made."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A network that judges a set, and the set's labels in its own order.

    Attributes:
        network: The network.
        translation: For each class of the set, its index in the network; -1 where the
            network does not know it.
    """

    network: Classifier
    translation: np.ndarray

    @property
    def metric(self) -> str:
        """The name of its top-1 among metrics."""
        return f"top1:{self.network.spec.name}"


def make_judge(network: Classifier, classes: Sequence[str]) -> Judge:
    """Let a network judge a set with these classes; it need not know them all."""
    known = {name: index for index, name in enumerate(network.spec.classes)}
    return Judge(network, np.asarray([known.get(name, -1) for name in classes]))


@dataclass(frozen=True, eq=False)
class Reference:
    """Real images that sets are compared with.

    Attributes:
        features: (images, width).
        statistics: Of all of them.
    """

    features: np.ndarray
    statistics: FeatureStatistics

    @classmethod
    def of(cls, features: np.ndarray) -> "Reference":
        """Measure features once for all comparisons."""
        return cls(features, FeatureStatistics.of(features))


@dataclass(eq=False)
class Measured:
    """All metrics of one set.

    Attributes:
        estimates: By the metric's name; those that could not be had are missing.
        counts: How many images each was measured on.
        prd: The curve, if there is a reference.
        warnings: Why a metric is missing, or doubtful.
    """

    estimates: dict[str, Estimate] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    prd: Prd | None = None
    warnings: list[str] = field(default_factory=list)

    def as_row(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        return {
            name: {**asdict(estimate), "images": self.counts[name]}
            for name, estimate in self.estimates.items()
        }


def measure(
    seen: Observed,
    feature: str,
    reference: Reference | None = None,
    judges: Sequence[Judge] = (),
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    seed: int = 0,
) -> Measured:
    """Measure a set.

    A metric that cannot be had becomes a warning, and the others are still measured.

    Args:
        seen: The set; its logits are those of the extractor, then of the judges.
        feature: The name of the features to compare.
        reference: Real images; without them only what needs none is measured.
        judges: In the order of `seen.logits[1:]`.
        wanted: Which metrics, by name.
        seed: Of the images drawn where sets must be equally large, and of resampling.
    """
    result = Measured()
    features = seen.features[feature]

    def attempt(
        names: Sequence[str], act: Callable[[], Mapping[str, Estimate]]
    ) -> None:
        if not any(map(wanted, names)):
            return
        try:
            found = act()
        except DataError as error:
            result.warnings.append(f"{', '.join(names)}: {error}")
            return
        for name, estimate in found.items():
            result.estimates[name] = estimate
            result.counts.setdefault(name, len(seen))

    for judge, logits in zip(judges, seen.logits[1:], strict=True):
        hits, warning = _hits(judge, logits, seen.labels)
        if warning:
            result.warnings.append(warning)
        result.counts[judge.metric] = len(hits)
        attempt([judge.metric], lambda v=judge, h=hits: {v.metric: _mean(h, seed)})
    if reference is not None:
        width = features.shape[1]
        if len(features) <= width and wanted("fid"):
            result.warnings.append(
                f"fid: {len(features)} images are too few to estimate a covariance of "
                f"{width} features: compare it only at equal numbers of images"
            )
        attempt(["fid"], lambda: {"fid": _fid(features, reference)})
        manifolds = ["precision", "recall", "density", "coverage"]
        attempt(manifolds, lambda: _manifolds(result, features, reference, seed))
        attempt(["f_8", "f_1/8"], lambda: _prd(result, features, reference, seed))
    attempt(["inception_score"], lambda: _inception_score(seen.logits[0]))
    attempt(["diversity"], lambda: _diversity(features, seen.labels))
    if seen.batches is not None and len(np.unique(seen.batches)) > 1:
        batches = seen.batches
        attempt(
            list(BATCH_METRICS),
            lambda: _batch_diversity(features, seen.labels, batches),
        )
    result.estimates = {
        name: estimate for name, estimate in result.estimates.items() if wanted(name)
    }
    return result


def per_class(
    judge: Judge, logits: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], np.ndarray, list[str]]:
    """What a judge recognises of each class, and what it takes images for.

    Returns:
        By class: `images`, `top1`, `top5` (None for networks of five classes or
        fewer); the confusion counts (asked for, seen), over all classes that occur in
        either; and the names of those.
    """
    known = judge.translation[labels] >= 0
    labels, logits = labels[known], logits[known]
    target, first = judge.translation[labels], logits.argmax(-1)
    table = {}
    for label in np.unique(labels):
        mine = labels == label
        shares = top_shares(logits[mine], target[mine])
        table[classes[label]] = {"images": int(mine.sum()), **shares}
    occurring = np.union1d(target, first)
    counts = np.zeros((len(occurring), len(occurring)), np.int64)
    rows, columns = (np.searchsorted(occurring, x) for x in (target, first))
    np.add.at(counts, (rows, columns), 1)
    return table, counts, [judge.network.spec.classes[i] for i in occurring]


def _hits(
    judge: Judge, logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, str | None]:
    """Which images of known classes are recognised, and a word on the others."""
    target = judge.translation[labels]
    known = target >= 0
    hits = logits[known].argmax(-1) == target[known]
    if known.all():
        return hits, None
    return hits, (
        f"{judge.metric}: {(~known).sum()} images are of {len(set(labels[~known]))} "
        f"classes that {judge.network.spec.name} does not know; they are left out"
    )


def _mean(values: np.ndarray, seed: int) -> Estimate:
    if not len(values):
        raise DataError("no images of classes that the network knows")
    return bootstrap_mean(values, seed=seed)


def _fid(features: np.ndarray, reference: Reference) -> Estimate:
    return Estimate(
        frechet_distance(FeatureStatistics.of(features), reference.statistics)
    )


def _manifolds(
    result: Measured, features: np.ndarray, reference: Reference, seed: int
) -> dict[str, Estimate]:
    # Neighbourhoods shrink with the number of images: both sets must have as many.
    count = min(len(features), len(reference.features), MOST_NEIGHBOURS)
    rng = np.random.default_rng(seed)
    real, synthetic = (
        x[draw(len(x), count, rng)] for x in (reference.features, features)
    )
    scores: ManifoldScores = manifold_scores(real, synthetic)
    names = ("precision", "recall", "density", "coverage")
    result.counts |= dict.fromkeys(names, count)
    return {name: bootstrap_mean(getattr(scores, name), seed=seed) for name in names}


def _prd(
    result: Measured, features: np.ndarray, reference: Reference, seed: int
) -> dict[str, Estimate]:
    curve = prd_curve(reference.features, features, seed=seed)
    result.prd = curve
    return {"f_8": Estimate(curve.f_beta(8)), "f_1/8": Estimate(curve.f_beta(1 / 8))}


def _inception_score(logits: np.ndarray) -> dict[str, Estimate]:
    mean, deviation = inception_score(np.asarray(jax.nn.softmax(logits)))
    return {"inception_score": Estimate(mean, mean - deviation, mean + deviation)}


def _diversity(features: np.ndarray, labels: np.ndarray) -> dict[str, Estimate]:
    classes = within_class_diversity(features, labels)
    if not classes:
        raise DataError("no class has two images")
    return {"diversity": Estimate(float(np.mean(list(classes.values()))))}


def _batch_diversity(
    features: np.ndarray, labels: np.ndarray, batches: np.ndarray
) -> dict[str, Estimate]:
    found = batch_diversity(features, labels, batches)
    values = (found.within, found.between, found.ratio)
    return {
        name: Estimate(value)
        for name, value in zip(BATCH_METRICS, values, strict=True)
        if value is not None
    }
