"""What a page says of visualisations: how far images are what was asked for."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jinv.report.evaluation_table import MISSING
from jinv.report.grid import grid
from jinv.report.html import wide_table
from jinv.report.pictures import save_picture
from jinv.visualization.request import VisualRequest

PHOTOGRAPHS = "photographs.png"


def excitation(
    request: VisualRequest, numbers: Sequence[int], images: np.ndarray
) -> dict[str, Any]:
    """Measure how far images are what was asked for, beside all others, as JSON.

    Args:
        request: Request, which tells what was asked.
        numbers: Numbers of the images.
        images: Images (images, height, width, channels), uint8.

    Returns:
        `images`, a row for each: its name; `own`, what it is itself, e.g. the
        activation of its unit; `photograph`, what its photograph is, or None; and of
        the images of other questions `mean`, `greatest`, and whose that is, or None.
        `measure`, what it is called.
    """
    asked = request.question_of(numbers)
    values = request.excitation(images)
    known = None
    if request.photographs is not None:
        known = np.diagonal(request.excitation(request.photographs))
    names = request.names_of(numbers, request.labels)
    rows = []
    for place, (name, question) in enumerate(zip(names, asked, strict=True)):
        others = np.flatnonzero(asked != question)
        row: dict[str, Any] = {
            "name": name,
            "own": float(values[question, place]),
            "photograph": None if known is None else float(known[question]),
            "mean": None,
            "greatest": None,
            "whose": None,
        }
        if len(others) and request.compared:
            most = others[np.argmax(values[question, others])]
            row["mean"] = float(values[question, others].mean())
            row |= {"greatest": float(values[question, most]), "whose": names[most]}
        rows.append(row)
    return {"measure": request.measure, "images": rows}


def save_photographs(
    folder: Path, request: VisualRequest, numbers: Sequence[int], images: np.ndarray
) -> None:
    """Save each photograph beside its images, if there are photographs."""
    if request.photographs is None:
        return
    rows = request.question_of(numbers)
    there = np.unique(rows)
    together = np.concatenate([request.photographs[there], images])
    picture = grid(together, [*there, *rows], request.questions)
    save_picture(folder / PHOTOGRAPHS, picture)


def excitation_table(found: Mapping[str, Any]) -> str:
    """Write what images are, beside all others, as a section."""
    measure = escape(found["measure"])
    columns = {
        "own": measure,
        "photograph": "of the photograph",
        "mean": "mean of the others",
        "greatest": "greatest of the others",
        "whose": "whose",
    }
    rows = found["images"]
    kept = [name for name in columns if any(row[name] is not None for row in rows)]
    body = [[escape(row["name"]), *(_told(row[name]) for name in kept)] for row in rows]
    compared = (
        " Others are the images that were made for something else, measured by the "
        "same."
        if "mean" in kept
        else ""
    )
    return (
        "<section>\n<h2>What the images excite</h2>\n"
        f"{wide_table(['image', *(columns[name] for name in kept)], body)}"
        f'<p class="pale">The {measure} of each image as it was saved, without '
        f"transforms.{compared}</p>\n</section>\n"
    )


def _told(value: float | str | None) -> str:
    if value is None:
        return MISSING
    return escape(value) if isinstance(value, str) else f"{value:.4g}"
