"""What each layer of a network keeps of images: reconstructions, a row for each."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from jinv.levels import to_uint8
from jinv.report.boxes import PALE_INK, Box, Column, Row, Space, Text, Tile, line_height
from jinv.report.pictures import magnification
from jinv.report.sheet import GAP, MARGIN, ROOM, centred, compose_sheet, label

TARGET = "target"
"""Label of the first row, where nobody gives another."""

_MOST_COLUMNS = 16


def layer_sheet(
    targets: ArrayLike,
    reconstructions: Mapping[str, ArrayLike],
    notes: Mapping[str, Sequence[str]] | None = None,
    titles: Sequence[str] = (),
    first: str = TARGET,
) -> Image.Image:
    """Set targets in a row, and under each its reconstructions, a row for each layer.

    Small images are magnified by a whole factor. Where images do not fit beside each
    other, there are several such blocks, one under the other; layers and blocks that do
    not fit in 4000 x 4000 pixels are left out, which a note at the bottom says.

    Args:
        targets: Targets (images, height, width, channels): uint8, or floats in [0, 1].
        reconstructions: Reconstructions of the same shape by layer, in the order of the
            rows.
        notes: Notes by layer (images,), such as errors, under the reconstructions.
        titles: Titles of the images (images,), over the columns.
        first: Label of the first row.

    Raises:
        ValueError: There are no images or layers, or the shapes do not fit together.
    """
    notes = notes or {}
    rows = {first: to_uint8(targets)}
    rows |= {layer: to_uint8(images) for layer, images in reconstructions.items()}
    _check(rows, notes, titles)
    shape = rows[first].shape
    factor = magnification(*shape[1:3])
    height, width = (factor * side for side in shape[1:3])
    size, small = min(32, max(14, height // 6)), min(20, max(12, height // 12))
    names = {layer: label(layer, size, height) for layer in rows}
    widest = max(name.width for name in names.values())
    lines = [line for line in (*titles, *(x for own in notes.values() for x in own))]
    width = max(width, *(Text(line, small).width for line in lines), 0)
    columns = (ROOM - widest - MARGIN + GAP) // (width + GAP)
    columns = min(_MOST_COLUMNS, max(1, columns))
    # Blocks of even width look better than full ones and a remainder.
    columns = -(-shape[0] // -(-shape[0] // columns))

    def tile(layer: str, number: int) -> Column:
        boxes: list[Box] = [Tile(rows[layer][number], factor)]
        if layer in notes:
            boxes.append(Text(notes[layer][number], small, PALE_INK))
        return Column(boxes, least=width)

    def row(layer: str, shown: range) -> Row:
        title = centred(names[layer], height, widest)
        tiles = [tile(layer, number) for number in shown]
        return Row([title, Space(MARGIN), Row(tiles, GAP)])

    def block(start: int) -> Column:
        shown = range(start, min(start + columns, shape[0]))
        boxes: list[Box] = []
        if titles:
            over = [
                Column([Text(titles[i], small, PALE_INK)], least=width) for i in shown
            ]
            boxes.append(Row([Space(widest + MARGIN), Row(over, GAP)]))
        left = ROOM - line_height(small) - sum(box.height + GAP for box in boxes)
        for place, layer in enumerate(rows):
            box = row(layer, shown)
            left -= box.height + GAP
            if left < 0:
                more = f"+{len(rows) - place} more layers"
                boxes.append(Text(more, small, PALE_INK))
                break
            boxes.append(box)
        return Column(boxes, GAP)

    blocks = [block(start) for start in range(0, shape[0], columns)]
    return compose_sheet(lambda across: blocks, "blocks of images", small=small)


def _check(
    rows: Mapping[str, np.ndarray],
    notes: Mapping[str, Sequence[str]],
    titles: Sequence[str],
) -> None:
    shapes = {layer: images.shape for layer, images in rows.items()}
    first, shape = next(iter(shapes.items()))
    fit = (
        len(shape) == 4
        and shape[0] > 0
        and len(rows) > 1
        and first not in notes
        and all(other == shape for other in shapes.values())
        and len(titles) in (0, shape[0])
        and all(layer in rows and len(own) == shape[0] for layer, own in notes.items())
    )
    if not fit:
        raise ValueError(
            f"images by row {shapes}, notes of {list(notes)} and {len(titles)} titles "
            "do not fit together"
        )
