"""A set of images that is measured, and what its metrics are computed from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from jinv.errors import DataError
from jinv.metrics.diversity import BatchDiversity, batch_diversity
from jinv.metrics.extraction import Extracted, sample_positions
from jinv.metrics.frechet import FeatureStatistics
from jinv.metrics.judge import Judge
from jinv.metrics.manifolds import ManifoldScores, manifold_scores
from jinv.metrics.prd import Prd, prd_curve

Need = Literal["judge", "real images", "batch numbers"]
"""What a metric may need beside the images that it is of."""

MOST_NEIGHBOURS = 10_000
"""Images of each set among which neighbours are sought, at most."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Real images that sets are compared with.

    Attributes:
        features: (images, width).
        statistics: Of all of them.
    """

    features: np.ndarray
    statistics: FeatureStatistics

    @classmethod
    def of(cls, features: np.ndarray) -> "Reference":
        """Measure features once for all comparisons."""
        return cls(features, FeatureStatistics.of(features))


@dataclass(frozen=True, eq=False)
class Subject:
    """A set, and what it is compared with.

    What several metrics are taken from is computed once, when the first of them asks.

    Attributes:
        seen: The set; its logits are those of the extractor, then of the judges.
        feature: The name of the features to compare.
        real: Real images, if any.
        judge: Who judges, if anybody.
        place: The judge's among `seen.logits`.
        seed: Of the images drawn where sets must be equally large, and of resampling.
    """

    seen: Extracted
    feature: str
    real: Reference | None = None
    judge: Judge | None = None
    place: int = 0
    seed: int = 0

    def has(self, need: Need) -> bool:
        """Whether something that a metric may need is there."""
        numbers = self.seen.batch_numbers
        return {
            "judge": self.judge is not None,
            "real images": self.real is not None,
            "batch numbers": numbers is not None and len(np.unique(numbers)) > 1,
        }[need]

    @property
    def features(self) -> np.ndarray:
        """(images, width)."""
        return self.seen.features[self.feature]

    @property
    def reference(self) -> Reference:
        """The real images, by a metric that needs them."""
        assert self.real is not None
        return self.real

    @cached_property
    def hits(self) -> np.ndarray:
        """Of each image of a class that the judge knows, whether it recognises it."""
        assert self.judge is not None
        return self.judge.hits(self.seen.logits[self.place], self.seen.labels)

    @property
    def compared(self) -> int:
        """How many images of each set are compared by neighbours.

        Neighbourhoods shrink with the number of images: both sets must have as many.
        """
        return min(len(self.features), len(self.reference.features), MOST_NEIGHBOURS)

    @cached_property
    def manifolds(self) -> ManifoldScores:
        """Of as many real images as of these."""
        rng = np.random.default_rng(self.seed)
        real, synthetic = (
            x[sample_positions(len(x), self.compared, rng)]
            for x in (self.reference.features, self.features)
        )
        return manifold_scores(real, synthetic)

    @cached_property
    def prd(self) -> Prd:
        """The curve of precision and recall."""
        return prd_curve(self.reference.features, self.features, seed=self.seed)

    @cached_property
    def batches(self) -> BatchDiversity:
        """How varied batches of synthesis are."""
        numbers = self.seen.batch_numbers
        if numbers is None:
            raise DataError("the set does not tell in which batch each image was made")
        return batch_diversity(self.features, self.seen.labels, numbers)
