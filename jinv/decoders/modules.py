"""Modules of decoders: each makes of a station's features those of one before it."""

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.decoders.config import Upwards
from jinv.decoders.stations import Overlap
from jinv.models.operations.convolution import convolve
from jinv.models.operations.layers import KAIMING_IN, Conv
from jinv.models.operations.transposed import convolve_transposed
from jinv.models.operations.upsampling import upsample

Size = tuple[int, int]

_LINEAR = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
_LEAK = 0.2
"""Slope of the nonlinearity below zero: units that are 0 for good learn no more."""


class Up(nn.Module):
    """A convolution that undoes the geometry of one: from few units to many.

    Attributes:
        channels: Number of output channels.
        over: How inputs lie over outputs.
        upwards: Means by which resolution grows.
        dtype: Type of the computation; parameters are float32.
    """

    channels: int
    over: Overlap
    upwards: Upwards = "transposed"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, size: Size) -> jax.Array:
        """Map (batch, height', width', in) to (batch, *size, channels)."""
        side, stride, first = self.over
        x = x.astype(self.dtype)
        if self.upwards == "transposed":
            # Of side² products, an output is the sum of side² / stride².
            init = nn.initializers.variance_scaling(2.0 * stride**2, "fan_in", "normal")
            kernel = self.param(
                "kernel", init, (side, side, x.shape[-1], self.channels)
            )
            y = convolve_transposed(x, kernel.astype(self.dtype), stride, first, size)
        else:
            x = _nearest(x, self.over, size)
            side = max(3, side - stride + 1)
            kernel = self.param(
                "kernel", KAIMING_IN, (side, side, x.shape[-1], self.channels)
            )
            margins = (side - 1) // 2, side // 2
            y = convolve(x, kernel.astype(self.dtype), 1, (margins, margins))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return y + bias.astype(self.dtype)[None, None, None]


class Undoing(nn.Module):
    """A module that undoes a layer: transposed convolution, leaky ReLU, convolution.

    Attributes:
        hidden: Number of channels between both convolutions.
        channels: Number of channels of what is decoded.
        over: How inputs lie over outputs.
        upwards: Means by which resolution grows.
        dtype: Type of the computation.
    """

    hidden: int
    channels: int
    over: Overlap
    upwards: Upwards = "transposed"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, size: Size) -> jax.Array:
        """Map (batch, height', width', in) to (batch, *size, channels)."""
        x = Up(self.hidden, self.over, self.upwards, self.dtype, name="up")(x, size)
        return _last(self.channels, self.dtype)(_leaky(x))


class Placing(nn.Module):
    """A module that undoes a layer whose units have no place: a dense one or a mean.

    Attributes:
        hidden: Number of channels between the dense layer and the convolution.
        channels: Number of channels of what is decoded.
        size: Height and width of what is decoded.
        dtype: Type of the computation.
    """

    hidden: int
    channels: int
    size: Size
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, size: Size) -> jax.Array:
        """Map (batch, units) to (batch, *size, channels), of the size it is made for.

        Raises:
            ValueError: Another size was asked for.
        """
        if size != self.size:
            raise ValueError(f"made for {self.size}, not for {size}")
        x = nn.Dense(size[0] * size[1] * self.hidden, dtype=self.dtype, name="dense")(x)
        x = _leaky(x).reshape(len(x), *size, self.hidden)
        return _last(self.channels, self.dtype)(x)


class Monolith(nn.Module):
    """A decoder for the whole way, in the manner of Dosovitskiy & Brox 2016.

    From a convolutional layer, three 3×3 convolutions, then convolutions 5×5 that
    double the resolution; from one whose units have no place, three dense layers first.
    All but the last are followed by a leaky ReLU.

    Attributes:
        channels: Channels of the image.
        widths: Channels of the convolutions that double the resolution, from the lowest
            resolution on; the last are those of the image.
        dense: Units of the dense layers; 0 where there are none.
        hidden: Channels of the first convolutions, or of what the last dense layer lays
            out.
        overs: How each resolution lies over the next, from the lowest on.
        base: Height and width that the last dense layer lays out.
        upwards: Means by which resolution grows.
        dtype: Type of the computation.
    """

    channels: int
    widths: Sequence[int]
    dense: int
    hidden: int
    overs: Sequence[Overlap]
    base: Size
    upwards: Upwards = "transposed"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, size: Size) -> jax.Array:
        """Map (batch, height', width', in) or (batch, units) to (batch, *size, 3)."""
        if self.dense:
            area = self.base[0] * self.base[1]
            for number, units in enumerate((*[self.dense] * 2, area * self.hidden)):
                dense = nn.Dense(units, dtype=self.dtype, name=f"dense{number + 1}")
                x = _leaky(dense(x))
            x = x.reshape(len(x), *self.base, self.hidden)
        else:
            for number in range(3):
                x = _leaky(_conv(self.hidden, f"conv{number + 1}", self.dtype)(x))
        ups = list(zip(self.overs, self.widths, strict=True))
        for number, (over, width) in enumerate(ups):
            left = math.prod(later.stride for later in self.overs[number + 1 :])
            now = (-(-size[0] // left), -(-size[1] // left))
            x = Up(width, over, self.upwards, self.dtype, name=f"up{number + 1}")(
                x, now
            )
            x = _leaky(x) if number + 1 < len(ups) else x
        return x if ups else _last(self.channels, self.dtype)(x)


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, _LEAK)


def _conv(channels: int, name: str, dtype: Any) -> Conv:
    return Conv(
        channels, 3, use_bias=True, dtype=dtype, kernel_init=KAIMING_IN, name=name
    )


def _last(channels: int, dtype: Any) -> Conv:
    return Conv(
        channels, 3, use_bias=True, dtype=dtype, kernel_init=_LINEAR, name="last"
    )


def _nearest(x: jax.Array, over: Overlap, size: Size) -> jax.Array:
    """Give each output the input whose middle is nearest; borders are continued."""
    side, stride, first = over
    shift = first - (side - stride) // 2
    if stride > 1:
        x = upsample(x, stride * x.shape[1], stride * x.shape[2])
    before = max(0, -shift)
    after = [
        max(0, shift + n - have) for n, have in zip(size, x.shape[1:3], strict=True)
    ]
    x = jnp.pad(x, ((0, 0), (before, after[0]), (before, after[1]), (0, 0)), "edge")
    start = shift + before
    return x[:, start : start + size[0], start : start + size[1]]
