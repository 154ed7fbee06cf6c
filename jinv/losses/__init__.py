"""Loss terms: pure functions of arrays, each with its formula and its source.

Terms that belong to single images return one value per image; whoever adds them up
takes the mean over the batch, so that a weight means the same at every batch size.
"""

from jinv.losses.classification import class_score, cross_entropy
from jinv.losses.priors import (
    l2,
    l2_nvlabs,
    total_variation_l1,
    total_variation_l2,
    total_variation_l2_nvlabs,
)
from jinv.losses.statistics import feature_loss, normalised_feature_loss

__all__ = [
    "class_score",
    "cross_entropy",
    "feature_loss",
    "l2",
    "l2_nvlabs",
    "normalised_feature_loss",
    "total_variation_l1",
    "total_variation_l2",
    "total_variation_l2_nvlabs",
]
