"""Loss terms: pure functions of arrays, each with its formula and its source.

Terms that belong to single images return one value per image; whoever adds them up
takes the mean over the batch, so that a weight means the same at every batch size.
"""

from jinv.losses.classification import class_score, cross_entropy
from jinv.losses.data_free import (
    activation_loss,
    information_entropy_loss,
    pseudo_label_loss,
)
from jinv.losses.disagreement import (
    agreeing_divergence,
    jensen_shannon_competition,
    l1_disagreement,
)
from jinv.losses.distillation import (
    feature_mse,
    logit_l1,
    logit_mse,
    softened_divergence,
)
from jinv.losses.excitation import (
    activation,
    gram_similarity,
    half_mean_square,
    likeness,
)
from jinv.losses.experts import curvature, potential, slope
from jinv.losses.features import feature_distance, mean_feature_distance
from jinv.losses.priors import (
    l2,
    l2_nvlabs,
    total_variation_l1,
    total_variation_l2,
    total_variation_l2_nvlabs,
)
from jinv.losses.regularisers import (
    alpha_norm,
    anisotropic_variation,
    pixel_norm,
    squared_differences,
    total_variation,
)
from jinv.losses.score_matching import (
    denoising_score_matching,
    score,
    score_matching,
)
from jinv.losses.statistics import (
    blend_moments,
    bn_loss,
    normalised_bn_loss,
)

__all__ = [
    "activation",
    "activation_loss",
    "agreeing_divergence",
    "alpha_norm",
    "anisotropic_variation",
    "blend_moments",
    "bn_loss",
    "class_score",
    "cross_entropy",
    "curvature",
    "denoising_score_matching",
    "feature_distance",
    "feature_mse",
    "gram_similarity",
    "half_mean_square",
    "information_entropy_loss",
    "jensen_shannon_competition",
    "l1_disagreement",
    "l2",
    "l2_nvlabs",
    "likeness",
    "logit_l1",
    "logit_mse",
    "mean_feature_distance",
    "normalised_bn_loss",
    "pixel_norm",
    "potential",
    "pseudo_label_loss",
    "score",
    "score_matching",
    "slope",
    "softened_divergence",
    "squared_differences",
    "total_variation",
    "total_variation_l1",
    "total_variation_l2",
    "total_variation_l2_nvlabs",
]
