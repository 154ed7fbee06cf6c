"""Synthetic images beside the real ones that are most like them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from jinv.report.boxes import PALE_INK, Box, Column, Row, Space, Text, Tile
from jinv.report.pictures import magnification
from jinv.report.sheet import GAP, MARGIN, WIDE_GAP, compose_sheet, label


def neighbour_sheet(
    images: np.ndarray,
    neighbours: np.ndarray,
    distances: np.ndarray,
    titles: Sequence[str],
) -> Image.Image:
    """Set each synthetic image beside its nearest real images.

    Distances are written under the neighbours. Small images are magnified by a whole
    factor. Many rows are set side by side, and what does not fit in 4000 x 4000 pixels
    is left out, which a note at the bottom says.

    Args:
        images: Synthetic images (images, height, width, channels), uint8.
        neighbours: Nearest real ones (images, k, height, width, channels), uint8.
        distances: Distances to the neighbours (images, k).
        titles: Titles (images,), such as the class, to the left of each image.

    Raises:
        ValueError: There are no images, or the shapes do not fit together.
    """
    if not (
        len(images) == len(neighbours) == len(titles) > 0
        and neighbours.shape[:2] == distances.shape[:2]
        and neighbours.shape[2:] == images.shape[1:]
    ):
        raise ValueError(
            f"{len(titles)} titles, images {images.shape}, neighbours "
            f"{neighbours.shape} and distances {distances.shape} do not fit together"
        )
    factor = magnification(*images.shape[1:3])
    height, width = (factor * side for side in images.shape[1:3])
    size, small = min(32, max(14, height // 6)), min(24, max(12, height // 8))
    texts = [label(title, size, height) for title in titles]
    widest = max(text.width for text in texts)

    def row(number: int) -> Row:
        title = Column([texts[number]], align="right", least=widest)
        near = [
            Column(
                [
                    Tile(image, factor),
                    Text(f"{distance:#.3g}".rstrip("."), small, PALE_INK),
                ],
                align="middle",
            )
            for image, distance in zip(
                neighbours[number], distances[number], strict=True
            )
        ]
        return Row(
            [
                Row(
                    [title, Space(MARGIN), Tile(images[number], factor)],
                    0,
                    "middle",
                ),
                Space(WIDE_GAP),
                Row(near, GAP),
                Space(WIDE_GAP),
            ]
        )

    rows: list[Box] = [row(number) for number in range(len(images))]
    heading = Row(
        [
            Space(widest + MARGIN),
            Column([Text("synthetic", small, PALE_INK)], least=width + WIDE_GAP),
            Text("nearest real", small, PALE_INK),
        ]
    )
    return compose_sheet(lambda across: rows, "", heading, upright=1.7, small=small)
