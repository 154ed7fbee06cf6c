"""Evaluations: all metrics of the table that can be had of a set of images."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jinv.errors import DataError
from jinv.metrics.bootstrap import Estimate
from jinv.metrics.extraction import Extracted
from jinv.metrics.judge import Judge
from jinv.metrics.prd import Prd
from jinv.metrics.subject import Reference, Subject
from jinv.metrics.table import metrics_by, top1_name


@dataclass(eq=False)
class Measurements:
    """All metrics that could be had of one set.

    Attributes:
        estimates: Estimates by the metric's name; those not to be had are missing.
        counts: Numbers of images that each was measured on.
        prd: Curve of precision and recall, if there is a reference.
        warnings: Reasons why a metric is missing, or doubtful.
    """

    estimates: dict[str, Estimate] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    prd: Prd | None = None
    warnings: list[str] = field(default_factory=list)

    def as_row(self) -> dict[str, Any]:
        """The estimates and counts as a row of `evaluation.json`."""
        return {
            name: {**asdict(estimate), "images": self.counts[name]}
            for name, estimate in self.estimates.items()
        }


def measure(
    seen: Extracted,
    feature: str,
    reference: Reference | None = None,
    judges: Sequence[Judge] = (),
    *,
    seed: int = 0,
) -> Measurements:
    """Measure a set by all metrics that can be had of it.

    A metric that cannot be had becomes a warning, and the others are still measured.

    Args:
        seen: Set as networks see it; logits are the extractor's, then the judges'.
        feature: Name of the features to compare.
        reference: Real images; without them only what needs none is measured.
        judges: Judges, in the order of `seen.logits[1:]`.
        seed: Seed of resampling, and of images drawn to make sets equally large.
    """
    subject = Subject(seen, feature, reference, seed=seed)
    judged = {
        top1_name(judge.name): replace(subject, judge=judge, place=place)
        for place, judge in enumerate(judges, 1)
    }
    result, failed = Measurements(), defaultdict(list)
    for name, metric in metrics_by([judge.name for judge in judges]).items():
        of = judged.get(name, subject)
        if not metric.can_be_had(of):
            continue
        if doubt := metric.doubt(of):
            result.warnings.append(f"{name}: {doubt}")
        try:
            estimate = metric.compute(of)
        except DataError as error:
            failed[str(error)].append(name)
            continue
        if estimate is not None:
            result.estimates[name] = estimate
            result.counts[name] = metric.images(of)
    for reason, names in failed.items():
        result.warnings.append(f"{', '.join(names)}: {reason}")
    if "f_8" in result.estimates:
        result.prd = subject.prd
    return result
