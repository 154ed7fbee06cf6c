"""How different are the images of one class?"""

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
        features: (images, width).
        labels: (images,), integers.

    Returns:
        The distance, from 0 (all alike), of each class.

    Raises:
        DataError: There is not one label per image, or features are not finite.

    Example:
        >>> within_class_diversity([[1, 0], [0, 1], [2, 0]], [7, 7, 8])
        {7: 1.0}
    """
    features = matrix(features).astype(np.float64)
    labels = np.asarray(labels)
    if labels.shape != features.shape[:1]:
        raise DataError(
            f"{len(features)} images need labels of shape ({len(features)},), not "
            f"{labels.shape}"
        )
    lengths = np.linalg.norm(features, axis=1)
    some = lengths > 0
    units = features[some] / lengths[some, None]
    classes, members, counts = np.unique(
        labels[some], return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(classes), features.shape[1]))
    np.add.at(sums, members, units)
    many = counts > 1
    n = counts[many]
    cosines = (np.square(sums[many]).sum(1) - n) / (n * (n - 1))
    distances = np.maximum(0, 1 - cosines)
    return dict(zip(classes[many].tolist(), distances.tolist(), strict=True))
