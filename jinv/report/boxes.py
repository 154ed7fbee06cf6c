"""What pictures are composed of: boxes that know their size, beside and under others.

A sheet is described from the outside in, and laid out from the inside out: nothing is
painted before `compose` says where.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jinv.data.pictures import to_picture

INK, PALE_INK = (32, 33, 36), (120, 124, 130)


class Box(Protocol):
    """Something of a size in pixels that can be painted anywhere."""

    @property
    def width(self) -> int:
        """From left to right."""
        ...

    @property
    def height(self) -> int:
        """From top to bottom."""
        ...

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint it with its upper left corner there."""
        ...


@dataclass(frozen=True)
class Space:
    """Nothing."""

    width: int = 0
    height: int = 0

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """See `Box`."""


@dataclass(frozen=True)
class Text:
    """A line of text.

    Attributes:
        line: What it says.
        size: Of the letters, in pixels.
        ink: Their colour.
    """

    line: str
    size: int
    ink: Any = INK

    @property
    def width(self) -> int:
        """See `Box`."""
        return _length(self.line, self.size)

    @property
    def height(self) -> int:
        """See `Box`."""
        return line_height(self.size)

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """See `Box`."""
        place = (left, top + self.height / 2)
        font = _font(self.size)
        ImageDraw.Draw(picture).text(place, self.line, self.ink, font, anchor="lm")


@dataclass(frozen=True, eq=False)
class Tile:
    """An image, each pixel of which is repeated.

    Attributes:
        values: (height, width, channels), uint8.
        factor: Whole, by which each pixel is repeated.
    """

    values: np.ndarray
    factor: int = 1

    @property
    def width(self) -> int:
        """See `Box`."""
        return self.factor * self.values.shape[1]

    @property
    def height(self) -> int:
        """See `Box`."""
        return self.factor * self.values.shape[0]

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """See `Box`."""
        values = self.values.repeat(self.factor, 0).repeat(self.factor, 1)
        picture.paste(to_picture(values), (left, top))


class Row:
    """Boxes from left to right."""

    def __init__(
        self,
        boxes: Sequence[Box],
        gap: int = 0,
        align: Literal["top", "middle"] = "top",
    ):
        """Set boxes beside each other.

        Args:
            boxes: From left to right.
            gap: Between two of them.
            align: Where the lower ones are, beside the highest.
        """
        self._boxes, self._gap, self._align = boxes, gap, align
        gaps = gap * max(0, len(boxes) - 1)
        self.width = sum(box.width for box in boxes) + gaps
        self.height = max((box.height for box in boxes), default=0)

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """See `Box`."""
        for box in self._boxes:
            spare = self.height - box.height if self._align == "middle" else 0
            box.paint(picture, left, top + spare // 2)
            left += box.width + self._gap


class Column:
    """Boxes one under the other."""

    def __init__(
        self,
        boxes: Sequence[Box],
        gap: int = 0,
        align: Literal["left", "middle", "right"] = "left",
        least: int = 0,
    ):
        """Set boxes one under the other.

        Args:
            boxes: From top to bottom.
            gap: Between two of them.
            align: Where the narrower ones are, under the widest.
            least: Width that the column has at least.
        """
        self._boxes, self._gap, self._align = boxes, gap, align
        gaps = gap * max(0, len(boxes) - 1)
        self.width = max(least, 0, *(box.width for box in boxes))
        self.height = sum(box.height for box in boxes) + gaps

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """See `Box`."""
        for box in self._boxes:
            spare = self.width - box.width
            shift = {"left": 0, "middle": spare // 2, "right": spare}[self._align]
            box.paint(picture, left + shift, top)
            top += box.height + self._gap


def compose(box: Box, margin: int = 0) -> Image.Image:
    """Paint a box on white paper, with a margin all around."""
    size = (box.width + 2 * margin, box.height + 2 * margin)
    picture = Image.new("RGB", size, "white")
    box.paint(picture, margin, margin)
    return picture


def line_height(size: int) -> int:
    """Height of a line of letters of this size."""
    return round(1.25 * size)


@lru_cache(4096)
def _length(line: str, size: int) -> int:
    return round(_font(size).getlength(line))


@lru_cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)
