"""Accuracy: how much of a labelled set a network gets right."""

from typing import Any

import numpy as np

from jinv.data.labelled import LabelledImages, minibatches
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
