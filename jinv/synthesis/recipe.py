"""What a synthetic set is made of, and which of its images are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv import losses
from jinv.checked import Checked
from jinv.data.class_folders import check_folders
from jinv.data.exporting import SetForm, check_form
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.metrics.judge import translate_labels
from jinv.models.classifier import Classifier
from jinv.models.classify import classify
from jinv.models.zoo import beyond_zoo
from jinv.values import Count

PARTS = "parts"
"""Folder of a set in which its batches lie until it is finished."""

Row = dict[str, Any]
"""What `metadata.jsonl` says of one image."""


@dataclass(frozen=True)
class Recipe(Checked):
    """All that a set's bytes depend on.

    Attributes:
        job: Job that makes the candidates.
        form: Form in which the set is written.
        split: Name of the split.
        judge: Network that took no part, whose verdict is noted for each image.
        accepted_only: Keep only images that the judge recognises.
        best: Number of each class to keep, those of which the judge (without one,
            the teacher) is surest; None for all.
        soft_labels: Store the teacher's logits of each image beside the set.
    """

    job: Job
    form: SetForm = "folder"
    split: str = "train"
    judge: Classifier | None = None
    accepted_only: bool = False
    best: Count | None = None
    soft_labels: bool = False

    def __post_init__(self) -> None:
        """Check the recipe before any work is done.

        Raises:
            ConfigError: Something cannot work.
            DataError: The form needs packages that are not installed.
        """
        super().__post_init__()
        if self.accepted_only and self.judge is None:
            raise ConfigError("keeping only accepted images needs a judge")
        if not self.split.isidentifier() or self.split.casefold() == PARTS:
            raise ConfigError(
                f"split {self.split!r}: expected a plain name such as train, and none "
                f"that the folder has for itself ({PARTS})"
            )
        if self.judge:
            translate_labels(self.judge, self.job.request.labels, self.classes)
        check_form(self.form)
        if self.form == "folder":
            check_folders(self.classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return tuple(self.job.classifier.spec.classes)

    def describe(self) -> dict[str, Any]:
        """All that the set depends on, as JSON."""
        return {
            **self.job.describe(),
            "form": self.form,
            "split": self.split,
            "judge": self.judge and _identity(self.judge),
            "accepted_only": self.accepted_only,
            "best": self.best,
            # Sets begun before there were any go on.
            **({"soft_labels": True} if self.soft_labels else {}),
        }

    def inspect(
        self, images: np.ndarray, labels: np.ndarray
    ) -> tuple[list[Row], np.ndarray]:
        """Ask the networks about images as they will lie on disk.

        Args:
            images: Images (images, height, width, channels), uint8.
            labels: Classes asked for (images,).

        Returns:
            Facts of each image, and the teacher's logits (images, classes).
        """
        classifier = self.job.classifier
        inputs = classifier.inputs_of(images)
        variation = losses.total_variation_l2(inputs)
        facts: list[Row] = [
            {"total_variation": _plain(value)} for value in np.asarray(variation)
        ]
        logits = classify(classifier, images)
        answers = [("teacher", classifier, logits)]
        if self.judge:
            answers.append(("judge", self.judge, classify(self.judge, images)))
        for role, network, answer in answers:
            wanted = translate_labels(network, labels, self.classes)
            for fact, opinion in zip(
                facts, _opinions(network, answer, wanted), strict=True
            ):
                fact.update({f"{role}_{key}": x for key, x in opinion.items()})
        return facts, logits

    def select(self, facts: Sequence[Row]) -> list[int]:
        """Choose the images to keep: their positions, in order.

        Args:
            facts: Facts of all candidates: their `label` and what `inspect` notes.
        """
        kept = range(len(facts))
        if self.accepted_only:
            kept = [i for i in kept if facts[i]["judge_accepts"]]
        if self.best is None:
            return list(kept)
        surprise = f"{'judge' if self.judge else 'teacher'}_cross_entropy"
        order = sorted(kept, key=lambda i: (facts[i][surprise], i))
        taken, chosen = dict.fromkeys(range(len(self.classes)), 0), []
        for i in order:
            if taken[facts[i]["label"]] < self.best:
                taken[facts[i]["label"]] += 1
                chosen.append(i)
        return sorted(chosen)


def _identity(network: Classifier) -> dict[str, Any]:
    facts = beyond_zoo(network.spec).to_json()
    return {"name": network.spec.name, "sha256": network.origin, **facts}


def _opinions(network: Classifier, logits: np.ndarray, wanted: np.ndarray) -> list[Row]:
    """What one network sees in each image, and how sure it is of the class wanted."""
    logits = logits.astype(np.float64)
    here = np.arange(len(wanted))
    # -log p = log(1 + the others' odds): tells apart even those it is very sure of.
    odds = np.exp(logits - logits[here, wanted, None])
    odds[here, wanted] = 0
    surprise = np.log1p(odds.sum(-1))
    seen = logits.argmax(-1)
    return [
        {
            "class": network.spec.classes[seen[i]],
            "accepts": bool(seen[i] == wanted[i]),
            "cross_entropy": _plain(surprise[i]),
        }
        for i in here
    ]


def _plain(value: Any) -> float:
    """Round to as many digits as mean anything."""
    return float(f"{float(value):.6g}")
