"""Layers with parameters: BatchNorm that can be heard, and convolutions."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from jinv.models.operations.convolution import convolve
from jinv.models.operations.moments import by_channel, standardise
from jinv.models.operations.taps import TAPS, sow_moments

Padding = Literal["half", "same"] | int

KAIMING_OUT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
"""Normal, of variance 2 / fan-out (He et al. 2015): gradients keep their size."""

KAIMING_IN = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
"""Normal, of variance 2 / fan-in: activations keep their size. It is what
PyTorch's `kaiming_normal_` does unless told otherwise."""

PYTORCH = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Uniform, of variance 1 / (3 fan-in): where PyTorch's kernels start."""


NOT_NARROWED: Mapping[str, int] = FrozenDict({})
"""What a network's `narrowed` is where all layers are as its architecture says."""


class Narrowable(Protocol):
    """A module whose layers may put out fewer channels than its architecture says."""

    @property
    def path(self) -> tuple[str, ...]:
        """Names from the network down to the module."""
        ...

    @property
    def narrowed(self) -> Mapping[str, int]:
        """Channels of such layers, by their names in the whole network."""
        ...


def width_of(module: Narrowable, name: str, width: int) -> int:
    """Channels that a layer puts out, in a network that may be narrowed.

    Args:
        module: Module that makes the layer.
        name: Name of the layer in it.
        width: Channels that the architecture says.
    """
    return module.narrowed.get(".".join((*module.path, name)), width)


class BatchNorm(nn.Module):
    """Batch normalisation that can report the moments of its *input*.

    In inference mode it computes `scale * (x - mean) / sqrt(var + epsilon) + bias` with
    the running statistics. When the collection `taps` is mutable, it also sows the mean
    and the biased variance of `x` over batch, height and width, in float32. The tree of
    that collection then has the shape of `batch_stats`, so that the two can be compared
    leaf by leaf.

    `nn.Module.capture_intermediates` cannot do this: it sees a layer's output.

    Attributes:
        epsilon: Constant added to the variance.
        momentum: Share of the old running statistics kept by a training step (Flax's
            convention: PyTorch's 0.1 is 0.9 here).
        dtype: Type of the output; the statistics are float32 always.
        scale_init: Initialiser of the scale.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    dtype: Any = jnp.float32
    scale_init: nn.initializers.Initializer = nn.initializers.ones

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Normalise `x` (batch, height, width, channels)."""
        shape = (x.shape[-1],)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape)
        scale = self.param("scale", self.scale_init, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)

        if train:
            normal, (mean, var) = standardise(x, self.epsilon)
            if not self.is_initializing():
                keep = self.momentum
                running_mean.value = keep * running_mean.value + (1 - keep) * mean
                running_var.value = keep * running_var.value + (1 - keep) * var
            factor, offset = scale, bias
        else:
            normal = x
            factor = scale * jax.lax.rsqrt(running_var.value + self.epsilon)
            offset = bias - running_mean.value * factor
        if self.is_mutable_collection(TAPS) and not self.is_initializing():
            sow_moments(self, x)
        # The two terms cancel where |mean| >> std: in bfloat16 little would be left.
        factor, offset = (by_channel(leaf, x) for leaf in (factor, offset))
        return (normal.astype(jnp.float32) * factor + offset).astype(self.dtype)


class Conv(nn.Module):
    """A convolution, padded as the published weights expect.

    Attributes:
        features: Number of output channels.
        size: Height and width of the kernel, in pixels; one number for both.
        stride: Step between outputs, in pixels.
        padding: Zeros around the input, in pixels: "half" is `size // 2` on every side,
            as in PyTorch; "same" is TensorFlow's, which pads strided convolutions more
            at the end than at the beginning; or one number for every side. The wrong
            kind shifts the image by a pixel, and the logits come out wrong.
        groups: Number of groups of channels that do not see each other.
        use_bias: Whether to add a bias to each output channel.
        dtype: Type of the computation; parameters are kept in float32.
        kernel_init: Initialiser of the kernel; biases start at 0.
    """

    features: int
    size: int | tuple[int, int]
    stride: int = 1
    padding: Padding = "half"
    groups: int = 1
    use_bias: bool = False
    dtype: Any = jnp.float32
    kernel_init: nn.initializers.Initializer = KAIMING_OUT

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map (batch, height, width, in) to (batch, height', width', features)."""
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        shape = (*size, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        rows = _margins(self.padding, x.shape[1], size[0], self.stride)
        columns = _margins(self.padding, x.shape[2], size[1], self.stride)
        y = convolve(x, kernel, self.stride, (rows, columns), self.groups)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            y = y + by_channel(bias.astype(self.dtype), y)
        return y


def _margins(padding: Padding, length: int, size: int, stride: int) -> tuple[int, int]:
    if padding == "same":
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        return total // 2, total - total // 2
    margin = size // 2 if padding == "half" else padding
    return margin, margin
