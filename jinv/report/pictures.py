"""Images as files, and how large they are shown."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from jinv.atomic import replacing
from jinv.data.pictures import to_picture
from jinv.images.views import Size, both
from jinv.levels import to_uint8

CELL = 96
"""About how large a small image is shown, in pixels."""

_NUMBERED = re.compile(r"(\d{5,})_.*\.png")


def magnified(images: np.ndarray, size: Size) -> np.ndarray:
    """Bring images to another size by nearest neighbour.

    Args:
        images: Images (images, height, width, channels).
        size: Size of the result, in pixels.
    """
    rows, columns = (
        np.arange(new) * old // new
        for new, old in zip(both(size), images.shape[1:3], strict=True)
    )
    return images[:, rows][:, :, columns]


def slug(name: str) -> str:
    """Write a class's name as part of a file name: only a-z, 0-9, _ and -.

    Example:
        >>> slug("Black-footed ferret!")
        'black-footed-ferret'
    """
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:60] or "class"


def magnification(height: int, width: int) -> int:
    """The whole factor that makes an image about `CELL` pixels large, at least 1."""
    return max(1, round(CELL / max(height, width)))


def save_images(
    folder: Path, images: ArrayLike, names: Sequence[str], first: int = 0
) -> list[Path]:
    """Write images as lossless files named after number and class: `00000_cat.png`.

    Args:
        folder: Folder to write to; made if missing.
        images: (images, height, width, 3), or 1 where grey: uint8, or floats in [0, 1].
        names: Names of their classes.
        first: Number of the first image.

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
    """Find the images that `save_images` has written to a folder, by number."""
    files: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("*.png")):
        if found := _NUMBERED.fullmatch(path.name):
            files.setdefault(int(found[1]), []).append(path)
    return files


def read_picture(path: Path) -> np.ndarray | None:
    """Read a picture (height, width, channels), uint8; None where that fails."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow raises
        return None
    return pixels.reshape(*pixels.shape[:2], -1)
