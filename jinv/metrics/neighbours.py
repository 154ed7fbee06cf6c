"""Nearest neighbours among many wide features, in bounded memory.

Distances are computed in square blocks by one matrix product each, in float64, which
is faster in thousands of dimensions than any search tree. At 2048 features a block and
what is derived from it take under 0.3 GB, however many samples there are.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import ArrayLike

from jinv.metrics.checks import matrix, same_width

BLOCK = 2048


def nearest(
    queries: ArrayLike, references: ArrayLike, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The references closest to each query, by Euclidean distance.

    Args:
        queries: Features (queries, width).
        references: Features (references, width).
        count: Number of references per query.

    Returns:
        Distances (queries, count), ascending, and indices into `references` (queries,
        count).

    Raises:
        DataError: There are fewer than `count` references, or features do not match.
    """
    queries = matrix(queries, "queries")
    references = matrix(references, "references", least=count)
    same_width(queries.shape[1], references.shape[1])
    found = np.full((len(queries), count), np.inf)
    indices = np.zeros((len(queries), count), np.int64)
    for rows, columns, squared in pair_blocks(queries, references):
        numbers = np.broadcast_to(np.arange(columns.start, columns.stop), squared.shape)
        candidates = np.concatenate([found[rows], squared], 1)
        numbers = np.concatenate([indices[rows], numbers], 1)
        best = np.argpartition(candidates, count - 1, 1)[:, :count]
        found[rows] = np.take_along_axis(candidates, best, 1)
        indices[rows] = np.take_along_axis(numbers, best, 1)
    order = np.argsort(found, 1, stable=True)
    found, indices = (np.take_along_axis(x, order, 1) for x in (found, indices))
    return np.sqrt(found), indices


def squared_distances_to_others(features: np.ndarray, count: int) -> np.ndarray:
    """Squared distances of each sample to its nearest others in the same set.

    Args:
        features: Features (samples, width).
        count: Number of others per sample, the sample itself left out.

    Returns:
        Distances (samples, count), ascending.
    """
    found = np.full((len(features), count), np.inf)

    def keep(rows: slice, squared: np.ndarray) -> None:
        candidates = np.concatenate([found[rows], squared], 1)
        found[rows] = np.partition(candidates, count - 1, 1)[:, :count]

    blocks = _blocks(len(features))
    for rows, columns in combinations_with_replacement(blocks, 2):
        squared = _squared_distances(features[rows], features[columns])
        if rows == columns:
            np.fill_diagonal(squared, np.inf)
        else:
            keep(columns, squared.T)
        keep(rows, squared)
    return np.sort(found, 1)


def pair_blocks(
    one: np.ndarray, other: np.ndarray
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield rows of one set, rows of the other, and their squared distances."""
    for rows, columns in product(_blocks(len(one)), _blocks(len(other))):
        yield rows, columns, _squared_distances(one[rows], other[columns])


def _blocks(count: int) -> list[slice]:
    return [slice(i, min(i + BLOCK, count)) for i in range(0, count, BLOCK)]


def _squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|x - y|² = |x|² - 2 x·y + |y|²; float64 leaves digits to cancel."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    squared = one @ other.T
    squared *= -2
    squared += np.square(one).sum(1)[:, None]
    squared += np.square(other).sum(1)
    return np.maximum(squared, 0, out=squared)
