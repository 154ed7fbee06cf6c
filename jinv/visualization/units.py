"""Units: what a single image is to excite, a channel or a direction of a layer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jinv.errors import ConfigError
from jinv.images.views import Size, both
from jinv.models.classifier import Classifier
from jinv.models.features import check_layers
from jinv.values import shown

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a network's features by layer, without the batch's axis."""

LOGITS = "logits"
_FORM = "LAYER:CHANNEL, e.g. conv5:7, conv5:0-23, conv5:7@centre or conv5:7@3,4"
_UNIT = re.compile(r"([^:@\s]+):([\d,-]+)(?:@(centre|\d{1,9},\d{1,9}))?")


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Unit:
    """A direction among a layer's channels, all over the image or at a position.

    Attributes:
        layer: Name of the layer.
        direction: Direction (channels,), float32; of a channel, 1 there and 0
            elsewhere.
        name: Name, for files and pages.
        position: Row and column of the layer; None for the mean over all.
    """

    layer: str
    direction: np.ndarray
    name: str
    position: tuple[int, int] | None = None


def layer_shapes(classifier: Classifier, size: Size) -> Shapes:
    """Tell the shapes of a network's features of inputs of a size, in pixels.

    Raises:
        ConfigError: The network takes no inputs of this size.
    """
    height, width = both(size)
    shape = (1, height, width, classifier.spec.channels)

    def trace() -> dict[str, tuple[int, ...]]:
        example = jax.ShapeDtypeStruct(shape, jnp.float32)
        found = jax.eval_shape(classifier.features, classifier.variables, example)
        return {name: leaf.shape[1:] for name, leaf in found.items()}

    try:
        shapes = classifier.memo.get(("shapes", shape), trace)
    except Exception:  # a module may raise what it likes
        shapes = {}
    if not shapes or min(map(min, shapes.values())) < 1:
        own = classifier.spec.input_size
        raise ConfigError(
            f"{classifier.spec.name} takes no inputs of {height}x{width} pixels; its "
            f"own size is {own}: give --size {own},{own}, or fewer octaves"
        )
    return shapes


def find_units(
    asked: str | Sequence[str], classifier: Classifier, shapes: Shapes
) -> list[Unit]:
    """Find units that are asked for by text.

    Args:
        asked: Units as LAYER:CHANNEL, parted by blanks or in a list. Channels may be
            several (3,5) and ranges (0-23, both ends included); @ROW,COLUMN asks at a
            position of the layer, @centre in its middle, nothing for the mean over all.
        classifier: Network whose units they are.
        shapes: Shapes of its features, see `layer_shapes`.

    Raises:
        ConfigError: A text is no unit, or the network has no such layer, channel or
            position.

    Example:
        >>> import jinv
        >>> network = jinv.make_classifier(jinv.classifier_spec("cifar10_resnet8"))
        >>> shapes = network.feature_shapes
        >>> units = find_units("stage1:0-2 stage3:7@centre", network, shapes)
        >>> [unit.name for unit in units], units[-1].position
        (['stage1_0', 'stage1_1', 'stage1_2', 'stage3_7@4,4'], (4, 4))
    """
    texts = asked.split() if isinstance(asked, str) else list(asked)
    return [unit for text in texts for unit in _found(text, classifier, shapes)]


def find_directions(
    vectors: np.ndarray, classifier: Classifier, layer: str, shapes: Shapes, name: str
) -> list[Unit]:
    """Make units of directions among a layer's channels.

    Args:
        vectors: Direction (channels,), or several (directions, channels).
        classifier: Network whose layer it is.
        layer: Name of the layer.
        shapes: Shapes of its features, see `layer_shapes`.
        name: Name of the units, with a number where there are several.

    Raises:
        ConfigError: There is no such layer, or it has another number of channels.
    """
    check_layers(classifier, [layer])
    try:
        rows = np.atleast_2d(np.asarray(vectors))
    except ValueError:
        rows = None  # they are of several lengths
    if rows is None or rows.ndim != 2 or rows.dtype.kind not in "biuf":
        raise ConfigError(
            f"{name}: expected a direction (channels,) or several (directions, "
            f"channels), found {shown(vectors)}"
        )
    channels = shapes[layer][-1]
    if rows.shape[1] != channels:
        raise ConfigError(
            f"{name}: {layer} of {classifier.spec.name} has {channels} channels, the "
            f"direction {rows.shape[1]}; {_map(classifier)}"
        )
    if not np.isfinite(rows).all() or not rows.any(1).all():
        raise ConfigError(f"{name}: a direction is 0, or not of finite numbers")
    names = [name] if len(rows) == 1 else [f"{name}_{n}" for n in range(len(rows))]
    directions = rows.astype(np.float32)
    return [Unit(layer, d, own) for d, own in zip(directions, names, strict=True)]


def class_unit(classifier: Classifier, index: int) -> Unit:
    """Make the unit of a class: its logit."""
    classes = classifier.spec.classes
    return Unit(LOGITS, _one_hot(index, len(classes)), classes[index])


def _found(text: str, classifier: Classifier, shapes: Shapes) -> list[Unit]:
    if not isinstance(text, str) or not (parts := _UNIT.fullmatch(text)):
        raise ConfigError(f"unit {shown(text)}: expected {_FORM}; {_map(classifier)}")
    layer, channels, place = parts.groups()
    check_layers(classifier, [layer])
    shape = shapes[layer]
    position = _position(text, layer, place, shape, classifier)
    at = "" if position is None else f"@{position[0]},{position[1]}"
    return [
        Unit(layer, _one_hot(n, shape[-1]), f"{layer}_{n}{at}", position)
        for n in _channels(text, layer, channels, shape[-1], classifier)
    ]


def _channels(
    text: str, layer: str, channels: str, count: int, classifier: Classifier
) -> list[int]:
    found: list[int] = []
    for item in channels.split(","):
        if not (ends := re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", item)):
            raise ConfigError(f"unit {text!r}: expected {_FORM}")
        low, high = int(ends[1]), int(ends[2] or ends[1])
        if low > high:
            raise ConfigError(
                f"unit {text!r}: the range {item} runs backwards: write {high}-{low}"
            )
        if high >= count:
            raise ConfigError(
                f"unit {text!r}: the channels of {layer} are 0..{count - 1}; "
                f"{_map(classifier)}"
            )
        found += range(low, high + 1)
    return found


def _position(
    text: str,
    layer: str,
    place: str | None,
    shape: tuple[int, ...],
    classifier: Classifier,
) -> tuple[int, int] | None:
    if place is None:
        return None
    if len(shape) != 3:
        raise ConfigError(
            f"unit {text!r}: {layer} has no positions: leave @{place} out; "
            f"{_map(classifier)}"
        )
    rows, columns = shape[:2]
    if place == "centre":
        return rows // 2, columns // 2
    row, column = (int(number) for number in place.split(","))
    if row >= rows or column >= columns:
        raise ConfigError(
            f"unit {text!r}: {layer} has {rows}x{columns} positions, from 0,0 to "
            f"{rows - 1},{columns - 1}; {_map(classifier)}"
        )
    return row, column


def _one_hot(index: int, count: int) -> np.ndarray:
    return (np.arange(count) == index).astype(np.float32)


def _map(classifier: Classifier) -> str:
    """Tell people where to look up what may be asked."""
    return f"see jinv models {classifier.spec.name}"
