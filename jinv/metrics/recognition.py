"""What a judge recognises of a set, class by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.metrics.judge import top_shares
from jinv.models.classifier import Classifier


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
    def name(self) -> str:
        """The network's."""
        return self.network.spec.name

    def knows(self, labels: np.ndarray) -> np.ndarray:
        """Whether the network knows the class of each image (images,)."""
        return self.translation[labels] >= 0

    def hits(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Which images are recognised, of those whose classes the network knows."""
        known = self.knows(labels)
        return logits[known].argmax(-1) == self.translation[labels[known]]


def make_judge(network: Classifier, classes: Sequence[str]) -> Judge:
    """Let a network judge a set with these classes; it need not know them all."""
    known = {name: index for index, name in enumerate(network.spec.classes)}
    return Judge(network, np.asarray([known.get(name, -1) for name in classes]))


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
