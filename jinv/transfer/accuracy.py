"""Accuracy: how much of a labelled set a network gets right."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jinv.data.labelled import LabelledImages, minibatches
from jinv.metrics_log import measured_on
from jinv.models.classifier import Classifier
from jinv.models.classify import classify


def accuracy(
    classifier: Classifier, variables: dict[str, Any], data: LabelledImages
) -> float:
    """Measure the top-1 accuracy on labelled images, in percent."""
    right = 0
    for images, labels in minibatches(data, np.arange(len(data)), 500):
        logits = classify(classifier, images, 500, variables)
        right += int(np.sum(np.argmax(logits, -1) == labels))
    return 100 * right / len(data)


def tests_on(rows: Iterable[Mapping[str, Any]], test: str) -> list[dict[str, Any]]:
    """Choose those rows of a log that tell the test accuracy on one set.

    Args:
        rows: Rows of the log.
        test: Name of the set; see `set_name` and `measured_on`.
    """
    return [
        dict(row)
        for row in rows
        if "test_accuracy" in row and measured_on(row, "test", test)
    ]


def best_accuracy(
    rows: Iterable[Mapping[str, Any]], epochs: int, last: float
) -> dict[str, float]:
    """Find the highest test accuracy of a training, and after which epoch it was.

    Args:
        rows: Rows of the log; see `tests_on`.
        epochs: Number of the last epoch.
        last: Accuracy of what came out after it, in percent.

    Returns:
        `best_test_accuracy`, in percent, and `best_epoch`, the first that had it.
    """
    found = {row["epoch"]: row["test_accuracy"] for row in rows}
    found[epochs] = max(last, found.get(epochs, last))
    epoch = max(found, key=found.__getitem__)
    return {"best_test_accuracy": found[epoch], "best_epoch": epoch}
