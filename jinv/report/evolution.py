"""Animations of how images came about."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jinv.atomic import replacing
from jinv.report.boxes import PALE_INK, Column, Space, Text, Tile, compose

_FRAME_MS, _LAST_FRAME_MS = 400, 2500
_CAPTION_SIZE, _CAPTION_GAP = 18, 7


def save_evolution(
    path: Path, frames: Sequence[Image.Image], captions: Sequence[str]
) -> None:
    """Write an animated .webp that repeats forever and rests on its last frame.

    Args:
        path: Path of the file.
        frames: Pictures; all are brought to the size of the last.
        captions: Captions, a line of text under each.
    """
    size = frames[-1].size
    composed = [
        _captioned(frame, caption, size)
        for frame, caption in zip(frames, captions, strict=True)
    ]
    with replacing(path) as partial:
        composed[0].save(
            partial,
            format="WEBP",
            save_all=True,
            append_images=composed[1:],
            duration=[_FRAME_MS] * (len(composed) - 1) + [_LAST_FRAME_MS],
            loop=0,
            quality=80,
        )


def _captioned(frame: Image.Image, caption: str, size: tuple[int, int]) -> Image.Image:
    pixels = np.asarray(frame.convert("RGB").resize(size, Image.Resampling.NEAREST))
    text = Text(caption, _CAPTION_SIZE, PALE_INK)
    space = Space(height=_CAPTION_GAP)
    return compose(Column([Tile(pixels), space, text, space], align="middle"))
