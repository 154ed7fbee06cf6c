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
        features: Features (images, width).
        statistics: Statistics of all features.
    """

    features: np.ndarray
    statistics: FeatureStatistics

    @classmethod
    def of(cls, features: np.ndarray) -> "Reference":
        """Take the statistics of features once for all comparisons."""
        return cls(features, FeatureStatistics.of(features))


@dataclass(frozen=True, eq=False)
class Subject:
    """A set that is measured, and what it is compared with.

    What several metrics are taken from is computed once, when the first of them asks.

    Attributes:
        seen: Set as networks see it; logits are the extractor's, then the judges'.
        feature: Name of the features to compare.
        real: Real images, if any.
        judge: Network that judges, if any.
        place: Place of the judge among `seen.logits`.
        seed: Seed of resampling, and of images drawn to make sets equally large.
    """

    seen: Extracted
    feature: str
    real: Reference | None = None
    judge: Judge | None = None
    place: int = 0
    seed: int = 0

    def has(self, need: Need) -> bool:
        """Whether the set comes with something that a metric may need."""
        numbers = self.seen.batch_numbers
        return {
            "judge": self.judge is not None,
            "real images": self.real is not None,
            "batch numbers": numbers is not None and len(np.unique(numbers)) > 1,
        }[need]

    @property
    def features(self) -> np.ndarray:
        """Features of the set that are compared, (images, width)."""
        return self.seen.features[self.feature]

    @property
    def reference(self) -> Reference:
        """The real images, for a metric that needs them."""
        assert self.real is not None
        return self.real

    @cached_property
    def hits(self) -> np.ndarray:
        """Whether the judge recognises each image of a class that it knows."""
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
        """Scores of neighbourhoods, among as many real images as of the set."""
        rng = np.random.default_rng(self.seed)
        real, synthetic = (
            x[sample_positions(len(x), self.compared, rng)]
            for x in (self.reference.features, self.features)
        )
        return manifold_scores(real, synthetic)

    @cached_property
    def prd(self) -> Prd:
        """Curve of precision and recall of the set."""
        return prd_curve(self.reference.features, self.features, seed=self.seed)

    @cached_property
    def batches(self) -> BatchDiversity:
        """Diversity within and between the set's batches of synthesis."""
        numbers = self.seen.batch_numbers
        if numbers is None:
            raise DataError("the set does not tell in which batch each image was made")
        return batch_diversity(self.features, self.seen.labels, numbers)
