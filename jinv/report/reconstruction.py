"""What a page says of reconstructions: their errors, and what differs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jinv.metrics.feature_errors import feature_errors
from jinv.metrics.fidelity import fidelity
from jinv.metrics.lpips import least_size, lpips, lpips_installed, other_family
from jinv.metrics.means import Mean, mean_of
from jinv.metrics.measures import LPIPS, MEASURES
from jinv.metrics.ssim import WINDOW
from jinv.reconstruction.photographs import PhotographRequest
from jinv.report.differences import difference_sheet
from jinv.report.evaluation_table import MISSING
from jinv.report.html import wide_table
from jinv.report.pictures import save_picture

DIFFERENCES = "differences.png"

_OF_IMAGES = "psnr", "ssim", LPIPS
"""Measures of images that the table shows; those of features are all shown."""


def reconstruction_errors(
    request: PhotographRequest, numbers: Sequence[int], images: np.ndarray
) -> dict[str, Any]:
    """Measure how near reconstructions are to their photographs, as JSON.

    Args:
        request: Request, which knows the photographs.
        numbers: Numbers of the images.
        images: Reconstructions (images, height, width, channels), uint8.

    Returns:
        `images`, the errors of each by name: of pixels (see `Fidelity`, where they have
        11 pixels or more), LPIPS by a network of another family where its weights are
        there, and of each layer (see `FeatureErrors`). `lpips_by`, that family or None.
    """
    targets = request.photographs[np.asarray(numbers, int)]
    size = images.shape[1]
    rows: list[dict[str, Any]] = [{} for _ in images]
    if size >= WINDOW:
        rows = [asdict(each) for each in fidelity(images, targets)]
    family = other_family(request.classifier.spec.name)
    if size >= least_size(family) and lpips_installed(family):
        for row, value in zip(rows, lpips(family)(images, targets), strict=True):
            row[LPIPS] = float(value)
    else:
        family = None
    known, own = request.features(targets), request.features(images)
    for layer in request.layers:
        found = feature_errors(own[layer], known[layer])
        for row, error in zip(rows, found, strict=True):
            row.setdefault("features", {})[layer] = asdict(error)
    for row in rows:
        # JSON has no infinity: that of an image which is its photograph.
        row |= {"psnr": None} if row.get("psnr") == math.inf else {}
    names = request.names_of(numbers, request.labels)
    return {"images": dict(zip(names, rows, strict=True)), "lpips_by": family}


def save_differences(
    folder: Path, request: PhotographRequest, numbers: Sequence[int], images: np.ndarray
) -> None:
    """Save photographs, reconstructions and their differences as one picture."""
    targets = request.photographs[np.asarray(numbers, int)]
    names = request.names_of(numbers, request.labels)
    save_picture(folder / DIFFERENCES, difference_sheet(targets, images, names))


def errors_table(found: Mapping[str, Any]) -> str:
    """Write the errors of all reconstructions as a section, their means first."""
    rows = found["images"]
    columns: dict[str, list[float | None]] = {}
    for row in rows.values():
        for name in _OF_IMAGES:
            if name in row:
                columns.setdefault(_title(name), []).append(row[name])
        for layer, errors in row["features"].items():
            for name, value in errors.items():
                title = f"{_title(name)} of {layer}"
                columns.setdefault(title, []).append(value)
    means = {title: mean_of(values) for title, values in columns.items()}
    body = [["<b>mean</b>", *(escape(_told(mean)) for mean in means.values())]]
    body += [
        [escape(name), *(_number(values[place]) for values in columns.values())]
        for place, name in enumerate(rows)
    ]
    by = found["lpips_by"]
    return (
        "<section>\n<h2>Errors</h2>\n"
        f"{wide_table(['image', *map(escape, columns)], body, led=True)}"
        '<p class="pale">Means are given ± 1.96 standard errors. '
        + (f"LPIPS is that of the {by} family, which took no part. " if by else "")
        + "Errors of features are told under the three names that papers give them: "
        "the squared and the plain distance over the target's length, and the distance "
        "over that of two targets.</p>\n</section>\n"
    )


def _title(name: str) -> str:
    measure = MEASURES[name]
    return f"{measure.title}, {measure.unit}" if measure.unit else measure.title


def _told(mean: Mean) -> str:
    return MISSING if mean.value is None else str(mean)


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4g}"
