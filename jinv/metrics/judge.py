"""Judges: whether an independent network recognises the images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.classify import classify
from jinv.values import Count, shown


@dataclass(frozen=True, eq=False)
class Judge:
    """A network that judges a set, and the set's labels in its own order.

    Attributes:
        network: Network that judges.
        translation: Index in the network of each class of the set; -1 where the
            network does not know it.
    """

    network: Classifier
    translation: np.ndarray

    @property
    def name(self) -> str:
        """Name of the network that judges."""
        return self.network.spec.name

    def knows(self, labels: np.ndarray) -> np.ndarray:
        """Whether the network knows the class of each image (images,)."""
        return self.translation[labels] >= 0

    def hits(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Which images are recognised, of those whose classes the network knows."""
        known = self.knows(labels)
        return logits[known].argmax(-1) == self.translation[labels[known]]


def make_judge(network: Classifier, classes: Sequence[str]) -> Judge:
    """Let a network judge a set of some classes, all of which it need not know."""
    known = {name: index for index, name in enumerate(network.spec.classes)}
    return Judge(network, np.asarray([known.get(name, -1) for name in classes]))


def translate_labels(
    network: Classifier, labels: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """A judge's indices of the classes that labels stand for.

    Args:
        network: Network that is to judge.
        labels: Indices into `classes`.
        classes: Names of the classes.

    Raises:
        ConfigError: The judge does not know one of the classes.
    """
    least, most = labels.min(initial=0), labels.max(initial=0)
    if labels.dtype.kind not in "iu" or least < 0 or most >= len(classes):
        raise ConfigError(
            f"labels: expected whole numbers from 0 to {len(classes) - 1}, the indices "
            f"of {len(classes)} classes, found {labels.dtype} from {least} to {most}"
        )
    judge = make_judge(network, classes)
    if unknown := labels[~judge.knows(labels)].tolist():
        raise ConfigError(
            f"the judge {judge.name} does not know the class {classes[min(unknown)]!r}"
        )
    return judge.translation[labels].astype(np.int32)


@checked
def judge(
    network: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    batch_size: Count = 100,
) -> dict[str, Any]:
    """A network's verdict on images: what share of them it recognises.

    Args:
        network: Network that judges; images are resized (bilinear) to its input size.
        images: Images (images, height, width, channels): uint8, or floats in [0, 1].
        labels: Indices into `classes` (images,).
        classes: Names of the classes.
        batch_size: Number of images classified together.

    Returns:
        `name` and `sha256` of the network, `top1` and `top5` as shares in 0..1 (`top5`
        is None for networks of five classes or fewer).

    Raises:
        ConfigError: The judge does not know one of the classes; or these are no
            images, or no labels of them.

    Example:
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> black, plane = np.zeros((1, 32, 32, 3), np.uint8), np.array([0])
        >>> judge(network, black, plane, network.spec.classes)["top1"]
        0.0
    """
    _check_images(images, labels)
    labels = translate_labels(network, labels, classes)
    logits = classify(network, images, batch_size)
    return {
        "name": network.spec.name,
        "sha256": network.checksum,
        **top_shares(logits, labels),
    }


def _check_images(images: np.ndarray, labels: np.ndarray) -> None:
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        raise ConfigError(
            "images: expected an array (images, height, width, channels) with 3 "
            f"channels, or 1 where grey, found {shown(images)}"
        )
    if len(labels) != len(images) or labels.ndim != 1:
        raise ConfigError(
            f"labels: expected one for each of {len(images)} images, found "
            f"{shown(labels)}"
        )
    if images.dtype == np.uint8:
        return
    low, high = float(images.min()), float(images.max())
    if not (images.dtype.kind == "f" and 0 <= low <= high <= 1):
        raise ConfigError(
            "images: expected bytes (uint8) or floats in 0..1, found "
            f"{images.dtype} from {low:g} to {high:g}"
        )


def top_shares(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Shares of images whose class comes first, and among the first five.

    Args:
        logits: Logits of the judge, (images, classes).
        labels: Classes asked for, in the order of the logits (images,).

    Returns:
        `top1` and `top5`, as `judge` has them.
    """
    order = np.argsort(-logits, axis=-1, kind="stable")
    hits = order == labels[:, None]
    many = logits.shape[-1] > 5
    return {
        "top1": float(hits[:, 0].mean()),
        "top5": float(hits[:, :5].any(-1).mean()) if many else None,
    }


def per_class(
    judge: Judge, logits: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], np.ndarray, list[str]]:
    """What a judge recognises of each class, and what it takes images for.

    Returns:
        By class: `images`, `top1`, `top5` (None for networks of five classes or
        fewer); the confusion counts (asked for, seen), over all classes that occur in
        either; and the names of those.
    """
    known = judge.knows(labels)
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
