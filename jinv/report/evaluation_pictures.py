"""Pictures that an evaluation leaves: of the set, and of it beside real images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ImageOps
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from jinv.data.labelled import LabelledImages
from jinv.data.pictures import to_picture
from jinv.metrics.extraction import Extracted, Extractor, sample_positions
from jinv.metrics.neighbours import nearest
from jinv.report.evaluation_figures import plot_embedding
from jinv.report.grid import grid
from jinv.report.neighbour_sheet import neighbour_sheet
from jinv.report.pictures import save_picture

_GRID_IMAGES = 100
_EMBEDDED = 500  # of each set
_QUERIES = 2000  # images whose nearest real images are sought
_SHOWN, _NEIGHBOURS = 16, 5


@dataclass(frozen=True, eq=False)
class LookedAt:
    """A set that was opened and seen by networks.

    Attributes:
        source: Path or name of the set.
        split: Split that was opened.
        classes: Names of the classes, in the order of its labels.
        data: Images of the set.
        seen: Images as networks see them.
    """

    source: str
    split: str
    classes: tuple[str, ...]
    data: LabelledImages
    seen: Extracted

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Read images by their position in `seen`."""
        return self.data.read(self.seen.indices[positions])[0]


def save_grid(path: Path, evaluated: LookedAt, rng: np.random.Generator) -> None:
    """Save a grid of the first images of each class, as many of each."""
    labels = evaluated.seen.labels
    classes = np.unique(labels)
    if len(classes) > _GRID_IMAGES:
        classes = np.sort(rng.choice(classes, _GRID_IMAGES, replace=False))
    each = max(1, _GRID_IMAGES // len(classes))
    chosen = np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes])
    picture = grid(evaluated.images(chosen), labels[chosen].tolist(), evaluated.classes)
    save_picture(path, picture)


def save_embedding(
    path: Path,
    evaluated: LookedAt,
    real: LookedAt,
    extractor: Extractor,
    rng: np.random.Generator,
) -> None:
    """Save the t-SNE of both sets together (van der Maaten & Hinton 2008)."""
    chosen = [sample_positions(len(x.seen), _EMBEDDED, rng) for x in (real, evaluated)]
    names = dict.fromkeys((*extractor.shown, extractor.feature))
    panels, shown = {}, {}
    for name in names:
        points = np.concatenate(
            [
                x.seen.features[name][c]
                for x, c in zip((real, evaluated), chosen, strict=True)
            ]
        )
        # The last stage's average often is what the last layer reads.
        repeated = any(np.array_equal(points, others) for others in shown.values())
        if len(points) > 5 and not repeated:
            shown[name] = points
            near = min(30.0, (len(points) - 1) / 3)
            # Threads would wait for each other longer than they work.
            with threadpool_limits(1):
                panels[name] = TSNE(perplexity=near, random_state=0).fit_transform(
                    points
                )
    if not panels:
        return
    # Labels of both sets in one list of names.
    classes = list(dict.fromkeys((*evaluated.classes, *real.classes)))
    labels = np.concatenate(
        [
            [classes.index(x.classes[label]) for label in x.seen.labels[c]]
            for x, c in zip((real, evaluated), chosen, strict=True)
        ]
    )
    origin = np.arange(len(labels)) < len(chosen[0])
    plot_embedding(path, panels, labels.astype(int), origin, classes)


def save_neighbours(
    path: Path,
    evaluated: LookedAt,
    real: LookedAt,
    extractor: Extractor,
    rng: np.random.Generator,
) -> None:
    """Save a sheet of the images closest to a real one, then some at random."""
    queries = sample_positions(len(evaluated.seen), _QUERIES, rng)
    distances, found = nearest(
        evaluated.seen.features[extractor.feature][queries],
        real.seen.features[extractor.feature],
        min(_NEIGHBOURS, len(real.seen)),
    )
    order = np.argsort(distances[:, 0], kind="stable")
    half = min(_SHOWN // 2, len(order))
    rest = rng.permutation(order[half:])[: _SHOWN - half]
    chosen = np.concatenate([order[:half], rest])
    images = evaluated.images(queries[chosen])
    neighbours = np.stack([real.images(found[row]) for row in chosen])
    if neighbours.shape[2:4] != images.shape[1:3]:  # real ones of another size
        height, width = images.shape[1:3]
        neighbours = np.stack(
            [[_fitted(near, width, height) for near in row] for row in neighbours]
        )
    titles = [evaluated.classes[evaluated.seen.labels[queries[row]]] for row in chosen]
    sheet = neighbour_sheet(images, neighbours, distances[chosen], titles)
    save_picture(path, sheet)


def _fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image (height, width, channels), uint8, scaled and cut to a size."""
    picture = ImageOps.fit(to_picture(image), (width, height))
    return np.asarray(picture).reshape(height, width, -1)
