"""Boxes of which pictures are composed: they know their size, and lie beside others.

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
        """Width of the box, in pixels."""
        ...

    @property
    def height(self) -> int:
        """Height of the box, in pixels."""
        ...

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint the box on a picture, its upper left corner at (left, top)."""
        ...


@dataclass(frozen=True)
class Space:
    """Empty space."""

    width: int = 0
    height: int = 0

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint nothing."""


@dataclass(frozen=True)
class Text:
    """A line of text.

    Attributes:
        line: Line that is written.
        size: Size of the letters, in pixels.
        ink: Colour of the letters.
    """

    line: str
    size: int
    ink: Any = INK

    @property
    def width(self) -> int:
        """Width of the line, in pixels."""
        return _length(self.line, self.size)

    @property
    def height(self) -> int:
        """Height of the line, in pixels."""
        return line_height(self.size)

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint the line on a picture, its upper left corner at (left, top)."""
        place = (left, top + self.height / 2)
        font = _font(self.size)
        ImageDraw.Draw(picture).text(place, self.line, self.ink, font, anchor="lm")


@dataclass(frozen=True, eq=False)
class Tile:
    """An image, each pixel of which is repeated.

    Attributes:
        values: Pixels (height, width, channels), uint8.
        factor: Factor by which each pixel is repeated, a whole number.
    """

    values: np.ndarray
    factor: int = 1

    @property
    def width(self) -> int:
        """Width of the image as painted, in pixels."""
        return self.factor * self.values.shape[1]

    @property
    def height(self) -> int:
        """Height of the image as painted, in pixels."""
        return self.factor * self.values.shape[0]

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint the image on a picture, its upper left corner at (left, top)."""
        values = self.values.repeat(self.factor, 0).repeat(self.factor, 1)
        picture.paste(to_picture(values), (left, top))


class Row:
    """Boxes beside each other."""

    def __init__(
        self,
        boxes: Sequence[Box],
        gap: int = 0,
        align: Literal["top", "middle"] = "top",
    ):
        """Set boxes beside each other.

        Args:
            boxes: Boxes from left to right.
            gap: Pixels between two of them.
            align: Place of the lower ones beside the highest.
        """
        self._boxes, self._gap, self._align = boxes, gap, align
        gaps = gap * max(0, len(boxes) - 1)
        self.width = sum(box.width for box in boxes) + gaps
        self.height = max((box.height for box in boxes), default=0)

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint the boxes on a picture, the upper left corner at (left, top)."""
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
            boxes: Boxes from top to bottom.
            gap: Pixels between two of them.
            align: Place of the narrower ones under the widest.
            least: Least width of the column, in pixels.
        """
        self._boxes, self._gap, self._align = boxes, gap, align
        gaps = gap * max(0, len(boxes) - 1)
        self.width = max(least, 0, *(box.width for box in boxes))
        self.height = sum(box.height for box in boxes) + gaps

    def paint(self, picture: Image.Image, left: int, top: int) -> None:
        """Paint the boxes on a picture, the upper left corner at (left, top)."""
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
    """Height of a line of letters of some size, in pixels."""
    return round(1.25 * size)


@lru_cache(4096)
def _length(line: str, size: int) -> int:
    return round(_font(size).getlength(line))


@lru_cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)
