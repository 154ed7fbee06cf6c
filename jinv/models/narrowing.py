"""Narrower networks: some channels are cut out of all layers that have them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jinv.errors import ConfigError
from jinv.models.channels import Channel, Channels, Group, Sources
from jinv.models.classifier import Classifier

Place = tuple[int, int]
"""A family of groups whose layers meet, and the place of a channel in it."""


def check_narrowing(classifier: Classifier) -> None:
    """Refuse a network of an architecture whose layers have no widths of their own.

    Raises:
        ConfigError: It is one.
    """
    if not hasattr(classifier.module, "narrowed"):
        raise ConfigError(
            f"{classifier.spec.name} cannot be narrowed: expected a network of the "
            "zoo, whose modules take widths by layer"
        )


def narrow(
    classifier: Classifier, channels: Channels, kept: Mapping[Group, np.ndarray]
) -> tuple[Classifier, dict[str, np.ndarray]]:
    """Make the smaller network that has some channels only.

    Where the others are 0 when a layer reads them, its logits are the same.

    Args:
        classifier: Network that is cut.
        channels: Channels of the network, see `channels_of`.
        kept: Rows of `Group.channels` that are kept, for each of `channels.groups`.

    Returns:
        The network, whose specification says what is `narrowed`; and the numbers that
        the channels of each layer had, where some are cut or moved.

    Raises:
        ConfigError: The architecture cannot be narrowed.
    """
    check_narrowing(classifier)
    widths = {
        layer: sum(len(g.channels) for g in channels.groups if layer in g.layers)
        for group in channels.groups
        for layer in group.layers
    }
    order = _order(channels.groups, kept)
    written = {
        layer: np.array([number for name, number in order if name == layer])
        for layer in widths
    }
    read = {
        layer: _left(sources, order, widths)
        for layer, sources in channels.sources.items()
    }
    flat: dict[tuple, Any] = dict(flatten_dict(classifier.variables))
    kernels = {_layer(path) for path in flat if path[-1] == "kernel"}
    mixing = kernels.difference(channels.carriers)
    """Layers that put out other channels than they read."""
    cut = {}
    for path, value in flat.items():
        layer, value = _layer(path), np.asarray(value)
        if layer in written:
            value = np.take(value, written[layer], -1)
        if layer in read and layer not in mixing:
            value = np.take(value, read[layer], -1)
        elif layer in read and path[-1] == "kernel":
            value = np.take(value, read[layer], -2)
        cut[path] = jnp.asarray(value)
    spec = classifier.spec
    narrower = {
        layer: len(numbers)
        for layer, numbers in written.items()
        if len(numbers) < widths[layer]
    }
    spec = replace(spec, narrowed={**spec.narrowed, **narrower})
    module = spec.make_module(dtype=classifier.dtype, remat=classifier.remat)
    narrowed = replace(
        classifier.with_weights(dict(unflatten_dict(cut))), spec=spec, module=module
    )
    return narrowed, {
        layer: numbers
        for layer, numbers in written.items()
        if not np.array_equal(numbers, np.arange(widths[layer]))
    }


def _layer(path: tuple[str, ...]) -> str:
    """Name of the layer whose array lies there."""
    return ".".join(path[1:-1])


def _left(
    sources: Sources, order: Mapping[Channel, Place], widths: Mapping[str, int]
) -> np.ndarray:
    """The inputs that a layer still reads, in the order of those who write them.

    What lies side by side stays so: a family's channels are where its first one was.
    """
    places: dict[int, tuple[int, int]] = {}
    firsts: dict[int, int] = {}
    for number, source in enumerate(sources):
        if source is None or source[0] not in widths:
            places[number] = number, 0
        elif source in order:
            family, place = order[source]
            places[number] = firsts.setdefault(family, number), place
    return np.array(sorted(places, key=places.__getitem__))


def _order(
    groups: Iterable[Group], kept: Mapping[Group, np.ndarray]
) -> dict[Channel, Place]:
    """Places of the channels that are kept, one after the other in every layer.

    Where layers of several groups meet, a shortcut has padded channels with zeros, as
    many before as after (option A). There channels may have to change places, so that
    as many come before.
    """
    families: list[tuple[set[str], list[tuple[Group, int]]]] = []
    # Those whose channels are in most layers lie in the middle.
    for group in sorted(groups, key=lambda group: -len(group.layers)):
        rows = [(group, int(row)) for row in np.sort(kept[group])]
        for layers, inner in families:
            if layers.intersection(group.layers):
                before = len(rows) // 2
                inner[:] = rows[:before] + inner + rows[before:]
                layers.update(group.layers)
                break
        else:
            families.append((set(group.layers), rows))
    return {
        (layer, int(number)): (family, place)
        for family, (_, rows) in enumerate(families)
        for place, (group, row) in enumerate(rows)
        for layer, number in zip(group.layers, group.channels[row], strict=True)
    }
