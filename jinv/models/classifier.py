"""A classifier: what it is, what it has learnt, and what can be read from it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jinv.checked import checked
from jinv.memo import Memo
from jinv.models.facts import Facts
from jinv.models.operations.layers import FEATURES, TAPS, BatchNorm, tap_foreign
from jinv.models.spec import ClassifierSpec, class_names
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.files import find_weights
from jinv.models.weights.fitting import from_groups
from jinv.models.weights.reading import read_weights
from jinv.models.zoo import classifier_spec
from jinv.values import Count, Seed


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

    def takes(self, size: int) -> bool:
        """Whether it can be applied to inputs of another height and width, in pixels.

        Networks that flatten their last activations, and compute from them by a dense
        layer, take those of one size only.
        """
        if size not in self._taken:
            shape = (1, size, size, self.spec.channels)
            example = jax.ShapeDtypeStruct(shape, jnp.float32)
            try:
                jax.eval_shape(self.logits, self.variables, example)
            except Exception:  # a module may raise what it likes
                self._taken[size] = False
            else:
                self._taken[size] = True
        return self._taken[size]

    @cached_property
    def _taken(self) -> dict[int, bool]:
        """Sizes that were asked for; its own is taken."""
        return {self.spec.input_size: True}

    @cached_property
    def memo(self) -> Memo:
        """What others remember with it, as long as it lives, such as its programs."""
        return Memo()

    @property
    def stages(self) -> tuple[str, ...]:
        """Features from each of which the network halves the resolution."""
        return tuple(name for name in self.feature_shapes if name.startswith("stage"))

    @property
    def dtype(self) -> Any:
        """Type of its activations."""
        return getattr(self.module, "dtype", None) or jnp.float32

    def running_moments(self, variables: dict[str, Any]) -> Taps:
        """The moments that training left in each BatchNorm layer that can be heard."""
        left = _by_layer(variables.get("batch_stats", {}))
        heard = set(self.batchnorm_names)
        return {name: moments for name, moments in left.items() if name in heard}

    @property
    def silent_names(self) -> tuple[str, ...]:
        """Layers that have statistics, but are of no kind that can be listened to."""
        left = _by_layer(self.variables.get("batch_stats", {}))
        return tuple(name for name in left if name not in self.batchnorm_names)

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


@checked
def load_classifier(
    name: str,
    weights: Path | str | None = None,
    classes: Sequence[str] | None = None,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: Count | None = None,
    dtype: Any = jnp.float32,
    remat: bool = False,
) -> Classifier:
    """Load a zoo classifier with its weights.

    What is not given here is as the file of weights says: in its metadata where it is
    one of ours, or in a companion beside it, FILE.json, with `classes`, `mean`, `std`
    and `input_size`; and else as the zoo has it.

    Args:
        name: Its name in the zoo.
        weights: A file of weights, or a folder with one, in any form that
            `jinv.models.weights.reading.read_weights` reads; by default the project's
            own weights, or a download.
        classes: Names of the classes, in the order of the logits.
        mean: Subtracted from images in [0, 1], per channel.
        std: By which the difference is divided, per channel.
        input_size: Height and width of the inputs, in pixels.
        dtype: Type of the activations.
        remat: Recompute activations in the backward pass: less memory, more time.

    Raises:
        ConfigError: The zoo has no such name, or a fact cannot be true.
        WeightsError: The weights are missing or belong to another architecture.

    Example:
        >>> classifier = load_classifier("cifar10_resnet20")
        >>> classifier.spec.classes[3]
        'cat'
    """
    spec = classifier_spec(name)
    given = Facts(
        None if classes is None else class_names(classes),
        input_size,
        None if mean is None else tuple(mean),
        None if std is None else tuple(std),
    )
    path = Path(weights) if weights else find_weights(spec)
    found = read_weights(path)
    spec = found.described(spec, given)
    module = spec.make_module(dtype=dtype, remat=remat)
    shapes = init_shapes(module, spec)
    variables = from_groups(found.groups, shapes, str(path), spec.aliases, spec.ignored)
    variables = jax.tree.map(jnp.asarray, variables)
    return Classifier(spec, module, variables, sha256_of(found.file))


@checked
def make_classifier(
    spec: ClassifierSpec,
    seed: Seed = 0,
    *,
    dtype: Any = jnp.float32,
    remat: bool = False,
) -> Classifier:
    """Make a classifier with random weights.

    Args:
        spec: What it is; see `classifier_spec`.
        seed: Of the weights.
        dtype: Type of the activations.
        remat: Recompute activations in the backward pass: less memory, more time.

    Raises:
        ConfigError: An argument is none of these.
    """
    module = spec.make_module(dtype=dtype, remat=remat)
    size = spec.input_size
    example = jnp.zeros((1, size, size, spec.channels))
    variables = jax.jit(module.init)(jax.random.key(seed), example)
    return Classifier(spec, module, dict(variables))


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
        # Other kinds of layers have statistics of their own.
        if (*layer, "mean") in flat and (*layer, "var") in flat
    }
