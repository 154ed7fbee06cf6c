"""Blocks of images on a sheet, each with its label: as many as a viewer bears."""

import re
from collections.abc import Callable, Sequence
from textwrap import TextWrapper

from PIL import Image

from jinv.report.boxes import (
    PALE_INK,
    Box,
    Column,
    Row,
    Space,
    Text,
    compose,
    line_height,
)

LONGEST = 4000
"""Most pixels of a sheet's width and height: viewers choke on more."""

MARGIN, GAP, BLOCK_GAP, WIDE_GAP = 12, 4, 10, 16
"""Around a sheet; between images; between blocks in a column; between columns."""

ROOM = LONGEST - 2 * MARGIN
_LABEL_CHARACTERS = 14


class _Wrapper(TextWrapper):
    """One that may begin a line behind an underscore: names of files have no blanks."""

    wordsep_re = re.compile(r"(\s+|[^\s_-]+[_-]+)")


def compose_sheet(
    blocks: Callable[[int], Sequence[Box]],
    noun: str,
    heading: Box | None = None,
    upright: float = 1.5,
    small: int = 12,
) -> Image.Image:
    """Set blocks in columns, filled one after the other.

    There are as few columns as make the sheet no tower. What does not fit in 4000 x
    4000 pixels is left out, which a note at the bottom says.

    Args:
        blocks: Function that makes all blocks, for so many columns.
        noun: Noun for those that are left out.
        heading: Heading over each column.
        upright: Greatest ratio of the sheet's height to its width.
        small: Size of the note's letters, in pixels.
    """
    room = ROOM - (heading.height + GAP if heading else 0) - line_height(small) - GAP
    made = blocks(1)
    columns = _filled(made, 1, room)
    for across in range(2, len(made) + 1):
        width, height = _size(columns)
        if sum(map(len, columns)) == len(made) and height <= upright * width:
            break
        wider = _filled(blocks(across), across, room)
        if _size(wider)[0] > ROOM:
            break
        columns = wider
    over = [heading, Space(height=GAP)] if heading else []
    sheet: list[Box] = [
        Row(
            [Column([*over, Column(column, BLOCK_GAP)]) for column in columns],
            WIDE_GAP,
        )
    ]
    if missing := len(made) - sum(map(len, columns)):
        sheet.append(Text(f"+{missing} more {noun}".rstrip(), small, PALE_INK))
    return compose(Column(sheet, GAP), MARGIN)


def label(text: str, size: int, height: int, note: str = "", small: int = 12) -> Column:
    """Write a name in as many lines as fit into a height, and a note under it."""
    rows = max(1, (height - (line_height(small) if note else 0)) // line_height(size))
    lines = [Text(line, size) for line in wrapped(text, rows)]
    if note:
        lines.append(Text(note, small, PALE_INK))
    return Column(lines, align="right")


def wrapped(text: str, rows: int) -> list[str]:
    """Break a name into so many short lines at most, where its words end if it can be.

    Example:
        >>> wrapped("0040_n01682714_chameleon", 3)
        ['0040_', 'n01682714_', 'chameleon']
    """
    return _Wrapper(_LABEL_CHARACTERS, max_lines=rows, placeholder="…").wrap(text)


def centred(text: Column, height: int, width: int) -> Column:
    """Set a label to the left of something that has text under it: halfway down.

    Args:
        text: Label.
        height: Height beside which it is centred, in pixels.
        width: Width at whose end it ends, in pixels.
    """
    above = Space(height=(height - text.height) // 2)
    return Column([above, text], align="right", least=width)


def _filled(blocks: Sequence[Box], across: int, room: int) -> list[list[Box]]:
    """Blocks in so many columns, those that do not fit left out."""
    down = -(-len(blocks) // across)
    columns, place = [], 0
    while place < len(blocks) and len(columns) < across:
        first, height = place, blocks[place].height
        place += 1  # even if it is higher than any sheet may be
        while place < min(len(blocks), first + down):
            height += BLOCK_GAP + blocks[place].height
            if height > room:
                break
            place += 1
        columns.append(list(blocks[first:place]))
    return columns


def _size(columns: Sequence[Sequence[Box]]) -> tuple[int, int]:
    row = Row([Column(column, BLOCK_GAP) for column in columns], WIDE_GAP)
    return row.width, row.height
