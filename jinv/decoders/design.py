"""Designs of decoders: which modules lead from a layer back to the image."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.decoders.config import DecoderConfig
from jinv.decoders.modules import Monolith, Placing, Undoing
from jinv.decoders.stations import Overlap, Station, overlap, sizes_along, way_to
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier

CROP = 64
"""Height and width of crops where nobody says otherwise, in pixels."""

_WIDTHS = (256, 128, 64, 32)
"""Channels of the publication's convolutions that double the resolution; the last one
leads to the image."""
_HIDDEN, _DENSE, _BASE = 256, 4096, 4
"""Channels of its first convolutions; units of its dense layers; and the height and
width that these lay out."""

Params = Mapping[str, Any]


# Compared by identity: a network has no single answer to whether it is equal.
@dataclass(frozen=True, eq=False)
class Design:
    """Modules, each of which decodes a station from the next one.

    Attributes:
        classifier: Network whose features are decoded.
        way: Stations, from the image to the layer.
        modules: Modules, of which number l decodes station l from station l + 1.
    """

    classifier: Classifier
    way: tuple[Station, ...]
    modules: tuple[nn.Module, ...]

    @property
    def layer(self) -> str:
        """Name of the layer that is decoded."""
        return self.way[-1].name

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the station that each module decodes."""
        return tuple(station.name for station in self.way[:-1])

    def init(self, seed: int, size: int) -> dict[str, Any]:
        """Draw the parameters of all modules, by the stations that they decode."""
        sizes = self.sizes((size, size))
        keys = jax.random.split(jax.random.key(seed), len(self.modules))

        def draw(keys: jax.Array) -> dict[str, Any]:
            params = {}
            for number, module in enumerate(self.modules):
                above = self.way[number + 1]
                place = sizes[number + 1] if len(above.shape) == 3 else ()
                x = jnp.zeros((1, *place, above.channels))
                variables = module.init(keys[number], x, sizes[number])
                params[self.names[number]] = variables["params"]
            return params

        return jax.jit(draw)(keys)

    def sizes(self, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Heights and widths of the stations; see `sizes_along`."""
        return sizes_along(self.classifier, self.way, size)

    def decode(
        self, params: Params, number: int, x: jax.Array, size: tuple[int, int]
    ) -> jax.Array:
        """Decode a station from the next one.

        Args:
            params: Parameters of all modules.
            number: Number of the station.
            x: Features of the next one, over their root mean square.
            size: Height and width of the station.

        Returns:
            Features of the station likewise (batch, *size, channels), float32; of the
            image, the network's inputs.
        """
        module, name = self.modules[number], self.names[number]
        decoded: Any = module.apply({"params": params[name]}, x, size)
        return decoded.astype(jnp.float32)


def design_decoder(classifier: Classifier, layer: str, config: DecoderConfig) -> Design:
    """Choose the modules of a decoder.

    Args:
        classifier: Network whose features are decoded.
        layer: Name of the feature.
        config: Architecture, and the size of the crops; see `crop_of`.

    Raises:
        ConfigError: The network has no such layer, or it is too small for one.

    Example:
        >>> from jinv import classifier_spec, make_classifier
        >>> network = make_classifier(classifier_spec("cifar10_resnet20"))
        >>> design_decoder(network, "stage1", DecoderConfig(crop=32)).names[:3]
        ('image', 'middle1', 'res1')
    """
    way, crop = way_to(classifier, layer), crop_of(classifier, layer, config)
    sizes = sizes_along(classifier, way, (crop, crop))
    if 0 in (length for size in sizes for length in size):
        raise ConfigError(
            f"crop {crop}: {layer} of {classifier.spec.name} sees nothing in so few "
            "pixels, take more"
        )
    if config.architecture == "monolithic":
        way = (way[0], way[-1])
        return Design(classifier, way, (_monolith(classifier, way, config),))
    modules = []
    for below, above, size in zip(way, way[1:], sizes, strict=False):
        if len(above.shape) == 3:
            hidden = _scaled(above.channels, config)
            modules.append(
                Undoing(
                    hidden,
                    below.channels,
                    _modest(overlap(above, below)),
                    config.upwards,
                    classifier.dtype,
                )
            )
        else:
            hidden = _scaled(below.channels, config)
            modules.append(Placing(hidden, below.channels, size, classifier.dtype))
    return Design(classifier, way, tuple(modules))


def crop_of(classifier: Classifier, layer: str, config: DecoderConfig) -> int:
    """Tell the height and width of a decoder's crops, in pixels.

    A layer whose units have no place is decoded at one size alone: by default at that
    of the network.

    Raises:
        ConfigError: The network does not take the size that was asked for.
    """
    own = classifier.spec.input_size
    if not config.crop:
        placed = len(classifier.feature_shapes[layer]) == 3
        return CROP if placed and CROP <= own and classifier.takes(CROP) else own
    if not classifier.takes(config.crop):
        raise ConfigError(
            f"crop {config.crop}: {classifier.spec.name} takes no images of so many "
            f"pixels, but of {own}"
        )
    return config.crop


def _monolith(
    classifier: Classifier, way: Sequence[Station], config: DecoderConfig
) -> Monolith:
    image, layer = way
    size = crop_of(classifier, layer.name, config)
    dense, base = 0, (0, 0)
    if len(layer.shape) == 3:
        over = overlap(layer, image)
        factors = _factors(over.stride)
        middle = (over.side - 1) / 2 - over.first
        hidden = _scaled(_HIDDEN, config)
    else:
        factors = [2] * max(1, round(math.log2(size / _BASE)))
        base = (-(-size // 2 ** len(factors)),) * 2
        dense, hidden = _scaled(_DENSE, config), _scaled(_HIDDEN, config)
        middle = (2 ** len(factors) - 1) / 2
    overs, step = [], math.prod(factors)
    for factor in factors:
        step //= factor
        # Units of the next resolution have their middles half a step from the border.
        place = round((middle - (step - 1) / 2) / step)
        side = 2 * factor + 1
        overs.append(Overlap(side, factor, side // 2 - place))
        middle = (step - 1) / 2
    inner = max(0, len(factors) - 1)
    known = [*[_WIDTHS[0]] * inner, *_WIDTHS]
    widths = [_scaled(width, config) for width in known[len(known) - inner :]]
    return Monolith(
        image.channels,
        (*widths, image.channels)[: len(factors)],
        dense,
        hidden,
        tuple(overs),
        base,
        config.upwards,
        classifier.dtype,
    )


def _modest(over: Overlap) -> Overlap:
    """Let a unit reach what it looks at in its middle, and all outputs be reached.

    What whole blocks of layers look at is as wide as no single convolution.
    """
    side = max(over.stride, min(over.side, 2 * over.stride + 3))
    return Overlap(side, over.stride, over.first - (over.side - side) // 2)


def _factors(stride: int) -> list[int]:
    """Prime factors, the largest first."""
    found, left = [], stride
    for prime in range(2, stride + 1):
        while left % prime == 0:
            found.append(prime)
            left //= prime
    return found[::-1]


def _scaled(channels: int, config: DecoderConfig) -> int:
    return max(1, round(config.width * channels))
