"""The objective of a search, from the words of its options."""

import time
from dataclasses import dataclass

from rich.console import Console

from jinv.cli.networks import load_extractor
from jinv.console import remark
from jinv.data.labelled import LabelledImages, SomeImages
from jinv.data.sets import open_labelled
from jinv.metrics.extraction import extract
from jinv.metrics.subject import Need, Reference
from jinv.models.classifier import Classifier
from jinv.search.objective import Objective, find_objective, recognition, score
from jinv.values import Count


@dataclass(frozen=True)
class ObjectiveOptions:
    """What a search improves, and what that is computed from."""

    objective: str = "top1"
    """What to improve: top1 (what --judge recognises), or any metric of
    `jinv evaluate`: fid, precision, recall, density, coverage, f_8, f_1/8,
    inception_score, diversity. With --reconstruct: relative_squared_error of the
    features (the default there), psnr, ssim, lpips, or any other measure of an image
    and its photograph."""
    real: str | None = None
    """Real images, for metrics that compare with them; as for `jinv evaluate`."""
    real_split: str = "train"
    """Split of the real images."""
    real_images: Count = 5000
    """Real images that are used, at most."""
    extractor: str | None = None
    """Network whose features are compared, as for `jinv evaluate`: NAME or
    NAME=FILE."""
    feature: str | None = None
    """Features to compare; by default those that the last dense layer reads."""


def build_objective(
    options: ObjectiveOptions,
    teacher: Classifier,
    judge: Classifier | None,
    seed: int,
    console: Console,
) -> Objective:
    """Load what an objective needs.

    Args:
        options: Options of the search that say what is asked for.
        teacher: Network that is inverted.
        judge: Network that judges, if any.
        seed: Seed of the real images that are used.
        console: Console that is told what takes time, and what is doubtful.

    Raises:
        ConfigError: The objective is unknown, or lacks something.
        DataError: The real images cannot be read.
    """
    there: dict[Need, object] = {"judge": judge, "real images": options.real}
    metric = find_objective(
        options.objective, {need for need, given in there.items() if given is not None}
    )
    if judge and "judge" in metric.needs:
        return recognition(judge, teacher.spec.classes)
    extractor = load_extractor(
        options.extractor, options.feature, [judge] if judge else []
    )
    images = _real_images(options, teacher)
    console.print(f"features: {extractor.label}")
    if extractor.classifier.sha256 == teacher.sha256:
        about = "these are features of the network that is inverted, which images fit"
        console.print(
            remark("warning", f"{about} by construction: choose another --extractor")
        )
    if images is None:
        return score(options.objective, extractor)
    started = time.monotonic()
    seen = extract(SomeImages(images, options.real_images, seed), extractor)
    console.print(
        f"real images: {len(seen)} of {len(images)} seen "
        f"({time.monotonic() - started:.0f} s)"
    )
    basis = {"real": options.real, "split": options.real_split, "images": len(seen)}
    reference = Reference.of(seen.features[extractor.feature])
    return score(options.objective, extractor, reference, basis)


def _real_images(
    options: ObjectiveOptions, teacher: Classifier
) -> LabelledImages | None:
    if options.real is None:
        return None
    spec = teacher.spec
    return open_labelled(
        options.real, options.real_split, spec.classes, spec.input_size, spec.channels
    )[1]
