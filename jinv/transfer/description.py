"""What tells one training of a classifier from another."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np

from jinv.data.labelled import LabelledImages
from jinv.models.classifier import Classifier
from jinv.models.weights.checksums import fingerprint_of
from jinv.models.zoo import beyond_zoo
from jinv.transfer.train_config import TrainConfig


def description(
    classifier: Classifier,
    training: LabelledImages,
    config: TrainConfig,
    dtype: Any,
    soft_labels: np.ndarray | None = None,
) -> dict[str, Any]:
    """Describe all that the outcome of a training depends on, as JSON."""
    # Trainings begun before there were soft labels go on.
    softly = {} if soft_labels is None else {"soft_labels": fingerprint_of(soft_labels)}
    return {
        "model": classifier.spec.name,
        **beyond_zoo(classifier.spec).to_json(),
        "initial_weights": classifier.origin,
        **described_images(training),
        **asdict(config),
        "precision": np.dtype(dtype).name,
        **softly,
    }


def described_images(data: LabelledImages) -> dict[str, Any]:
    """Describe labelled images, as JSON, without reading all of them."""
    return {
        "images": len(data),
        "labels": fingerprint_of(data.labels.astype(np.int32)),
        "first_image": fingerprint_of(data.read(np.arange(1))[0]),
    }


def set_name(data: LabelledImages) -> str:
    """A short name of labelled images, by which a log tells sets apart."""
    told = json.dumps(described_images(data), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
