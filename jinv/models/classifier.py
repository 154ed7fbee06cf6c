"""A classifier: what it is, what it has learnt, and what can be read from it.

Images become its inputs, and inputs images, here alone.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jinv.levels import from_uint8, to_uint8
from jinv.memo import Memo
from jinv.models.listing import batchnorm_names
from jinv.models.operations.taps import FEATURES, TAPS, tap_foreign
from jinv.models.response import Response, Taps, by_layer, in_natural_order
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.checksums import fingerprint_of

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


# Compared by identity, so that it can be a static argument of compiled functions.
@dataclass(frozen=True, eq=False)
class Classifier:
    """A Flax classifier with its weights.

    The methods that engines call take the variables as an argument, so that compiled
    programs never hold weights as constants.

    Attributes:
        spec: Specification: name, classes, input size, normalisation.
        module: Flax module.
        variables: Variables of the module, `params` and `batch_stats`.
        sha256: Checksum of the file that the weights came from; "" if from none.
        seed: Seed that the weights were drawn by; None where they were not.
        inference: Keyword arguments with which the module is called, e.g.
            `{"train": False}` where its own default is to train.
        in_training: Keyword arguments with which it is called to train.
        whole: Whether JAX remembers what the network computes, as that of a function:
            it is traced once for all programs of which it is a part, and is fast where
            it is called by itself.

    Example:
        >>> from jinv import load_classifier
        >>> classifier = load_classifier("cifar10_resnet20")
        >>> classifier.inputs_of(np.zeros((1, 40, 40, 3), np.uint8)).shape
        (1, 32, 32, 3)
        >>> classifier.feature_shapes["stage3"]
        (8, 8, 64)
    """

    spec: ClassifierSpec
    module: nn.Module
    variables: dict[str, Any]
    sha256: str = ""
    inference: Mapping[str, Any] = field(default_factory=dict)
    in_training: Mapping[str, Any] = field(default_factory=lambda: {"train": True})
    whole: bool = True
    seed: int | None = None

    def __repr__(self) -> str:
        """A line for people, without the weights."""
        spec = self.spec
        count = sum(x.size for x in jax.tree.leaves(self.variables.get("params", {})))
        return (
            f"<Classifier: {spec.name}, {len(spec.classes)} classes, inputs "
            f"{spec.input_size}x{spec.input_size}x{spec.channels}, {count:,} "
            f"parameters, weights {self.sha256[:8] or 'from no file'}>"
        )

    @cached_property
    def checksum(self) -> str:
        """Checksum of the weights: of their file, or of the arrays if of none."""
        return self.sha256 or fingerprint_of(self.variables)

    @property
    def origin(self) -> str:
        """What work that depends on the weights calls them by: the same, the same work.

        Weights drawn by a seed may differ by rounding from machine to machine.
        """
        drawn = self.seed is not None and not self.sha256
        return f"seed {self.seed}" if drawn else self.checksum

    def with_weights(self, variables: dict[str, Any], sha256: str = "") -> "Classifier":
        """Make the same network with other weights.

        Args:
            variables: Variables of the module.
            sha256: Checksum of the file that they came from; "" if from none.
        """
        return replace(self, variables=variables, sha256=sha256, seed=None)

    def with_activations(self, dtype: Any) -> "Classifier":
        """Make the same network with activations of another type."""
        module = self.spec.make_module(dtype=dtype, remat=self.remat)
        return replace(self, module=module)

    @property
    def remat(self) -> bool:
        """Whether activations are computed again in the backward pass."""
        return getattr(self.module, "remat", False)

    def logits(self, variables: dict[str, Any], inputs: jax.Array) -> jax.Array:
        """Compute logits (batch, classes), float32, of inputs."""
        logits, _ = self._apply(variables, inputs)
        return logits.astype(jnp.float32)

    def respond(self, variables: dict[str, Any], inputs: jax.Array) -> Response:
        """Classify inputs, with all that methods look at.

        Under `jax.jit` only what is used is computed. A foreign module's own
        `flax.linen.BatchNorm` layers are listened to as well.
        """
        logits, seen = self._apply(variables, inputs, mutable=(TAPS, FEATURES))
        return Response(
            logits.astype(jnp.float32),
            by_layer(seen.get(TAPS, {})),
            _named(seen.get(FEATURES, {})) | {"logits": logits},
        )

    def training(
        self, variables: dict[str, Any], inputs: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Any]:
        """Classify inputs as in training: by the batch's moments, and with dropout.

        Args:
            variables: Variables of the module.
            inputs: Inputs (batch, height, width, channels).
            key: Random key of dropout.

        Returns:
            Logits (batch, classes), float32; and the new `batch_stats`, empty if it has
            none.
        """
        logits, _, statistics = self.training_features(variables, inputs, key)
        return logits, statistics

    def training_features(
        self, variables: dict[str, Any], inputs: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array], Any]:
        """Classify inputs as `training` does, and tell the named activations too.

        Returns:
            Logits (batch, classes), float32; activations as of `features`; and the new
            `batch_stats`.
        """
        mutable = "batch_stats", FEATURES
        logits, changed = self._apply(variables, inputs, key, mutable=mutable)
        named = _named(changed.get(FEATURES, {}))
        return logits.astype(jnp.float32), named, changed.get("batch_stats", {})

    def training_moments(
        self, variables: dict[str, Any], inputs: jax.Array, key: jax.Array
    ) -> Any:
        """Compute moments that BatchNorm layers see in training, as `batch_stats`."""
        mutable = "batch_stats", TAPS
        _, changed = self._apply(variables, inputs, key, mutable=mutable)
        return changed.get(TAPS, {})

    def features(
        self, variables: dict[str, Any], inputs: jax.Array
    ) -> dict[str, jax.Array]:
        """Compute named activations (batch, height, width, channels) or (batch, units).

        The module documentation of each architecture says what the names mean; "logits"
        is always there.
        """
        return self.respond(variables, inputs).features

    def in_parts(self) -> "Classifier":
        """Make it anew, not whole: for those who look at how a network computes."""
        return replace(self, whole=False)

    @cached_property
    def _apply(self) -> Callable[..., Any]:
        # It holds the module alone: weights would live as long as JAX remembers it.
        function = partial(_apply, self.module, self.inference, self.in_training)
        return jax.jit(function, static_argnames="mutable") if self.whole else function

    @cached_property
    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the features at the input size, without the batch's axis."""
        size, channels = self.spec.input_size, self.spec.channels
        example = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
        shapes = jax.eval_shape(self.features, self.variables, example)
        return in_natural_order({name: leaf.shape[1:] for name, leaf in shapes.items()})

    def takes(self, size: int) -> bool:
        """Whether the network takes inputs of another height and width, in pixels.

        Networks that flatten their last activations, and compute from them by a dense
        layer, take those of one size only; and of what is too small, convolutions
        without padding leave nothing.
        """
        if size not in self._taken:
            shape = (1, size, size, self.spec.channels)
            example = jax.ShapeDtypeStruct(shape, jnp.float32)
            try:
                with nn.intercept_methods(_refuse_nothing):
                    jax.eval_shape(self.logits, self.variables, example)
            except Exception:  # a module may raise what it likes
                self._taken[size] = False
            else:
                self._taken[size] = True
        return self._taken[size]

    @cached_property
    def _taken(self) -> dict[int, bool]:
        """Answers of `takes` so far; the network's own size is taken."""
        return {self.spec.input_size: True}

    @cached_property
    def memo(self) -> Memo:
        """Memo of what others remember with the classifier, such as its programs."""
        return Memo()

    @property
    def stages(self) -> tuple[str, ...]:
        """Features from each of which the network halves the resolution."""
        return tuple(name for name in self.feature_shapes if name.startswith("stage"))

    @property
    def dtype(self) -> Any:
        """Type of the activations."""
        return getattr(self.module, "dtype", None) or jnp.float32

    def running_moments(self, variables: dict[str, Any]) -> Taps:
        """Moments that training left in each BatchNorm layer that can be heard."""
        left = by_layer(variables.get("batch_stats", {}))
        heard = set(self.batchnorm_names)
        return {name: moments for name, moments in left.items() if name in heard}

    @property
    def silent_names(self) -> tuple[str, ...]:
        """Layers that have statistics, but are of no kind that can be listened to."""
        left = by_layer(self.variables.get("batch_stats", {}))
        return tuple(name for name in left if name not in self.batchnorm_names)

    @cached_property
    def batchnorm_names(self) -> tuple[str, ...]:
        """BatchNorm layers in the order in which an input meets them."""
        return batchnorm_names(self.module, self.spec, self.inference)

    def inputs_of(self, images: Any, size: tuple[int, int] | None = None) -> Any:
        """Make inputs of images of any size.

        Args:
            images: Images (batch, height, width, 3), or 1 where grey: uint8, or floats
                in [0, 1]; resized (bilinear, antialiased where they shrink) if need be,
                and made grey (ITU-R 601 luma, as Pillow does) or repeated as red,
                green and blue. NumPy's or JAX's; outside of `jax.jit` the inputs of
                NumPy's are computed by NumPy but for resizing.
            size: Height and width of the inputs, in pixels; by default the network's
                own.
        """
        values = from_uint8(images)
        channels, own = self.spec.channels, self.spec.input_size
        height, width = size or (own, own)
        stack = np.stack if isinstance(values, np.ndarray) else jnp.stack
        if values.shape[-1] != channels:
            grey = values @ _LUMA if values.shape[-1] == 3 else values[..., 0]
            values = stack([grey] * channels, -1)
        if values.shape[1:3] != (height, width):
            shape = (len(values), height, width, channels)
            values = jax.image.resize(values, shape, "bilinear")
        return self.normalise(values)

    def images_of(self, inputs: Any) -> np.ndarray:
        """Make of inputs the bytes to save: brightness is rounded, never stretched.

        Args:
            inputs: Inputs (batch, height, width, channels), on the host.
        """
        return to_uint8(self.denormalise(inputs))

    def normalise(self, images: Any) -> Any:
        """Make inputs of images, in [0, 1] or bytes, of the same size."""
        images = from_uint8(images)
        mean, std = self._beside(images)
        return (images - mean) / std

    def denormalise(self, inputs: Any) -> Any:
        """Make images of inputs; in [0, 1] if these lie within `input_range`."""
        mean, std = self._beside(inputs)
        return inputs * std + mean

    @property
    def input_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs that stand for black and for white, per channel."""
        mean, std = self._channels
        return -mean / std, (1 - mean) / std

    def _beside(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the channels, with the axes of images."""
        mean, std = self._channels
        axes = tuple(range(images.ndim - 1))
        return np.expand_dims(mean, axes), np.expand_dims(std, axes)

    @property
    def _channels(self) -> tuple[np.ndarray, np.ndarray]:
        spec = self.spec
        return np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)


def _apply(
    module: nn.Module,
    inference: Mapping[str, Any],
    in_training: Mapping[str, Any],
    variables: Any,
    inputs: jax.Array,
    key: jax.Array | None = None,
    *,
    mutable: tuple[str, ...] = (),
) -> Any:
    """Call a module: to train where there is a key, that of dropout.

    Returns:
        What it puts out, and what changed of the collections that may change.
    """
    options, rngs = (inference, {}) if key is None else (in_training, {"dropout": key})
    # A foreign module's own layers are listened to only where that is kept.
    heard = nn.intercept_methods(tap_foreign) if TAPS in mutable else nullcontext()
    with heard:
        return module.apply(
            variables, inputs, mutable=list(mutable), rngs=rngs, **options
        )


def _named(features: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Activations by their own names, whatever module reported them."""
    found = flatten_dict(dict(features))
    return in_natural_order({path[-1]: value for path, value in found.items()})


def _refuse_nothing(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
    """Call a module's method, of which something has to be left."""
    made = call(*args, **kwargs)
    if any(leaf.size == 0 for leaf in jax.tree.leaves(made) if hasattr(leaf, "size")):
        raise ValueError(f"nothing is left of the input in {context.module.path}")
    return made
