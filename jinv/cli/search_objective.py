"""The objective of a search, from the words of its options."""

import time
from typing import TYPE_CHECKING

from rich.console import Console

from jinv.cli.networks import load_extractor
from jinv.data.labelled import SomeImages
from jinv.data.sets import open_labelled
from jinv.metrics.evaluation import Reference
from jinv.metrics.observe import observe
from jinv.models.classifier import Classifier
from jinv.search.objective import TOP1, Objective, check_objective, recognition, score

if TYPE_CHECKING:
    from jinv.cli.search import Search

_EMBEDDED = "cifar10_resnet20"
_CONVENTION = "inception_v3_fid"


def build_objective(
    options: "Search",
    teacher: Classifier,
    judge: Classifier | None,
    console: Console,
) -> Objective:
    """Load what an objective needs.

    Args:
        options: Of the command.
        teacher: The network that is inverted.
        judge: The network that judges, if any.
        console: Told what takes time, and what is doubtful.

    Raises:
        ConfigError: The objective is unknown, or lacks something.
        DataError: The real images cannot be read.
    """
    name, real = options.objective, options.real
    check_objective(name, judge=judge is not None, real=real is not None)
    if name == TOP1 and judge:
        return recognition(judge, teacher.spec.classes)
    extractor = load_extractor(
        options.extractor, options.feature, [judge] if judge else []
    )
    images = None
    if real is not None:
        spec = teacher.spec
        _, images = open_labelled(
            real, options.real_split, spec.classes, spec.input_size, spec.channels
        )
    console.print(f"features: {extractor.label}")
    if extractor.classifier.sha256 == teacher.sha256:
        console.print(
            "[yellow]warning:[/yellow] these are features of the network that is "
            "inverted, which images fit by construction: choose another --extractor"
        )
    if images is None:
        return score(name, extractor)
    started = time.monotonic()
    seen = observe(SomeImages(images, options.real_images, options.seed), extractor)
    console.print(
        f"real images: {len(seen)} of {len(images)} seen "
        f"({time.monotonic() - started:.0f} s)"
    )
    basis = {"real": real, "split": options.real_split, "images": len(seen)}
    reference = Reference.of(seen.features[extractor.feature])
    return score(name, extractor, reference, basis)
