"""How images came about, as an animation."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from jinv.atomic import replacing

_FRAME_MS, _LAST_FRAME_MS = 400, 2500
_CAPTION_HEIGHT, _CAPTION_SIZE = 36, 18


def save_evolution(
    path: Path, frames: Sequence[Image.Image], captions: Sequence[str]
) -> None:
    """Write an animated .webp that repeats forever and rests on its last frame.

    Args:
        path: The file.
        frames: Pictures; all are brought to the size of the last.
        captions: A line of text under each.
    """
    size = frames[-1].size
    drawn = [
        _captioned(frame, caption, size)
        for frame, caption in zip(frames, captions, strict=True)
    ]
    with replacing(path) as partial:
        drawn[0].save(
            partial,
            format="WEBP",
            save_all=True,
            append_images=drawn[1:],
            duration=[_FRAME_MS] * (len(drawn) - 1) + [_LAST_FRAME_MS],
            loop=0,
            quality=80,
        )


def _captioned(frame: Image.Image, caption: str, size: tuple[int, int]) -> Image.Image:
    width, height = size
    canvas = Image.new("RGB", (width, height + _CAPTION_HEIGHT), "white")
    canvas.paste(frame.convert("RGB").resize(size, Image.Resampling.NEAREST))
    middle = (width / 2, height + _CAPTION_HEIGHT / 2)
    font = ImageFont.load_default(_CAPTION_SIZE)
    ImageDraw.Draw(canvas).text(middle, caption, "#5f6368", font, anchor="mm")
    return canvas
