"""Images as files, and side by side in one picture."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from jinv.atomic import replacing
from jinv.data.pictures import to_picture
from jinv.levels import to_uint8

CELL = 96
"""About how large a small image is shown, in pixels."""

_LONGEST = 4000  # of the whole picture, in pixels: viewers choke on more
_LINE_WIDTH, _MOST_COLUMNS = 2300, 16  # ten images of 224 pixels, 16 small ones
_MOST_UPRIGHT = 1.3  # height of a picture for its width, where classes can move
_MARGIN, _GAP, _CLASS_GAP = 12, 4, 10
_LABEL_CHARACTERS = 14
_NUMBERED = re.compile(r"(\d{5,})_.*\.png")
_INK, _PALE_INK = (32, 33, 36), (120, 124, 130)


def enlarge(images: np.ndarray, size: int) -> np.ndarray:
    """Square images of another size, by nearest neighbour.

    Args:
        images: (images, height, width, channels).
        size: Height and width of the result, in pixels.
    """
    rows, columns = (np.arange(size) * side // size for side in images.shape[1:3])
    return images[:, rows][:, :, columns]


def slug(name: str) -> str:
    """A class's name as part of a file name: only a-z, 0-9, _ and -.

    Example:
        >>> slug("Black-footed ferret!")
        'black-footed-ferret'
    """
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:60] or "class"


def enlargement(height: int, width: int) -> int:
    """The whole factor that makes an image about `CELL` pixels large, at least 1."""
    return max(1, round(CELL / max(height, width)))


def save_images(
    folder: Path, images: ArrayLike, names: Sequence[str], first: int = 0
) -> list[Path]:
    """Write images as lossless files named after number and class: `00000_cat.png`.

    Args:
        folder: Where to; made if missing.
        images: (images, height, width, 3), or 1 where grey: uint8, or floats in [0, 1].
        names: The class of each.
        first: Number of the first.

    Returns:
        The files, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (image, name) in enumerate(
        zip(to_uint8(images), names, strict=True), first
    ):
        path = folder / f"{number:05d}_{slug(name)}.png"
        save_picture(path, to_picture(image))
        paths.append(path)
    return paths


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG, whole or not at all."""
    with replacing(path) as partial:
        picture.save(partial, "PNG")


def saved_images(folder: Path) -> dict[int, list[Path]]:
    """What `save_images` has written to a folder, by number; other files are not."""
    files: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("*.png")):
        if found := _NUMBERED.fullmatch(path.name):
            files.setdefault(int(found[1]), []).append(path)
    return files


def read_picture(path: Path) -> np.ndarray | None:
    """A picture (height, width, channels), uint8; None where it cannot be read."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow raises
        return None
    return pixels.reshape(*pixels.shape[:2], -1)


def grid(
    images: ArrayLike, labels: Sequence[int], classes: Sequence[str]
) -> Image.Image:
    """Images side by side, class by class, with the class's name on the left.

    Small images are enlarged by a whole factor. Long rows are wrapped, many classes
    with few images are set side by side, and what does not fit in 4000 x 4000 pixels is
    left out, which the class's label says.

    Args:
        images: (images, height, width, 3), or 1 where grey: uint8, or floats in [0, 1].
        labels: Indices into `classes` (images,).
        classes: Names.
    """
    pixels = to_uint8(images)
    factor = enlargement(*pixels.shape[1:3])
    height, width = (factor * side for side in pixels.shape[1:3])
    found, counts = np.unique(np.asarray(labels), return_counts=True)
    font = ImageFont.load_default(min(28, max(14, height // 5)))
    small = ImageFont.load_default(min(20, max(12, height // 7)))
    rows = max(1, (height - _line(small)) // _line(font))
    texts = [_wrap(classes[int(label)], rows) for label in found]
    widest = max(font.getlength(line) for text in texts for line in text)
    label_width = _MARGIN + round(max(widest, small.getlength("+99999 more")))
    layout = _arrange(counts.tolist(), (height, width), label_width)

    picture = Image.new("RGB", (layout.width, layout.height), "white")
    draw = ImageDraw.Draw(picture)
    capacity = layout.columns * layout.lines
    # Classes that do not fit have no corner.
    for label, count, text, (top, left) in zip(
        found, counts, texts, layout.corners, strict=False
    ):
        members = np.flatnonzero(np.asarray(labels) == label)[:capacity]
        for position, image in enumerate(pixels[members]):
            line, column = divmod(position, layout.columns)
            x = left + label_width + column * (width + _GAP)
            y = top + line * (height + _GAP)
            cell = image.repeat(factor, 0).repeat(factor, 1)
            picture.paste(to_picture(cell), (x, y))
        written = [(line, font, _INK) for line in text]
        if count > capacity:
            written.append((f"+{count - capacity} more", small, _PALE_INK))
        right = left + label_width - _MARGIN
        y = top + (height - sum(_line(face) for _, face, _ in written)) / 2
        for line, face, ink in written:
            draw.text((right, y + _line(face) / 2), line, ink, face, anchor="rm")
            y += _line(face)
    if missing := len(found) - len(layout.corners):
        place = (_MARGIN, layout.height - _MARGIN)
        draw.text(place, f"+{missing} more classes", _PALE_INK, small, anchor="ls")
    return picture


@dataclass(frozen=True)
class _Layout:
    """Where the classes go.

    Attributes:
        columns: Images in a line.
        lines: Most lines of a class.
        corners: Top and left of each class shown, in pixels.
        height: Of the picture.
        width: Of the picture.
    """

    columns: int
    lines: int
    corners: list[tuple[int, int]]
    height: int
    width: int


def _arrange(counts: list[int], size: tuple[int, int], label_width: int) -> _Layout:
    """Fit classes of so many images of one size into the largest picture allowed."""
    room = _LONGEST - 2 * _MARGIN
    pitch_y, pitch_x = (side + _GAP for side in size)
    fitting = max(1, (room - 2 * _MARGIN) // (pitch_y + _CLASS_GAP))
    most_across = max(1, room // (label_width + pitch_x + _CLASS_GAP))

    def columns_of(across: int) -> int:
        line_width = min(_LINE_WIDTH, room // across - label_width - _CLASS_GAP)
        columns = min(_MOST_COLUMNS, max(1, line_width // pitch_x))
        # Wrapped lines of even length look better than full ones and a remainder.
        return -(-max(counts) // -(-max(counts) // columns))

    def suits(across: int) -> bool:
        down, columns = -(-len(counts) // across), columns_of(across)
        height = down * (-(-max(counts) // columns) * pitch_y + _CLASS_GAP)
        width = across * (label_width + columns * pitch_x + _MARGIN)
        return down <= fitting and height <= _MOST_UPRIGHT * width

    across = next(filter(suits, range(1, most_across + 1)), most_across)
    down = min(-(-len(counts) // across), fitting)
    columns, lines = columns_of(across), fitting // down
    block_width = label_width + columns * pitch_x - _GAP
    corners, bottoms, top = [], [], _MARGIN
    for number, count in enumerate(counts[: across * down]):
        column, row = divmod(number, down)
        top = _MARGIN if row == 0 else top
        corners.append((top, _MARGIN + column * (block_width + _MARGIN)))
        top += min(lines, -(-count // columns)) * pitch_y - _GAP + _CLASS_GAP
        bottoms.append(top - _CLASS_GAP)
    note = 2 * _MARGIN if len(corners) < len(counts) else 0
    right = corners[-1][1] + block_width
    return _Layout(
        columns, lines, corners, max(bottoms) + _MARGIN + note, right + _MARGIN
    )


def _wrap(name: str, rows: int) -> list[str]:
    wrapped = textwrap.wrap(name, _LABEL_CHARACTERS, max_lines=rows, placeholder="…")
    return wrapped or [""]


def _line(font: Any) -> int:
    """Height of a line of text."""
    return round(1.25 * font.size)
