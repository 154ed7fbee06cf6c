"""Synthetic images beside the real ones that are most like them."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jinv.data.pictures import to_picture
from jinv.report.pictures import enlargement

_LONGEST = 4000  # of the whole picture, in pixels: viewers choke on more
_MOST_UPRIGHT = 1.7  # height of the picture for its width
_MARGIN, _GAP, _WIDE_GAP = 12, 4, 16
_LABEL_CHARACTERS = 14
_INK, _PALE_INK = (32, 33, 36), (120, 124, 130)


def neighbour_sheet(
    images: np.ndarray,
    neighbours: np.ndarray,
    distances: np.ndarray,
    titles: Sequence[str],
) -> Image.Image:
    """Each synthetic image with its nearest real images to the right.

    Distances are written under the neighbours. Small images are enlarged by a whole
    factor. Many rows are set side by side, and what does not fit in 4000 x 4000 pixels
    is left out, which a note at the bottom says.

    Args:
        images: Synthetic (images, height, width, channels), uint8.
        neighbours: Real, nearest first (images, k, height, width, channels), uint8.
        distances: To the neighbours (images, k).
        titles: Such as the class, to the left of each synthetic image (images,).

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
    factor = enlargement(*images.shape[1:3])
    height, width = (factor * side for side in images.shape[1:3])
    font = ImageFont.load_default(min(32, max(14, height // 6)))
    small = ImageFont.load_default(min(24, max(12, height // 8)))
    texts = [_wrap(title, max(1, height // _line(font))) for title in titles]
    widest = max(font.getlength(line) for text in texts for line in text)
    # From the left edge of a block to its synthetic image, and to its first neighbour.
    first = round(widest) + _MARGIN
    second = first + width + _WIDE_GAP
    pitch_y, pitch_x = height + _line(small) + _GAP, width + _GAP
    block = second + neighbours.shape[1] * pitch_x - _GAP
    top = _MARGIN + _line(font) + _GAP
    across, down = _arrange(len(images), pitch_y, block + 2 * _WIDE_GAP, top)
    missing = len(images) - across * down

    picture = Image.new(
        "RGB",
        (
            2 * _MARGIN + across * (block + 2 * _WIDE_GAP) - 2 * _WIDE_GAP,
            top + down * pitch_y + _MARGIN + (_line(small) if missing > 0 else 0),
        ),
        "white",
    )
    draw = ImageDraw.Draw(picture)

    def paste(image: np.ndarray, x: int, y: int) -> None:
        cell = image.repeat(factor, 0).repeat(factor, 1)
        picture.paste(to_picture(cell), (x, y))

    for number, text in enumerate(texts[: across * down]):
        column, row = divmod(number, down)
        x = _MARGIN + column * (block + 2 * _WIDE_GAP)
        y = top + row * pitch_y
        if row == 0:
            for start, heading in ((first, "synthetic"), (second, "nearest real")):
                place = (x + start, y - _GAP)
                draw.text(place, heading, _PALE_INK, small, anchor="ls")
        middle = y + (height - (len(text) - 1) * _line(font)) / 2
        for offset, line in enumerate(text):
            place = (x + first - _MARGIN, middle + offset * _line(font))
            draw.text(place, line, _INK, font, anchor="rm")
        paste(images[number], x + first, y)
        for position, image in enumerate(neighbours[number]):
            left = x + second + position * pitch_x
            paste(image, left, y)
            place = (left + width / 2, y + height + 1)
            distance = f"{distances[number, position]:#.3g}".rstrip(".")
            draw.text(place, distance, _PALE_INK, small, anchor="ma")
    if missing > 0:
        place = (_MARGIN, picture.height - _MARGIN)
        draw.text(place, f"+{missing} more", _PALE_INK, small, anchor="ls")
    return picture


def _arrange(count: int, pitch_y: int, pitch_x: int, top: int) -> tuple[int, int]:
    """Columns and rows of blocks: as few columns as make the picture no tower."""
    fitting = max(1, (_LONGEST - top - 3 * _MARGIN) // pitch_y)
    most_across = max(1, (_LONGEST - 2 * _MARGIN) // pitch_x)

    def suits(across: int) -> bool:
        height = top + -(-count // across) * pitch_y
        return height <= min(_MOST_UPRIGHT * across * pitch_x, _LONGEST)

    across = next(filter(suits, range(1, most_across + 1)), most_across)
    down = min(-(-count // across), fitting)
    # Rounding up can leave the last columns without a block.
    return min(across, -(-count // down)), down


def _wrap(title: str, lines: int) -> list[str]:
    wrapped = textwrap.wrap(title, _LABEL_CHARACTERS, max_lines=lines, placeholder="…")
    return wrapped or [""]


def _line(font: Any) -> int:
    """Height of a line of text."""
    return round(1.25 * font.size)
