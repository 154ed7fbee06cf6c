"""The layers that every classifier here is made of."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.kernels import convolve, moments, standardise

TAPS = "taps"
"""The variable collection in which BatchNorm layers report their input's moments."""


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
            mean, var = moments(x)
            _sow(self, "mean", mean)
            _sow(self, "var", var)
        # The two terms cancel where |mean| >> std: in bfloat16 little would be left.
        return (normal.astype(jnp.float32) * factor + offset).astype(self.dtype)


class Conv(nn.Module):
    """A square convolution without bias, padded symmetrically as PyTorch pads it.

    Flax's "SAME" pads strided convolutions on one side only, which shifts the image by
    a pixel: with PyTorch's weights the logits come out wrong.

    Attributes:
        features: Output channels.
        size: Height and width of the kernel, in pixels.
        stride: Step between outputs, in pixels.
        dtype: Type of the computation; the kernel is kept in float32.
    """

    features: int
    size: int
    stride: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map (batch, height, width, in) to (batch, height', width', features)."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", _KAIMING, shape)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        return convolve(x, kernel, self.stride, self.size // 2)


_KAIMING = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def _sow(module: nn.Module, name: str, value: jax.Array) -> None:
    module.sow(TAPS, name, value, reduce_fn=lambda _, new: new, init_fn=lambda: value)
