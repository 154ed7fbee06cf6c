"""Everything that an evaluation leaves: figures, `evaluation.json`, and the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from jinv.atomic import write_json
from jinv.data.labelled import LabelledImages
from jinv.folders import Kind
from jinv.metrics.evaluation import Measured
from jinv.metrics.extraction import Extracted, Extractor, sample_positions
from jinv.metrics.neighbours import nearest
from jinv.metrics.recognition import Judge, per_class
from jinv.metrics.table import metrics_by
from jinv.report.evaluation_figures import (
    plot_confusion,
    plot_embedding,
    plot_precision_recall,
)
from jinv.report.evaluation_page import write_evaluation_page
from jinv.report.neighbour_sheet import neighbour_sheet
from jinv.report.pictures import grid, save_picture, slug

EVALUATION = Kind(
    "evaluation",
    "evaluation",
    owned=(
        "confusion_*.png",
        "grid.png",
        "precision_recall.png",
        "embedding.png",
        "neighbours.png",
        "index.html",
    ),
    last="evaluation.json",
)
_GRID_IMAGES = 100
_EMBEDDED = 500  # of each set
_QUERIES = 2000  # images whose nearest real images are sought
_SHOWN, _NEIGHBOURS = 16, 5


@dataclass(frozen=True, eq=False)
class LookedAt:
    """A set that was opened and seen by networks.

    Attributes:
        source: Where it is.
        split: Which part of it.
        classes: Names, in the order of its labels.
        data: Its images.
        seen: What networks see in them.
    """

    source: str
    split: str
    classes: tuple[str, ...]
    data: LabelledImages
    seen: Extracted

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Images by their position in `seen`."""
        return self.data.read(self.seen.indices[positions])[0]


def write_report(
    folder: Path,
    judged: LookedAt,
    real: LookedAt | None,
    rows: Mapping[str, Measured],
    extractor: Extractor,
    judges: Sequence[Judge],
    warnings: Sequence[str],
    facts: Mapping[str, Any],
    seed: int = 0,
) -> dict[str, Any]:
    """Draw the figures, and write `evaluation.json` and `index.html`.

    Args:
        folder: Where to; taken for an `EVALUATION`.
        judged: The set.
        real: Real images, if any.
        rows: What was measured of the set (first) and of its controls, by name.
        extractor: Whose features were compared.
        judges: Of the set, in the order of its logits.
        warnings: Beside those of the rows.
        facts: More for `evaluation.json`: settings, seconds and so on.
        seed: Of the images shown.

    Returns:
        What `evaluation.json` holds.
    """
    tables = []
    for judge, logits in zip(judges, judged.seen.logits[1:], strict=True):
        name = judge.name
        table, counts, classes = per_class(
            judge, logits, judged.seen.labels, judged.classes
        )
        if counts.size:
            plot_confusion(
                folder / f"confusion_{slug(name)}.png",
                counts,
                classes,
                f"What {name} sees",
            )
        count = sum(row["images"] for row in table.values())
        tables.append(
            {
                "name": name,
                "sha256": judge.network.sha256,
                "images": count,
                "per_class": table,
            }
        )
    rng = np.random.default_rng(seed)
    _draw_grid(folder / "grid.png", judged, rng)
    curves = {n: (m.prd.recall, m.prd.precision) for n, m in rows.items() if m.prd}
    if curves:
        plot_precision_recall(folder / "precision_recall.png", curves)
    if real is not None:
        _draw_embedding(folder / "embedding.png", judged, real, extractor, rng)
        _draw_neighbours(folder / "neighbours.png", judged, real, extractor, rng)
    labels, counts = np.unique(judged.seen.labels, return_counts=True)
    evaluation = {
        "set": {
            "source": judged.source,
            "split": judged.split,
            "images": len(judged.seen),
            "skipped": len(judged.seen.unreadable),
            "classes": {
                judged.classes[label]: int(count)
                for label, count in zip(labels, counts, strict=True)
            },
        },
        "real": real
        and {"source": real.source, "split": real.split, "images": len(real.seen)},
        "extractor": {
            "name": extractor.classifier.spec.name,
            "sha256": extractor.classifier.sha256,
            "feature": extractor.feature,
            "dimensions": judged.seen.features[extractor.feature].shape[1],
        },
        "rows": {name: measured.as_row() for name, measured in rows.items()},
        "judges": tables,
        "metrics": _metrics(rows, judges),
        "warnings": [
            *judged.seen.unreadable,
            *warnings,
            *(f"{name}: {text}" for name, m in rows.items() for text in m.warnings),
        ],
        **facts,
    }
    write_evaluation_page(folder, evaluation)
    # Last: with it the evaluation is finished.
    write_json(folder / EVALUATION.last, evaluation)
    return evaluation


def _metrics(
    rows: Mapping[str, Measured], judges: Sequence[Judge]
) -> dict[str, dict[str, Any]]:
    """Titles and meanings of the metrics that any row has, judges' first."""
    known = metrics_by([judge.name for judge in judges])
    had = {name for measured in rows.values() for name in measured.estimates}
    return {name: metric.describe() for name, metric in known.items() if name in had}


def _draw_grid(path: Path, judged: LookedAt, rng: np.random.Generator) -> None:
    """The first images of each class, as many of each."""
    labels = judged.seen.labels
    classes = np.unique(labels)
    if len(classes) > _GRID_IMAGES:
        classes = np.sort(rng.choice(classes, _GRID_IMAGES, replace=False))
    each = max(1, _GRID_IMAGES // len(classes))
    chosen = np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes])
    picture = grid(judged.images(chosen), labels[chosen].tolist(), judged.classes)
    save_picture(path, picture)


def _draw_embedding(
    path: Path,
    judged: LookedAt,
    real: LookedAt,
    extractor: Extractor,
    rng: np.random.Generator,
) -> None:
    """t-SNE (van der Maaten & Hinton 2008) of both sets together."""
    chosen = [sample_positions(len(x.seen), _EMBEDDED, rng) for x in (real, judged)]
    names = dict.fromkeys((*extractor.shown, extractor.feature))
    panels, shown = {}, {}
    for name in names:
        points = np.concatenate(
            [
                x.seen.features[name][c]
                for x, c in zip((real, judged), chosen, strict=True)
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
    classes = list(dict.fromkeys((*judged.classes, *real.classes)))
    labels = np.concatenate(
        [
            [classes.index(x.classes[label]) for label in x.seen.labels[c]]
            for x, c in zip((real, judged), chosen, strict=True)
        ]
    )
    origin = np.arange(len(labels)) < len(chosen[0])
    plot_embedding(path, panels, labels.astype(int), origin, classes)


def _draw_neighbours(
    path: Path,
    judged: LookedAt,
    real: LookedAt,
    extractor: Extractor,
    rng: np.random.Generator,
) -> None:
    """The images closest to a real one, then some at random."""
    queries = sample_positions(len(judged.seen), _QUERIES, rng)
    distances, found = nearest(
        judged.seen.features[extractor.feature][queries],
        real.seen.features[extractor.feature],
        min(_NEIGHBOURS, len(real.seen)),
    )
    order = np.argsort(distances[:, 0], kind="stable")
    half = min(_SHOWN // 2, len(order))
    rest = rng.permutation(order[half:])[: _SHOWN - half]
    chosen = np.concatenate([order[:half], rest])
    neighbours = np.stack([real.images(found[row]) for row in chosen])
    titles = [judged.classes[judged.seen.labels[queries[row]]] for row in chosen]
    sheet = neighbour_sheet(
        judged.images(queries[chosen]), neighbours, distances[chosen], titles
    )
    save_picture(path, sheet)
