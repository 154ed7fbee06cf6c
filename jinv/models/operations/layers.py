"""The layers that every classifier here is made of."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jinv.models.operations.kernels import convolve, moments, standardise

TAPS = "taps"
"""The variable collection in which BatchNorm layers report their input's moments."""

FEATURES = "features"
"""The variable collection in which networks report named activations."""

Padding = Literal["half", "same"] | int

KAIMING_OUT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
"""Normal, of variance 2 / fan-out (He et al. 2015): gradients keep their size."""

KAIMING_IN = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
"""Normal, of variance 2 / fan-in: activations keep theirs. What PyTorch's
`kaiming_normal_` does unless told otherwise."""

PYTORCH = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Where PyTorch's dense and convolution kernels start: variance 1 / (3 fan-in)."""


class BatchNorm(nn.Module):
    """Batch normalisation that can report the moments of its *input*.

    In inference mode it computes `scale * (x - mean) / sqrt(var + epsilon) + bias` with
    the running statistics. When the collection `taps` is mutable, it also sows the mean
    and the biased variance of `x` over batch, height and width, in float32. The tree of
    that collection then has the shape of `batch_stats`, so that the two can be compared
    leaf by leaf.

    `nn.Module.capture_intermediates` cannot do this: it sees a layer's output.

    Attributes:
        epsilon: Added to the variance.
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
            _sow_moments(self, x)
        # The two terms cancel where |mean| >> std: in bfloat16 little would be left.
        return (normal.astype(jnp.float32) * factor + offset).astype(self.dtype)


class Conv(nn.Module):
    """A convolution, padded as the published weights expect.

    Attributes:
        features: Output channels.
        size: Height and width of the kernel, in pixels; one number for both.
        stride: Step between outputs, in pixels.
        padding: Zeros around the input, in pixels: "half" is `size // 2` on every side,
            as in PyTorch; "same" is TensorFlow's, which pads strided convolutions more
            at the end than at the beginning; or one number for every side. The wrong
            kind shifts the image by a pixel, and the logits come out wrong.
        groups: Groups of channels that do not see each other.
        use_bias: Add a bias to each output channel.
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
            y = y + bias.astype(self.dtype)
        return y


def tap(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """Give an activation a name by which `Classifier.features` can ask for it.

    Costs nothing where it is not asked for: what a compiled program does not use is
    not computed.

    Args:
        module: The module that calls.
        name: Unique in the whole network, e.g. "conv3_1", "stage2".
        x: The activation; returned as it is.
    """
    if not module.is_initializing():
        module.sow(FEATURES, name, x, lambda _, new: new, lambda: x)
    return x


def max_pool(x: jax.Array, size: int, stride: int, padding: int = 0) -> jax.Array:
    """Largest value of each square window of (batch, height, width, channels)."""
    margins: Any = ((padding, padding), (padding, padding))
    return nn.max_pool(x, (size, size), (stride, stride), margins)


def average_pool(
    x: jax.Array, size: int, stride: int, padding: int = 0, count_padding: bool = True
) -> jax.Array:
    """Mean of each square window of (batch, height, width, channels).

    Args:
        x: Activations.
        size: Height and width of a window, in pixels.
        stride: Step between windows, in pixels.
        padding: Zeros on every side, in pixels.
        count_padding: Whether these zeros take part in the mean.
    """
    margins: Any = ((padding, padding), (padding, padding))
    return nn.avg_pool(x, (size, size), (stride, stride), margins, count_padding)


def adaptive_average(x: jax.Array, size: int) -> jax.Array:
    """Average (batch, height, width, channels) into `size` × `size` overlapping bins.

    Bin i of n covers rows floor(i h / n) to ceil((i + 1) h / n), as PyTorch's
    AdaptiveAvgPool2d does, so that a fully connected head takes images of any size.
    """
    if x.shape[1:3] == (size, size):
        return x
    rows, columns = (_bins(length, size) for length in x.shape[1:3])
    return jnp.einsum("bhwc,ih,jw->bijc", x, rows, columns)


def global_average(x: jax.Array) -> jax.Array:
    """Mean over height and width, in float32: (batch, channels)."""
    return jnp.mean(x.astype(jnp.float32), (1, 2))


def _margins(padding: Padding, length: int, size: int, stride: int) -> tuple[int, int]:
    if padding == "same":
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        return total // 2, total - total // 2
    margin = size // 2 if padding == "half" else padding
    return margin, margin


def _bins(length: int, size: int) -> np.ndarray:
    """Weights (size, length) of the pixels in each bin."""
    weights = np.zeros((size, length), np.float32)
    for index in range(size):
        first, last = index * length // size, -(-(index + 1) * length // size)
        weights[index, first:last] = 1 / (last - first)
    return weights


def tap_foreign(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
    """Interceptor by which Flax's own BatchNorm reports the moments of its input.

    Use with `flax.linen.intercept_methods`, the collection `taps` being mutable.
    """
    module = context.module
    if isinstance(module, nn.BatchNorm) and context.method_name == "__call__":
        x = args[0] if args else kwargs["x"]
        # Moments are of its channels, whichever axis they lie on.
        _sow_moments(module, jnp.moveaxis(x, module.axis, -1))
    return call(*args, **kwargs)


def _sow_moments(module: nn.Module, x: jax.Array) -> None:
    for name, value in zip(("mean", "var"), moments(x), strict=True):
        module.sow(TAPS, name, value, lambda _, new: new, lambda value=value: value)
