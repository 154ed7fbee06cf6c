"""Photographs of any sizes, of which crops are drawn where the computation is."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jinv.data.pictures import as_photograph, to_picture
from jinv.errors import DataError

_MOST_PIXELS = 2**31 - 1
"""Pixels are counted by 32 bits on devices."""


class LaidOut(NamedTuple):
    """Photographs one after the other, as arrays for devices.

    Attributes:
        pixels: Pixels of all, row by row (pixels, channels), uint8.
        starts: Number of each photograph's first pixel (photographs,), int32.
        heights: Heights (photographs,), int32.
        widths: Widths (photographs,), int32.
    """

    pixels: Any
    starts: Any
    heights: Any
    widths: Any


class Drawn(NamedTuple):
    """Photographs of a batch, as a lesson gets them.

    Attributes:
        photographs: Number of the photograph of each crop (batch,), int32.
        index: Place of each crop in the batch (batch,), int32.
    """

    photographs: Any
    index: Any


def laid_out(images: Sequence[np.ndarray]) -> LaidOut:
    """Lay photographs out one after the other.

    Args:
        images: Photographs (height, width, channels), uint8.

    Raises:
        DataError: There are none, or more pixels than can be counted.

    Example:
        >>> photographs = laid_out([np.zeros((4, 6, 3), np.uint8)] * 2)
        >>> photographs.pixels.shape, photographs.starts.tolist()
        ((48, 3), [0, 24])
    """
    if not images:
        raise DataError("there are no photographs to learn from: give some")
    sizes = np.asarray([image.shape[:2] for image in images])
    areas = sizes.prod(1)
    if areas.sum() > _MOST_PIXELS:
        raise DataError(
            f"the photographs have {areas.sum():,} pixels, more than {_MOST_PIXELS:,}: "
            "give fewer, or scale them down"
        )
    heights, widths = sizes.astype(np.int32).T
    return LaidOut(
        np.concatenate([image.reshape(-1, image.shape[-1]) for image in images]),
        (np.cumsum(areas) - areas).astype(np.int32),
        heights,
        widths,
    )


def draw_crops(
    photographs: LaidOut, batch: Drawn, key: jax.Array, size: int
) -> jax.Array:
    """Cut a random square out of each photograph of a batch.

    Where it lies depends on the key and on a crop's place in the batch alone.

    Args:
        photographs: All photographs, none smaller than the square.
        batch: Photographs of which crops are wanted.
        key: Random key of the step.
        size: Height and width of the crops, in pixels.

    Returns:
        Crops (batch, size, size, channels), uint8.
    """
    chosen = batch.photographs
    rooms = jnp.stack([photographs.heights, photographs.widths], -1)[chosen] - size

    def corner(index: jax.Array, room: jax.Array) -> jax.Array:
        return jax.random.randint(jax.random.fold_in(key, index), (2,), 0, room + 1)

    corners = jax.vmap(corner)(batch.index, rooms)
    steps = jnp.arange(size)
    rows = corners[:, 0, None] + steps[None]
    firsts = photographs.starts[chosen][:, None]
    lines = firsts + rows * photographs.widths[chosen][:, None]
    columns = corners[:, 1, None] + steps[None]
    return photographs.pixels[lines[:, :, None] + columns[:, None, :]]


def batches_of(
    count: int, batch_size: int, seed: int, first: int, steps: int
) -> Iterator[Drawn]:
    """Deal photographs out to steps: all of them, shuffled, before any comes again.

    Args:
        count: Number of photographs.
        batch_size: Crops in a step.
        seed: Seed of the order.
        first: Number of the first step.
        steps: Number of steps.
    """
    index = np.arange(batch_size, dtype=np.int32)
    orders: dict[int, np.ndarray] = {}

    def place(number: int) -> int:
        turn, at = divmod(number, count)
        if turn not in orders:
            if len(orders) > 1:
                orders.clear()
            orders[turn] = np.random.default_rng([seed, turn]).permutation(count)
        return orders[turn][at]

    for step in range(first, first + steps):
        numbers = step * batch_size + index.astype(int)
        chosen = np.asarray([place(int(number)) for number in numbers], np.int32)
        yield Drawn(chosen, index)


def as_taken(images: Sequence[Any], channels: int, least: int) -> list[np.ndarray]:
    """Bring photographs to the form that crops are cut out of.

    Args:
        images: Photographs (height, width, 3), or 1 where grey, uint8.
        channels: Channels that the network takes.
        least: Height and width that they have at least; smaller ones are enlarged.

    Returns:
        Photographs (height, width, channels), uint8.

    Raises:
        DataError: One is no photograph.
    """
    found = []
    for image in images:
        image = as_photograph(image)
        picture = to_picture(image).convert("L" if channels == 1 else "RGB")
        scale = max(1.0, least / min(picture.size))
        if scale > 1:
            width, height = (max(least, round(side * scale)) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        array = np.asarray(picture)
        found.append(array.reshape(*array.shape[:2], channels))
    return found


def middles(images: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Cut the middle out of photographs (images, size, size, channels)."""
    cut = []
    for image in images:
        top, left = ((length - size) // 2 for length in image.shape[:2])
        cut.append(image[top : top + size, left : left + size])
    return np.stack(cut)
