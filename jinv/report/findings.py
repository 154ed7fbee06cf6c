"""What a run's summary and page tell of images that were asked for other than by class.

A request is judged by what it asked for: a photograph's reconstruction by its errors, a
unit's image by what it excites.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jinv.inversion.request import Request
from jinv.reconstruction.photographs import PhotographRequest
from jinv.report.excitation import (
    PHOTOGRAPHS,
    excitation,
    excitation_table,
    save_photographs,
)
from jinv.report.html import picture
from jinv.report.reconstruction import (
    DIFFERENCES,
    errors_table,
    reconstruction_errors,
    save_differences,
)
from jinv.visualization.request import VisualRequest


class Finding(NamedTuple):
    """How one kind of request is judged, and how that is told.

    Attributes:
        request: The kind of request.
        measure: Measures images (images, height, width, channels), uint8, by their
            numbers, as JSON for the summary.
        save: Saves a picture in the run's folder, if there is something to show.
        picture: Name of that picture's file, its title and what it shows.
        table: Writes what was measured as a section.
    """

    request: type[Request]
    measure: Callable[[Any, Sequence[int], np.ndarray], dict[str, Any]]
    save: Callable[[Path, Any, Sequence[int], np.ndarray], None]
    picture: tuple[str, str, str]
    table: Callable[[Mapping[str, Any]], str]


FINDINGS = {
    "reconstruction": Finding(
        PhotographRequest,
        reconstruction_errors,
        save_differences,
        (
            DIFFERENCES,
            "Photographs and reconstructions",
            "Each photograph, its reconstruction, and how they differ",
        ),
        errors_table,
    ),
    "excitation": Finding(
        VisualRequest,
        excitation,
        save_photographs,
        (
            PHOTOGRAPHS,
            "Photographs and images",
            "Each photograph, and the images that came of it",
        ),
        excitation_table,
    ),
}
"""Findings by their key in the summary."""


def find(
    folder: Path, request: Request, numbers: Sequence[int], images: np.ndarray
) -> dict[str, Any]:
    """Judge images by what was asked for, and save the pictures that show it.

    Args:
        folder: The run's folder.
        request: What was asked for.
        numbers: Numbers of the images.
        images: Images (images, height, width, channels), uint8.

    Returns:
        What is to stand in the summary; nothing for images of classes.
    """
    found = {}
    for key, finding in FINDINGS.items():
        if isinstance(request, finding.request):
            found[key] = finding.measure(request, numbers, images)
            finding.save(folder, request, numbers, images)
    return found


def pictures_of(folder: Path, summary: Mapping[str, Any]) -> str:
    """Write the pictures of what was found as sections."""
    found = (finding for key, finding in FINDINGS.items() if key in summary)
    shown = (finding.picture for finding in found)
    return "".join(picture(folder / name, *words) for name, *words in shown)


def tables_of(summary: Mapping[str, Any]) -> str:
    """Write the tables of what was found as sections."""
    found = (key for key in FINDINGS if key in summary)
    return "".join(FINDINGS[key].table(summary[key]) for key in found)
