"""What is learnt from: labelled images in random order, seen by random views."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from jinv.data.labelled import LabelledImages
from jinv.errors import ConfigError, DataError
from jinv.images.views import View, chain, crop, flip, pad
from jinv.models.spec import ClassifierSpec


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("images", "labels", "index", "soft_labels"),
    meta_fields=("seen",),
)
@dataclass(frozen=True, eq=False)
class Examples:
    """A batch of labelled images.

    Attributes:
        images: Images (batch, height, width, channels), uint8.
        labels: Labels (batch,), int32.
        index: Number by which what is random is drawn for each image (batch,), int32:
            that in the set, or its place in the batch.
        seen: Height and width of what is seen of the images, in pixels.
        soft_labels: What a teacher says of the images: logits (batch, classes), where
            they are learnt instead of the labels.
    """

    images: Any
    labels: Any
    index: Any
    seen: int
    soft_labels: Any = None


def check_examples(
    name: str, data: LabelledImages, spec: ClassifierSpec, labelled: bool = True
) -> None:
    """Refuse images that a network does not take as they are, and labels beyond it.

    Args:
        name: What errors call the images.
        data: Images to learn from, or to be tested by.
        spec: Network.
        labelled: Whether each image needs a class of the network's; -1 says that one
            has none.

    Raises:
        DataError: There are none, or they are of another size or kind, or a label is
            none of the classes.
    """
    if len(data) == 0:
        raise DataError(f"{name}: expected images, found none")
    size, classes = spec.input_size, len(spec.classes)
    found, wanted = data.read(np.arange(1))[0].shape[1:], (size, size, spec.channels)
    if found != wanted:
        raise DataError(
            f"{name}: expected images of shape {wanted}, as {spec.name} takes them, "
            f"found {found}"
        )
    least, most = int(data.labels.min()), int(data.labels.max())
    if least < (0 if labelled else -1) or most >= classes:
        raise DataError(
            f"{name}: expected labels from 0 to {classes - 1}, the classes of "
            f"{spec.name}{'' if labelled else ', or -1 for none'}, found {least} to "
            f"{most}"
        )


def shuffled(
    data: LabelledImages,
    batch_size: int,
    seed: int,
    seen: int | None,
    epoch: int,
    first: int,
    soft_labels: np.ndarray | None = None,
) -> Iterator[Examples]:
    """Yield one epoch's whole batches, in an order of its own.

    Args:
        data: Set to learn from.
        batch_size: Images in a batch.
        seed: Seed of the order.
        seen: Height and width of what is seen of the images; None for all.
        epoch: Number of the epoch.
        first: Number of the first batch that is wanted.
        soft_labels: Logits (images, classes) that are learnt instead of the labels.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(data))
    for start in range(first * batch_size, len(data) - batch_size + 1, batch_size):
        index = order[start : start + batch_size]
        images, labels = data.read(index)
        yield Examples(
            images,
            labels,
            index.astype(np.int32),
            seen or images.shape[1],
            None if soft_labels is None else soft_labels[index],
        )


def check_soft_labels(soft_labels: np.ndarray, images: int, classes: int) -> None:
    """Refuse what are no logits of so many images and classes.

    Raises:
        ConfigError: They are of another shape, or not finite.
    """
    plain = soft_labels.dtype.kind == "f" and np.all(np.isfinite(soft_labels))
    if soft_labels.shape != (images, classes) or not plain:
        raise ConfigError(
            f"soft_labels: expected finite logits of shape {(images, classes)}, a row "
            f"for each image and a column for each class, found {soft_labels.dtype} of "
            f"shape {soft_labels.shape}"
        )


def training_view(size: int, seen: int, margin: int, mirrored: bool) -> View:
    """Cut a random window out of each image, and mirror half of them.

    The margin reflects the image: a black one would enter the BatchNorm statistics,
    and images inverted from those statistics would have black frames.

    Args:
        size: Height and width of the images, in pixels.
        seen: Height and width of the window.
        margin: Pixels by which each image is extended beforehand, on every side; where
            the window is smaller than the image, there is none.
        mirrored: Whether any are mirrored; digits must not be.
    """
    wider = margin if seen == size else 0
    views = [pad(wider, "reflect")] if wider else []
    views += [crop(seen)] if size + 2 * wider > seen else []
    views += [flip()] if mirrored else []
    return chain(*views)
