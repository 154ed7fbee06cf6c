"""Diversity: how different the images of one class are, and those of one batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jinv.errors import DataError
from jinv.metrics.checks import matrix


def within_class_diversity(features: ArrayLike, labels: ArrayLike) -> dict[int, float]:
    """Mean cosine distance between two images of a class, for each class.

    1 - (|Σ u|² - n) / (n (n - 1)) with the n unit feature vectors u of the class: the
    mean over all pairs, without forming them. Features of zero length have no direction
    and are left out; then, so are classes of fewer than two images.

    Args:
        features: Features of the images, (images, width).
        labels: Classes of the images, (images,), integers.

    Returns:
        The distance of each class, from 0 (all alike).

    Raises:
        DataError: There is not one label per image, or features are not finite.

    Example:
        >>> within_class_diversity([[1, 0], [0, 1], [2, 0]], [7, 7, 8])
        {7: 1.0}
    """
    units, (labels,) = _directions(features, labels=labels)
    classes, n, squares = _sums(units, labels)
    many = n > 1
    distances = _distance((squares - n)[many], (n * (n - 1))[many])
    return dict(zip(classes[many].tolist(), distances.tolist(), strict=True))


@dataclass(frozen=True)
class BatchDiversity:
    """How varied batches are in themselves, and how much one differs from another.

    Attributes:
        within_by_class: Mean cosine distance between two images of a class that come
            from one batch.
        between_by_class: Mean cosine distance between two images of a class that come
            from different batches.
    """

    within_by_class: dict[int, float]
    between_by_class: dict[int, float]

    @property
    def within(self) -> float:
        """Mean over the classes of the diversity within batches."""
        return float(np.mean(list(self.within_by_class.values())))

    @property
    def between(self) -> float:
        """Mean diversity between batches over the classes; low where batches are alike.

        Its counterpart is the `within_class_diversity` of real images.
        """
        return float(np.mean(list(self.between_by_class.values())))

    @property
    def ratio(self) -> float | None:
        """The ratio `within` / `between`; None where all images are alike.

        About 1: a batch is as varied as the set. Far below: the images of a batch have
        collapsed to one. Above: the images of a batch complement each other, as terms
        on a batch's statistics ask of them, and batches repeat each other; if all are
        the same k images of a class, it is k / (k - 1).
        """
        return self.within / self.between if self.between > _ROUNDING else None


def batch_diversity(
    features: ArrayLike, labels: ArrayLike, batch_numbers: ArrayLike
) -> BatchDiversity:
    """Diversity of each class within batches of synthesis, and between them.

    With the unit feature vectors u of a class, n of them, of which n_b are in batch b:

    within: 1 - Σ_b (|Σ_b u|² - n_b) / Σ_b n_b (n_b - 1)

    between: 1 - (|Σ u|² - Σ_b |Σ_b u|²) / (n² - Σ_b n_b²)

    the means over all pairs, without forming them; see `within_class_diversity`, which
    is that of both kinds of pairs together.

    Args:
        features: Features (images, width); those of zero length are left out.
        labels: Classes of the images, (images,), integers.
        batch_numbers: Batch in which each image was made, (images,), integers.

    Returns:
        The distances of the classes that have pairs of both kinds, so that the two
        means are of the same classes.

    Raises:
        DataError: No class has both, there is not one label and batch per image, or
            features are not finite.

    Example:
        >>> features = [[1, 0], [1, 0], [0, 1], [0, 1]]
        >>> found = batch_diversity(features, [7, 7, 7, 7], [0, 0, 1, 1])
        >>> found.within, found.between, found.ratio
        (0.0, 1.0, 0.0)
    """
    units, (labels, batch_numbers) = _directions(
        features, labels=labels, batch_numbers=batch_numbers
    )
    classes, n, squares = _sums(units, labels)
    parts, n_b, squares_b = _sums(units, np.stack([labels, batch_numbers], axis=1))
    owners = np.searchsorted(classes, parts[:, 0])

    def over_batches(values: np.ndarray) -> np.ndarray:
        return np.bincount(owners, values, len(classes))

    together = over_batches(n_b * (n_b - 1))
    apart = n * n - over_batches(n_b * n_b)
    both = (together > 0) & (apart > 0)
    if not both.any():
        raise DataError(
            "no class has two images of one batch and two of different batches"
        )
    within = _distance(over_batches(squares_b - n_b)[both], together[both])
    between = _distance((squares - over_batches(squares_b))[both], apart[both])
    names = classes[both].tolist()
    return BatchDiversity(
        dict(zip(names, within.tolist(), strict=True)),
        dict(zip(names, between.tolist(), strict=True)),
    )


_ROUNDING = 1e-12
"""A distance that equal images may have."""


def _directions(
    features: ArrayLike, **columns: ArrayLike
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Features that have a direction, scaled to length 1, with their labels and so on.

    Sums over them stand for sums over pairs; float64, as these are differences of
    large numbers.
    """
    features = matrix(features).astype(np.float64)
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    for name, array in arrays.items():
        if array.shape != features.shape[:1]:
            raise DataError(
                f"{len(features)} images need {name} of shape ({len(features)},), not "
                f"{array.shape}"
            )
    lengths = np.linalg.norm(features, axis=1)
    some = lengths > 0
    units = features[some] / lengths[some, None]
    return units, [array[some] for array in arrays.values()]


def _sums(
    units: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The groups that there are, their sizes, and |Σ u|² of each."""
    names, members, counts = np.unique(
        groups, axis=0, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(names), units.shape[1]))
    np.add.at(sums, members.ravel(), units)
    return names, counts, np.square(sums).sum(1)


def _distance(cosines: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Mean cosine distance, of the sum of the cosines of so many ordered pairs."""
    return np.maximum(0, 1 - cosines / pairs)
