"""The response of a classifier to a batch."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from flax.traverse_util import flatten_dict


class Moments(NamedTuple):
    """Mean and biased variance of each channel of a BatchNorm layer's input."""

    mean: jax.Array
    var: jax.Array


Taps = dict[str, Moments]
"""Moments by the name of their layer, e.g. "layer1.0.bn1"."""


class Response(NamedTuple):
    """What a classifier says of a batch, and what can be read from it on the way.

    Attributes:
        logits: Scores of the classes, (batch, classes), float32.
        taps: Moments that each BatchNorm layer saw.
        features: Named activations; see `Classifier.features`.
    """

    logits: jax.Array
    taps: Taps
    features: dict[str, jax.Array]


def in_natural_order(named: dict[str, Any]) -> dict[str, Any]:
    """Sort values by name, numbers as numbers: "conv2_1" before "conv10_1"."""

    def key(name: str) -> list:
        return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)]

    return {name: named[name] for name in sorted(named, key=key)}


def by_layer(tree: Mapping[str, Any]) -> Taps:
    """Find the moments in a tree of variables, by the names of their layers."""
    flat: dict[tuple, Any] = dict(flatten_dict(dict(tree)))
    layers = {path[:-1] for path in flat}
    return {
        ".".join(layer): Moments(flat[*layer, "mean"], flat[*layer, "var"])
        for layer in sorted(layers)
        # Other kinds of layers have statistics of their own.
        if (*layer, "mean") in flat and (*layer, "var") in flat
    }
