"""Image files as people have them, decoded to what they show.

Cameras note how they were held, scanners save 16 bits, and a small file may claim more
pixels than fit into memory.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from jinv.errors import DataError
from jinv.values import shown

MOST_PIXELS = 2**26
"""Most pixels of an image file: 8192x8192, which take 256 MiB when they are decoded."""
SUFFIXES = frozenset(
    ".jpg .jpeg .jfif .png .ppm .pgm .bmp .tif .tiff .webp .gif".split()
)
"""Suffixes of image files, in lower case: what torchvision takes, and two more."""
# Others are rare, and some have their files decoded by programs outside Python.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: str | Path) -> Image.Image:
    """Decode the first frame of an image file, turned as it was taken.

    Transparency is dropped, as torchvision does. Grey of 16 bits is scaled to 8, and
    numbers of 32 bits must already lie in 0..255, or in 0..1 where they are floats.

    Args:
        path: Path of the file.

    Returns:
        A picture of mode "L" where it is grey, else "RGB".

    Raises:
        DataError: The file is torn, no image, too large, or of an unknown range.
    """
    try:
        if os.path.getsize(path) == 0:
            raise ValueError("the file is empty")
        with Image.open(path, formats=_FORMATS) as image:
            _check_size(image.size)
            image.load()
            return _plain(_upright(image), image.format)
    except Image.DecompressionBombError:
        reason = f"it claims far more than {MOST_PIXELS:,} pixels: scale it down"
        raise DataError(f"{path} cannot be read as an image: {reason}") from None
    except Image.UnidentifiedImageError:
        reason = "it is none of the kinds " + ", ".join(_FORMATS)
        raise DataError(f"{path} cannot be read as an image: {reason}") from None
    # Torn files make Pillow's decoders raise nearly anything.
    except Exception as error:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = " ".join(text.split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as an image: {reason}") from error


def as_photograph(given: Any) -> np.ndarray:
    """Make sure that something is a photograph, e.g. of NumPy or Pillow.

    Returns:
        Photograph (height, width, 1 or 3), uint8.

    Raises:
        DataError: It is none.
    """
    image = np.asarray(given)
    plain = image.ndim == 3 and image.shape[-1] in (1, 3) and image.size
    if not plain or image.dtype != np.uint8:
        raise DataError(
            "photographs: expected arrays (height, width, 3), or 1 where grey, uint8, "
            f"found {shown(given)} of {image.dtype}"
        )
    return image


def to_picture(image: np.ndarray) -> Image.Image:
    """An image (height, width, 3) or (height, width, 1), uint8, as Pillow has it."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def cut(image: Image.Image, size: int) -> Image.Image:
    """Scale an image and cut its centre, as classifiers are usually evaluated.

    224 pixels are cut from a short side of 256; small images are cut whole.
    """
    if image.size == (size, size):
        return image
    return centre_crop(image, size if size < 64 else round(size * 8 / 7), size)


def centre_crop(image: Image.Image, short_side: int, size: int) -> Image.Image:
    """Scale an image's short side, then cut the central square of `size` pixels."""
    scale = short_side / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    if width * height > MOST_PIXELS:
        # A long strip: only the part that will be seen is scaled.
        across, down = image.width / width, image.height / height
        seen = (left * across, top * down, (left + size) * across, (top + size) * down)
        return image.resize((size, size), Image.Resampling.BICUBIC, seen)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    return image.crop((left, top, left + size, top + size))


def fill(image: Image.Image, height: int, width: int) -> Image.Image:
    """Scale an image until it covers a size, and cut its centre."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height == 0:
        raise ValueError(f"it has {width}x{height} pixels")
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"it claims {width}x{height} pixels, more than {MOST_PIXELS:,}: scale it "
            "down"
        )


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a camera's broken note is no reason to refuse what it took
        return image
    return image if turn is None else image.transpose(turn)


def _plain(image: Image.Image, kind: str | None) -> Image.Image:
    if image.mode in _SIXTEEN_BITS:
        return _of_range(image, 65535)
    if image.mode == "I":
        # Of these two, Pillow makes it of 16 bits; who wrote others is not known.
        return _of_range(image, 65535 if kind in ("PPM", "PNG") else 255)
    if image.mode == "F":
        return _of_range(image, 1)
    # Pillow would complain that it is lost.
    image.info.pop("transparency", None)
    return image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")


def _of_range(image: Image.Image, most: int) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= most:  # also where it is not a number
        raise ValueError(
            f"its pixels lie in {low:g}..{high:g}, not in 0..{most}: save it with 8 "
            "bits"
        )
    return Image.fromarray(np.rint(values * (255 / most)).astype(np.uint8))
