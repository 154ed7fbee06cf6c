"""A classifier: what it is, what it has learnt, and what can be read from it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jinv.errors import ConfigError
from jinv.models.checksums import sha256_of
from jinv.models.fitting import from_groups
from jinv.models.layers import FEATURES, TAPS, BatchNorm, tap_foreign
from jinv.models.weight_files import find_weights
from jinv.models.weights import read_weights
from jinv.models.zoo import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ClassifierSpec,
    classifier_spec,
)


class Moments(NamedTuple):
    """Mean and biased variance of each channel of a BatchNorm layer's input."""

    mean: jax.Array
    var: jax.Array


Taps = dict[str, Moments]
"""Moments by the name of their layer, e.g. "layer1.0.bn1"."""


class Observation(NamedTuple):
    """What a classifier says of a batch, and what can be read from it on the way.

    Attributes:
        logits: (batch, classes), float32.
        taps: Moments that each BatchNorm layer saw.
        features: Named activations; see `Classifier.features`.
    """

    logits: jax.Array
    taps: Taps
    features: dict[str, jax.Array]


# Compared by identity, so that it can be a static argument of compiled functions.
@dataclass(frozen=True, eq=False)
class Classifier:
    """A Flax classifier with its weights.

    The methods that engines call take the variables as an argument, so that compiled
    programs never hold weights as constants.

    Attributes:
        spec: What it is.
        module: The Flax module.
        variables: `params` and `batch_stats`.
        sha256: Checksum of the file that the weights came from; "" if from none.
        inference: Keyword arguments with which the module is called, e.g.
            `{"train": False}` where its own default is to train.
    """

    spec: ClassifierSpec
    module: nn.Module
    variables: dict[str, Any]
    sha256: str = ""
    inference: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """A line for people, without the weights."""
        spec = self.spec
        count = sum(x.size for x in jax.tree.leaves(self.variables.get("params", {})))
        return (
            f"<Classifier: {spec.name}, {len(spec.classes)} classes, inputs "
            f"{spec.input_size}x{spec.input_size}x{spec.channels}, {count:,} "
            f"parameters, weights {self.sha256[:8] or 'from no file'}>"
        )

    def logits(self, variables: dict[str, Any], inputs: jax.Array) -> jax.Array:
        """Logits (batch, classes), float32, of (batch, height, width, channels)."""
        logits: Any = self.module.apply(variables, inputs, **self.inference)
        return logits.astype(jnp.float32)

    def observe(self, variables: dict[str, Any], inputs: jax.Array) -> Observation:
        """Classify inputs, with all that methods look at.

        Under `jax.jit` only what is used is computed. A foreign module's own
        `flax.linen.BatchNorm` layers are listened to as well.
        """
        with nn.intercept_methods(tap_foreign):
            applied: Any = self.module.apply(
                variables, inputs, mutable=[TAPS, FEATURES], **self.inference
            )
        logits, seen = applied
        found = flatten_dict(dict(seen.get(FEATURES, {})))
        named = {path[-1]: value for path, value in found.items()}
        return Observation(
            logits.astype(jnp.float32),
            _by_layer(seen.get(TAPS, {})),
            _in_order(named) | {"logits": logits},
        )

    def features(
        self, variables: dict[str, Any], inputs: jax.Array
    ) -> dict[str, jax.Array]:
        """Named activations, each (batch, height, width, channels) or (batch, units).

        The module documentation of each architecture says what the names mean; "logits"
        is always there.
        """
        return self.observe(variables, inputs).features

    @cached_property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the features at the input size, without the batch's axis."""
        size, channels = self.spec.input_size, self.spec.channels
        example = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
        shapes = jax.eval_shape(self.features, self.variables, example)
        return _in_order({name: leaf.shape[1:] for name, leaf in shapes.items()})

    @property
    def stages(self) -> tuple[str, ...]:
        """Features from each of which the network halves the resolution."""
        return tuple(name for name in self.feature_shapes if name.startswith("stage"))

    @property
    def dtype(self) -> Any:
        """Type of its activations."""
        return getattr(self.module, "dtype", None) or jnp.float32

    def running_moments(self, variables: dict[str, Any]) -> Taps:
        """The moments that training left in each BatchNorm layer."""
        return _by_layer(variables.get("batch_stats", {}))

    @cached_property
    def batchnorm_names(self) -> tuple[str, ...]:
        """BatchNorm layers in the order in which an input meets them."""
        return batchnorm_names(self.module, self.spec, self.inference)

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
    name: str,
    weights: str | Path | None = None,
    classes: Sequence[str] | None = None,
    **build: Any,
) -> Classifier:
    """Load a zoo classifier with its weights.

    Args:
        name: Its name in the zoo.
        weights: A .safetensors, .npz or PyTorch file; by default the project's own
            weights, or a download.
        classes: Names of the classes, where they are not those of the zoo.
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
    found = read_weights(path)
    spec = found.described(spec)
    if classes is not None:
        spec = replace(spec, classes=tuple(classes))
    module = spec.make_module(**build)
    shapes = init_shapes(module, spec)
    variables = from_groups(found.groups, shapes, str(path), spec.aliases, spec.ignored)
    variables = jax.tree.map(jnp.asarray, variables)
    return Classifier(spec, module, variables, sha256_of(found.file))


def make_classifier(spec: ClassifierSpec, seed: int = 0, **build: Any) -> Classifier:
    """Make a classifier with random weights.

    Args:
        spec: What it is; see `classifier_spec`.
        seed: Of the weights.
        **build: Passed to the architecture: `dtype`, `remat`.
    """
    module = spec.make_module(**build)
    size = spec.input_size
    example = jnp.zeros((1, size, size, spec.channels))
    variables = jax.jit(module.init)(jax.random.key(seed), example)
    return Classifier(spec, module, dict(variables))


def wrap_classifier(
    module: nn.Module,
    variables: Mapping[str, Any],
    *,
    name: str,
    classes: Sequence[str],
    input_size: int,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    inference: Mapping[str, Any] | None = None,
) -> Classifier:
    """Bring a Linen classifier of your own.

    It maps inputs (batch, height, width, channels) to logits. Its
    `flax.linen.BatchNorm` or `jinv.models.layers.BatchNorm` layers are compared with
    their running statistics; activations passed through `jinv.models.layers.tap` can be
    asked for by name.

    Args:
        module: The module.
        variables: `params`, and `batch_stats` if it has BatchNorm layers.
        name: What it is called in reports.
        classes: Names in the order of the logits.
        input_size: Height and width of the inputs, in pixels.
        mean: Subtracted from images in [0, 1], per channel.
        std: By which the difference is divided, per channel.
        inference: Keyword arguments that make a call an inference, e.g.
            `{"train": False}`.

    Raises:
        ConfigError: The logits are not one for each class.

    Example:
        >>> import flax.linen as nn
        >>> net = nn.Sequential([lambda x: x.mean((1, 2)), nn.Dense(2)])
        >>> variables = net.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
        >>> wrap_classifier(
        ...     net, variables, name="mine", classes=["day", "night"], input_size=8
        ... ).spec.name
        'mine'
    """
    spec = ClassifierSpec(
        name,
        lambda **_: module,
        tuple(classes),
        input_size,
        tuple(float(value) for value in mean),
        tuple(float(value) for value in std),
    )
    wrapped = Classifier(spec, module, dict(variables), "", dict(inference or {}))
    wrapped = replace(
        wrapped, spec=replace(spec, batch_norm=bool(wrapped.batchnorm_names))
    )
    shape = wrapped.feature_shapes["logits"]
    if shape != (len(spec.classes),):
        raise ConfigError(
            f"{name} puts out {shape} per image, but {len(spec.classes)} classes were "
            "named: expected one logit for each"
        )
    return wrapped


def init_shapes(
    module: nn.Module, spec: ClassifierSpec, inference: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Shapes of a module's variables, without computing them."""
    size = spec.input_size
    example = jax.ShapeDtypeStruct((1, size, size, spec.channels), jnp.float32)
    init = partial(module.init, **(inference or {}))
    return dict(jax.eval_shape(init, jax.random.key(0), example))


def batchnorm_names(
    module: nn.Module, spec: ClassifierSpec, inference: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """BatchNorm layers of a module in the order in which an input meets them."""
    return _layers(
        lambda layer: isinstance(layer, BatchNorm | nn.BatchNorm),
        module,
        spec,
        inference,
    )


def kernel_names(
    module: nn.Module, spec: ClassifierSpec, inference: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Convolutions and dense layers in the order in which an input meets them."""
    return _layers(
        lambda layer: layer.has_variable("params", "kernel"), module, spec, inference
    )


def _layers(
    wanted: Callable[[nn.Module], bool],
    module: nn.Module,
    spec: ClassifierSpec,
    inference: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    names = []

    def note(call, args, kwargs, context):
        result = call(*args, **kwargs)
        if context.method_name == "__call__" and wanted(context.module):
            names.append(".".join(context.module.path))
        return result

    with nn.intercept_methods(note):
        init_shapes(module, spec, inference)
    # A layer that is used twice is one layer.
    return tuple(dict.fromkeys(names))


def _in_order(named: dict[str, Any]) -> dict[str, Any]:
    """Sort "conv2_1" before "conv10_1"."""

    def key(name: str) -> list:
        return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)]

    return {name: named[name] for name in sorted(named, key=key)}


def _by_layer(tree: Mapping[str, Any]) -> Taps:
    flat: dict[tuple, Any] = dict(flatten_dict(dict(tree)))
    layers = {path[:-1] for path in flat}
    return {
        ".".join(layer): Moments(flat[*layer, "mean"], flat[*layer, "var"])
        for layer in sorted(layers)
    }
