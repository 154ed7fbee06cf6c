"""The report that an evaluation leaves: figures, `evaluation.json`, and the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jinv.atomic import write_json
from jinv.folders import Kind
from jinv.metrics.evaluation import Measurements
from jinv.metrics.extraction import Extractor
from jinv.metrics.judge import Judge, per_class
from jinv.metrics.table import metrics_by
from jinv.report.evaluation_figures import plot_confusion, plot_precision_recall
from jinv.report.evaluation_page import write_evaluation_page
from jinv.report.evaluation_pictures import (
    LookedAt,
    save_embedding,
    save_grid,
    save_neighbours,
)
from jinv.report.pictures import slug

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


def write_report(
    folder: Path,
    evaluated: LookedAt,
    real: LookedAt | None,
    rows: Mapping[str, Measurements],
    extractor: Extractor,
    judges: Sequence[Judge],
    warnings: Sequence[str],
    facts: Mapping[str, Any],
    seed: int = 0,
) -> dict[str, Any]:
    """Plot the figures, and write `evaluation.json` and `index.html`.

    Args:
        folder: Folder to write to; taken for an `EVALUATION`.
        evaluated: Set that is evaluated.
        real: Real images, if any.
        rows: Measurements of the set (first) and of its controls, by name.
        extractor: Network whose features were compared.
        judges: Judges of the set, in the order of its logits.
        warnings: Warnings beside those of the rows.
        facts: Facts for `evaluation.json` as well: settings, seconds and so on.
        seed: Seed of the images shown.

    Returns:
        What `evaluation.json` holds.
    """
    tables = []
    for judge, logits in zip(judges, evaluated.seen.logits[1:], strict=True):
        name = judge.name
        table, counts, classes = per_class(
            judge, logits, evaluated.seen.labels, evaluated.classes
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
                "sha256": judge.network.checksum,
                "images": count,
                "per_class": table,
            }
        )
    rng = np.random.default_rng(seed)
    save_grid(folder / "grid.png", evaluated, rng)
    curves = {n: (m.prd.recall, m.prd.precision) for n, m in rows.items() if m.prd}
    if curves:
        plot_precision_recall(folder / "precision_recall.png", curves)
    if real is not None:
        save_embedding(folder / "embedding.png", evaluated, real, extractor, rng)
        save_neighbours(folder / "neighbours.png", evaluated, real, extractor, rng)
    labels, counts = np.unique(evaluated.seen.labels, return_counts=True)
    evaluation = {
        "set": {
            "source": evaluated.source,
            "split": evaluated.split,
            "images": len(evaluated.seen),
            "skipped": len(evaluated.seen.unreadable),
            "classes": {
                evaluated.classes[label]: int(count)
                for label, count in zip(labels, counts, strict=True)
            },
        },
        "real": real
        and {"source": real.source, "split": real.split, "images": len(real.seen)},
        "extractor": {
            "name": extractor.classifier.spec.name,
            "sha256": extractor.classifier.checksum,
            "feature": extractor.feature,
            "dimensions": evaluated.seen.features[extractor.feature].shape[1],
        },
        "rows": {name: measured.as_row() for name, measured in rows.items()},
        "judges": tables,
        "metrics": _metrics(rows, judges),
        "warnings": [
            *evaluated.seen.unreadable,
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
    rows: Mapping[str, Measurements], judges: Sequence[Judge]
) -> dict[str, dict[str, Any]]:
    """Titles and meanings of the metrics that any row has, judges' first."""
    known = metrics_by([judge.name for judge in judges])
    had = {name for measured in rows.values() for name in measured.estimates}
    return {name: metric.describe() for name, metric in known.items() if name in had}
