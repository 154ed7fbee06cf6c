"""Images side by side in one picture, class by class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from jinv.levels import to_uint8
from jinv.report.boxes import Box, Column, Row, Space, Tile, line_height
from jinv.report.pictures import magnification
from jinv.report.sheet import (
    BLOCK_GAP,
    GAP,
    MARGIN,
    ROOM,
    WIDE_GAP,
    compose_sheet,
    label,
)

_LINE_WIDTH, _MOST_COLUMNS = 2300, 16  # ten images of 224 pixels, 16 small ones


def grid(
    images: ArrayLike, labels: Sequence[int], classes: Sequence[str]
) -> Image.Image:
    """Set images side by side, class by class, with the class's name on the left.

    Small images are magnified by a whole factor. Long rows are wrapped, many classes
    with few images are set side by side, and what does not fit in 4000 x 4000 pixels is
    left out, which the class's label says.

    Args:
        images: (images, height, width, 3), or 1 where grey: uint8, or floats in [0, 1].
        labels: Indices into `classes` (images,).
        classes: Names of the classes.
    """
    pixels = to_uint8(images)
    factor = magnification(*pixels.shape[1:3])
    height, width = (factor * side for side in pixels.shape[1:3])
    size, small = min(28, max(14, height // 5)), min(20, max(12, height // 7))
    found, counts = np.unique(np.asarray(labels), return_counts=True)
    members = [np.flatnonzero(np.asarray(labels) == label) for label in found]
    names = [classes[int(label)] for label in found]
    fitting = max(1, (ROOM - 2 * line_height(small)) // (height + GAP + BLOCK_GAP))
    widest = max(label(name, size, height).width for name in names)
    widest = max(widest, label("", size, height, "+99999 more", small).width)

    def blocks(across: int) -> list[Box]:
        each = (ROOM - (across - 1) * WIDE_GAP) // across
        line = min(_LINE_WIDTH, each - widest - MARGIN)
        columns = min(_MOST_COLUMNS, max(1, line // (width + GAP)))
        # Wrapped lines of even length look better than full ones and a remainder.
        columns = -(-max(counts) // -(-max(counts) // columns))
        lines = max(1, fitting // -(-len(found) // across))
        return [
            block(name, own, columns, lines)
            for name, own in zip(names, members, strict=True)
        ]

    def block(name: str, own: np.ndarray, columns: int, lines: int) -> Row:
        shown = [Tile(pixels[number], factor) for number in own[: columns * lines]]
        rows = [
            Row(shown[first : first + columns], GAP)
            for first in range(0, len(shown), columns)
        ]
        left_out = len(own) - len(shown)
        note = f"+{left_out} more" if left_out else ""
        images = Column(rows, GAP, least=columns * (width + GAP) - GAP)
        text = label(name, size, height, note, small)
        title = Column([text], align="right", least=widest)
        return Row([title, Space(MARGIN), images], align="middle")

    return compose_sheet(blocks, "classes", upright=1.3, small=small)
