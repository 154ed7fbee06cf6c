"""The way from an image to one of a network's features, station by station."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jinv.models.classifier import Classifier
from jinv.models.features import check_layers
from jinv.models.receptive_fields import Field, fields_of

IMAGE = "image"
"""Name of the first station."""


class Station(NamedTuple):
    """Something that a network makes of an image on the way to a layer.

    Attributes:
        name: Name of the feature, or `IMAGE`.
        shape: Shape at the network's input size (height, width, channels) or (units,).
        field: Field of its units, where it is known.
    """

    name: str
    shape: tuple[int, ...]
    field: Field | None

    @property
    def channels(self) -> int:
        """Number of channels, or of units that have no place."""
        return self.shape[-1]


class Overlap(NamedTuple):
    """How the units of a station lie over those of one before it, along each axis.

    Unit i looks at units stride · i - first + t, for t from 0 to side - 1.

    Attributes:
        side: Number of units at which one looks.
        stride: Distance of what neighbours look at.
        first: Number of units before the first at which unit 0 looks.
    """

    side: int
    stride: int
    first: int


def way_to(classifier: Classifier, layer: str) -> tuple[Station, ...]:
    """List what a network makes of an image, from the image to a layer.

    Of a convolution and its nonlinearity, which look at the same pixels, the last one
    counts. A layer whose units have no place, such as a dense one, follows on the last
    one whose units have.

    Args:
        classifier: Network.
        layer: Name of the feature at the end of the way.

    Raises:
        ConfigError: The network has no such feature; near matches are offered.

    Example:
        >>> from jinv import classifier_spec, make_classifier
        >>> network = make_classifier(classifier_spec("cifar10_resnet20"))
        >>> [station.name for station in way_to(network, "middle2")]
        ['image', 'middle1', 'res1', 'middle2']
    """
    check_layers(classifier, [layer])
    fields, shapes = fields_of(classifier), classifier.feature_shapes
    order = _order(classifier)
    # Of those that are one array under several names, the one that was asked for.
    names = sorted(order, key=lambda name: (order[name], name != layer))
    size, channels = classifier.spec.input_size, classifier.spec.channels
    way = [Station(IMAGE, (size, size, channels), Field(1, 0, 0))]
    for name in names[: names.index(layer) + 1]:
        station = Station(name, shapes[name], fields[name])
        if name != layer and len(station.shape) != 3:
            continue
        if len(way) > 1 and order[name] == order[way[-1].name]:
            continue
        if len(way) > 1 and _alike(station, way[-1]):
            way.pop()
        way.append(station)
    return tuple(way)


def sizes_along(
    classifier: Classifier, way: Sequence[Station], size: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    """Tell heights and widths of the stations, where the image has another size.

    Args:
        classifier: Network.
        way: Stations, of which the first is the image.
        size: Height and width of the image.

    Returns:
        Heights and widths, for each station; (1, 1) where units have no place.
    """
    example = jax.ShapeDtypeStruct((1, *size, classifier.spec.channels), jnp.float32)
    shapes = jax.eval_shape(classifier.features, classifier.variables, example)
    found = [size]
    for station in way[1:]:
        shape = shapes[station.name].shape
        found.append((shape[1], shape[2]) if len(shape) == 4 else (1, 1))
    return tuple(found)


def overlap(above: Station, below: Station) -> Overlap:
    """Tell how the units of a station lie over those of one before it.

    By their fields where they are known, else by their numbers, as if the units of both
    covered the image evenly.

    Example:
        >>> image = Station(IMAGE, (224, 224, 3), Field(1, 0, 0))
        >>> overlap(Station("conv1", (55, 55, 64), Field(4, -2, 8)), image)
        Overlap(side=11, stride=4, first=2)
    """
    if above.field and below.field:
        step = below.field.stride
        side = -(-(above.field.size - below.field.size) // step) + 1
        first = (below.field.first - above.field.first) // step
        return Overlap(side, max(1, above.field.stride // step), first)
    stride = max(1, round(below.shape[0] / above.shape[0]))
    return Overlap(stride + 2, stride, 1)


def _alike(one: Station, other: Station) -> bool:
    """Whether two stations look at the same, as what goes through a nonlinearity."""
    return one.shape == other.shape and one.field == other.field is not None


def _order(classifier: Classifier) -> dict[str, tuple[int, int]]:
    """Places in a network's program at which features are computed, by their names."""
    size, channels = classifier.spec.input_size, classifier.spec.channels
    example = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    traced = jax.make_jaxpr(classifier.in_parts().features, return_shape=True)
    closed, shapes = traced(classifier.variables, example)
    places: dict[Any, tuple[int, int]] = {
        variable: (number, place)
        for number, equation in enumerate(closed.jaxpr.eqns)
        for place, variable in enumerate(equation.outvars)
    }
    names = jax.tree.unflatten(jax.tree.structure(shapes), closed.jaxpr.outvars)
    return {name: places[variable] for name, variable in names.items()}
