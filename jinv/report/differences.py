"""Reconstructions beside their targets, with what differs and a detail of both."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike
from PIL import Image

from jinv.levels import from_uint8, to_uint8
from jinv.report.boxes import PALE_INK, Box, Column, Row, Space, Text, Tile
from jinv.report.pictures import magnification
from jinv.report.sheet import MARGIN, WIDE_GAP, centred, compose_sheet, label

DETAIL = 56
"""Height and width of the detail, in pixels."""


def difference_sheet(
    targets: ArrayLike,
    images: ArrayLike,
    titles: Sequence[str],
    notes: Sequence[str] = (),
) -> Image.Image:
    """Set each target beside its reconstruction, their differences and a detail.

    Differences are those of `signed_difference` and `absolute_difference`; under them
    is written which of them are black and white, in brightness from 0 to 1. The detail,
    56x56 pixels, is where the target is busiest (`busiest_place`), framed in the target
    and magnified to about its height; images less than twice as large have none.

    Small images are magnified by a whole factor. Many rows are set side by side, and
    what does not fit in 4000 x 4000 pixels is left out, which a note at the bottom
    says.

    Args:
        targets: Targets (images, height, width, channels): uint8, or floats in [0, 1].
        images: Reconstructions of the same shape.
        titles: Titles (images,), to the left of each target.
        notes: Notes (images,), such as errors, under each reconstruction.

    Raises:
        ValueError: There are no images, or the shapes do not fit together.
    """
    wanted, found = to_uint8(targets), to_uint8(images)
    if not (
        wanted.shape == found.shape
        and wanted.ndim == 4
        and len(wanted) == len(titles) > 0
        and len(notes) in (0, len(titles))
    ):
        raise ValueError(
            f"{len(titles)} titles, {len(notes)} notes, targets {wanted.shape} and "
            f"images {found.shape} do not fit together"
        )
    factor = magnification(*wanted.shape[1:3])
    height = factor * wanted.shape[1]
    size, small = min(32, max(14, height // 6)), min(20, max(12, height // 12))
    cells = [
        _cells(target, image, note, factor)
        for target, image, note in zip(
            wanted, found, notes or [""] * len(wanted), strict=True
        )
    ]
    widths = [
        max(cell.width(small) for cell in column) for column in zip(*cells, strict=True)
    ]
    names = [label(title, size, height) for title in titles]
    widest = max(name.width for name in names)

    def row(name: Column, own: Sequence[_Cell]) -> Box:
        shown = [
            Column([cell.tile, Text(cell.text, small, PALE_INK)], least=width)
            for cell, width in zip(own, widths, strict=True)
        ]
        title = centred(name, height, widest)
        return Row([title, Space(MARGIN), Row(shown, WIDE_GAP)])

    rows = [row(*each) for each in zip(names, cells, strict=True)]
    headings = [
        Column([Text(cell.heading, small, PALE_INK)], least=width)
        for cell, width in zip(cells[0], widths, strict=True)
    ]
    heading = Row([Space(widest + MARGIN), Row(headings, WIDE_GAP)])
    return compose_sheet(lambda across: rows, "", heading, upright=1.7, small=small)


def signed_difference(
    image: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, float]:
    """Show by how much an image is brighter or darker than its target.

    0.5 + d / (2 max|d|) with d = image - target: grey where they are equal, and white
    or black where they differ most; by channel.

    Args:
        image: Image (height, width, channels): uint8, or floats in [0, 1].
        target: Target of the same shape.

    Returns:
        The picture (height, width, channels), uint8; and max|d|, 0 for equal images,
        whose picture is grey.
    """
    difference, most = _difference(image, target)
    return to_uint8(0.5 + difference / (2 * (most or 1))), most


def absolute_difference(
    image: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, float]:
    """Show how much an image differs from its target.

    |d| / max|d| with d = image - target: black where they are equal, and white where
    they differ most; by channel.

    Args:
        image: Image (height, width, channels): uint8, or floats in [0, 1].
        target: Target of the same shape.

    Returns:
        The picture (height, width, channels), uint8; and max|d|, 0 for equal images,
        whose picture is black.
    """
    difference, most = _difference(image, target)
    return to_uint8(np.abs(difference) / (most or 1)), most


def busiest_place(image: np.ndarray, size: int = DETAIL) -> tuple[int, int]:
    """Find the square of an image within which brightness varies most.

    Args:
        image: Image (height, width, channels): uint8, or floats in [0, 1].
        size: Height and width of the square, in pixels.

    Returns:
        Row and column of its upper left corner: of the greatest variance, summed over
        channels; the first of equal ones.
    """
    values = from_uint8(np.asarray(image)).astype(np.float64)

    def means(values: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            values = sliding_window_view(values, size, axis).mean(-1)
        return values

    variances = (means(values**2) - means(values) ** 2).sum(-1)
    # Rounding must not choose between equal ones.
    row, column = np.unravel_index(variances.round(9).argmax(), variances.shape)
    return int(row), int(column)


class _Cell(NamedTuple):
    """A picture in a row, the heading of its column, and the line under it."""

    heading: str
    tile: Tile
    text: str

    def width(self, small: int) -> int:
        lines = (Text(line, small) for line in (self.heading, self.text))
        return max(self.tile.width, *(line.width for line in lines))


def _cells(
    target: np.ndarray, image: np.ndarray, note: str, factor: int
) -> list[_Cell]:
    signed, most = signed_difference(image, target)
    absolute, _ = absolute_difference(image, target)
    cells = [
        _Cell("target", Tile(target, factor), ""),
        _Cell("reconstruction", Tile(image, factor), note),
        _Cell(
            "signed difference",
            Tile(signed, factor),
            f"black -{most:#.2g}, white +{most:#.2g}" if most else "none",
        ),
        _Cell(
            "absolute difference",
            Tile(absolute, factor),
            f"black 0, white {most:#.2g}" if most else "none",
        ),
    ]
    height, width = target.shape[:2]
    if min(height, width) < 2 * DETAIL:
        return cells
    row, column = busiest_place(target)
    cells[0] = cells[0]._replace(tile=Tile(_framed(target, row, column), factor))
    place = np.s_[row : row + DETAIL, column : column + DETAIL]
    larger = factor * height // DETAIL
    at = f"row {row}, column {column}"
    return [
        *cells,
        _Cell(f"{DETAIL}x{DETAIL} of the target", Tile(target[place], larger), at),
        _Cell("of the reconstruction", Tile(image[place], larger), at),
    ]


def _framed(image: np.ndarray, row: int, column: int) -> np.ndarray:
    """The image with a frame around the detail: white, with black around it."""
    framed = image.copy()
    for inset, ink in ((0, 0), (1, 255)):
        top, left = row + inset, column + inset
        bottom, right = row + DETAIL - 1 - inset, column + DETAIL - 1 - inset
        framed[[top, bottom], left : right + 1] = ink
        framed[top : bottom + 1, [left, right]] = ink
    return framed


def _difference(image: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    values = (from_uint8(np.asarray(x)).astype(np.float64) for x in (image, target))
    difference = np.subtract(*values)
    return difference, float(np.abs(difference).max())
