"""Pictures beside each other, each under its name."""

from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

from jinv.report.palette import INK

_MARGIN = 16


def side_by_side(pictures: Mapping[str, Image.Image], columns: int) -> Image.Image:
    """Set pictures in rows, each with its title above it.

    Args:
        pictures: By title.
        columns: Pictures in a row.
    """
    width = max(picture.width for picture in pictures.values()) + _MARGIN
    size = max(16, width // 36)
    font, title = ImageFont.load_default(size), round(1.8 * size)
    height = max(picture.height for picture in pictures.values()) + title + _MARGIN
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (name, picture) in enumerate(pictures.items()):
        row, column = divmod(index, columns)
        left, top = column * width + _MARGIN // 2, row * height
        draw.text((left + _MARGIN // 2, top + title / 2), name, INK, font, anchor="lm")
        sheet.paste(picture, (left, top + title))
    return sheet
