"""Pictures beside each other, each under its name."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from jinv.report.boxes import Column, Row, Text, Tile, compose

_MARGIN = 16


def side_by_side(pictures: Mapping[str, Image.Image], columns: int) -> Image.Image:
    """Set pictures in rows, each with its title above it.

    Args:
        pictures: Pictures by title.
        columns: Number of pictures in a row.
    """
    width = max(picture.width for picture in pictures.values())
    size = max(16, width // 36)
    panels = [
        Column([Text(name, size), Tile(np.asarray(picture))], size // 2, least=width)
        for name, picture in pictures.items()
    ]
    rows = [
        Row(panels[first : first + columns], _MARGIN)
        for first in range(0, len(panels), columns)
    ]
    return compose(Column(rows, _MARGIN), _MARGIN)
