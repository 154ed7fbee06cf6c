"""A classifier: what it is, what it has learnt, and what can be read from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jinv.models.layers import TAPS, BatchNorm
from jinv.models.state_dict import from_state_dict
from jinv.models.weight_files import find_weights, read_weights, sha256_of
from jinv.models.zoo import ClassifierSpec, classifier_spec


class Moments(NamedTuple):
    """Mean and biased variance of each channel of a BatchNorm layer's input."""

    mean: jax.Array
    var: jax.Array


Taps = dict[str, Moments]
"""Moments by the name of their layer, e.g. "layer1.0.bn1"."""


@dataclass(frozen=True)
class Classifier:
    """A Flax classifier with its weights.

    The methods that engines call take the variables as an argument, so that compiled
    programs never hold weights as constants.

    Attributes:
        spec: What it is.
        module: The Flax module.
        variables: `params` and `batch_stats`.
        sha256: Checksum of the file that the weights came from; "" if from none.
    """

    spec: ClassifierSpec
    module: nn.Module
    variables: dict[str, Any]
    sha256: str = ""

    def logits(self, variables: dict[str, Any], inputs: jax.Array) -> jax.Array:
        """Classify inputs (batch, height, width, 3): (batch, classes), float32."""
        logits: Any = self.module.apply(variables, inputs)
        return logits.astype(jnp.float32)

    def observe(
        self, variables: dict[str, Any], inputs: jax.Array
    ) -> tuple[jax.Array, Taps]:
        """Classify inputs, and report the moments that each BatchNorm layer saw."""
        applied: Any = self.module.apply(variables, inputs, mutable=[TAPS])
        logits, seen = applied
        return logits.astype(jnp.float32), _by_layer(seen.get(TAPS, {}))

    def running_moments(self, variables: dict[str, Any]) -> Taps:
        """The moments that training left in each BatchNorm layer."""
        return _by_layer(variables.get("batch_stats", {}))

    @cached_property
    def batchnorm_names(self) -> tuple[str, ...]:
        """BatchNorm layers in the order in which an input meets them."""
        return batchnorm_names(self.module, self.spec)

    def normalise(self, images: Any) -> Any:
        """Images in [0, 1] → inputs."""
        mean, std = self._channels
        return (images - mean) / std

    def denormalise(self, inputs: Any) -> Any:
        """Inputs → images; in [0, 1] if the inputs lie within `input_range`."""
        mean, std = self._channels
        return inputs * std + mean

    @property
    def input_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Per channel, the inputs that stand for black and for white."""
        mean, std = self._channels
        return -mean / std, (1 - mean) / std

    @property
    def _channels(self) -> tuple[np.ndarray, np.ndarray]:
        spec = self.spec
        return np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)


def load_classifier(
    name: str, weights: str | Path | None = None, **build: Any
) -> Classifier:
    """Load a zoo classifier with its weights.

    Args:
        name: Its name in the zoo.
        weights: A .safetensors, .npz or PyTorch file; by default the project's own
            weights, or a download.
        **build: Passed to the architecture: `dtype`, `remat`.

    Raises:
        ConfigError: The zoo has no such name.
        WeightsError: The weights are missing or belong to another architecture.

    Example:
        >>> classifier = load_classifier("cifar10_resnet20")
        >>> classifier.spec.classes[3]
        'cat'
    """
    spec = classifier_spec(name)
    path = Path(weights) if weights else find_weights(spec)
    module = spec.build(**build)
    shapes = init_shapes(module, spec)
    state = read_weights(path)
    variables = from_state_dict(state, shapes, spec.aliases, str(path))
    variables = jax.tree.map(jnp.asarray, variables)
    return Classifier(spec, module, variables, sha256_of(path))


def make_classifier(spec: ClassifierSpec, seed: int = 0, **build: Any) -> Classifier:
    """Make a classifier with random weights.

    Args:
        spec: What it is; see `classifier_spec`.
        seed: Of the weights.
        **build: Passed to the architecture: `dtype`, `remat`.
    """
    module = spec.build(**build)
    size = spec.input_size
    example = jnp.zeros((1, size, size, 3))
    variables = jax.jit(module.init)(jax.random.key(seed), example)
    return Classifier(spec, module, dict(variables))


def init_shapes(module: nn.Module, spec: ClassifierSpec) -> dict[str, Any]:
    """Shapes of a module's variables, without computing them."""
    size = spec.input_size
    example = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    return dict(jax.eval_shape(module.init, jax.random.key(0), example))


def batchnorm_names(module: nn.Module, spec: ClassifierSpec) -> tuple[str, ...]:
    """BatchNorm layers of a module in the order in which an input meets them."""
    names = []

    def note(call, args, kwargs, context):
        if isinstance(context.module, BatchNorm):
            names.append(".".join(context.module.path))
        return call(*args, **kwargs)

    with nn.intercept_methods(note):
        init_shapes(module, spec)
    return tuple(names)


def _by_layer(tree: Mapping[str, Any]) -> Taps:
    flat: dict[tuple, Any] = dict(flatten_dict(dict(tree)))
    layers = {path[:-1] for path in flat}
    return {
        ".".join(layer): Moments(flat[*layer, "mean"], flat[*layer, "var"])
        for layer in sorted(layers)
    }
