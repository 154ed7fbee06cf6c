"""Generators: small networks that turn latent vectors into images."""

import itertools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.errors import ConfigError
from jinv.models.operations.layers import KAIMING_IN, PYTORCH, Conv
from jinv.models.operations.moments import (
    Average,
    by_channel,
    standardise,
    unshared,
)
from jinv.models.operations.upsampling import convolve_doubled

SMALL = 8
"""Height and width from which on a base is not halved any further, in pixels."""

LARGEST = 16
"""Height and width of the largest base, in pixels."""

NARROWEST = 16
"""Channels below which no layer but the last falls."""


class MomentNorm(nn.Module):
    """Batch normalisation by the moments of the batch at hand, always.

    There are no running statistics: a generator is only ever used on the batch that it
    is trained on.

    Attributes:
        epsilon: Constant added to the variance.
        average: Averages over the devices that share the batch; see `standardise`.
        dtype: Type of the output; the moments are float32 always.
    """

    epsilon: float = 1e-5
    average: Average = unshared
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalise `x` (batch, height, width, channels)."""
        scale = self.param("scale", _around_one, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        normal, _ = standardise(x, self.epsilon, self.average)
        scale, bias = (by_channel(leaf, x) for leaf in (scale, bias))
        return (normal.astype(jnp.float32) * scale + bias).astype(self.dtype)


class DoublingConv(nn.Module):
    """Doubles height and width by nearest neighbour, then convolves 3×3, with bias.

    Attributes:
        features: Number of output channels.
        kernel_init: Initialiser of the kernel; biases start at 0.
        dtype: Type of the computation; parameters are kept in float32.
    """

    features: int
    kernel_init: nn.initializers.Initializer = KAIMING_IN
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map (batch, height, width, in) to (batch, 2 height, 2 width, features)."""
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        y = convolve_doubled(x.astype(self.dtype), kernel)
        return y + by_channel(bias.astype(self.dtype), y)


class Generator(nn.Module):
    """The generator of NaturalInversion (Kim et al. 2022, section 3) and its kin.

    A dense layer makes `channels` maps of `base` × `base` pixels, which are normalised.
    Each doubling upsamples them (nearest neighbour, as transposed convolutions leave
    checkerboards), convolves and normalises; a last convolution makes the colours. The
    fast generator of Fang et al. 2022 is that of `activate_first=False` on latents of
    256 numbers, and those of DAFL and DFAD have besides kernels as PyTorch draws them.

    Attributes:
        channels: Number of maps of the base and of the first doubling; each further
            doubling has half as many, though never fewer than 16.
        base: Height and width before the first doubling, in pixels; see `plan_sizes`.
        doublings: Number of times that height and width are doubled.
        activate_first: Whether the base goes through a LeakyReLU.
        kernel_init: Initialiser of the convolutions.
        average: Averages a tree over the devices that share the batch.
        dtype: Type of activations; parameters, moments and the output are float32.
        colours: Number of channels of the images.
    """

    channels: int = 128
    base: int = 8
    doublings: int = 2
    activate_first: bool = True
    kernel_init: nn.initializers.Initializer = KAIMING_IN
    average: Average = unshared
    dtype: Any = jnp.float32
    colours: int = 3

    @nn.compact
    def __call__(self, latent: jax.Array) -> jax.Array:
        """Map latents (batch, width) to unbounded images.

        Returns:
            (batch, size, size, colours), where `size = base * 2 ** doublings`.
        """
        x = nn.Dense(
            self.base * self.base * self.channels,
            dtype=self.dtype,
            kernel_init=PYTORCH,  # left as it is by the published code
            name="dense",
        )(latent)
        x = x.reshape(-1, self.base, self.base, self.channels)
        x = self._norm("norm0", x)
        x = nn.leaky_relu(x, 0.2) if self.activate_first else x
        for number in range(1, self.doublings + 1):
            width = max(NARROWEST, self.channels >> (number - 1))
            conv = DoublingConv(
                width, self.kernel_init, self.dtype, name=f"conv{number}"
            )
            x = conv(x)
            x = nn.leaky_relu(self._norm(f"norm{number}", x), 0.2)
        colours = Conv(
            self.colours,
            3,
            use_bias=True,
            dtype=self.dtype,
            kernel_init=self.kernel_init,
            name="colours",
        )
        return colours(x).astype(jnp.float32)

    def _norm(self, name: str, x: jax.Array) -> jax.Array:
        return MomentNorm(average=self.average, dtype=self.dtype, name=name)(x)


def plan_sizes(size: int) -> tuple[int, int]:
    """The base and the doublings of a generator of images of a given size.

    `size = base * 2 ** doublings`, where the size is halved once, and then while it is
    even and greater than 8.

    Args:
        size: Height and width of the images, in pixels.

    Returns:
        Height and width of the base, in pixels, and the number of doublings.

    Raises:
        ConfigError: The base would be greater than 16 pixels, or would be the image.
    """
    if _reachable(size):
        return _halve(size)
    below = filter(_reachable, range(size - 1, 0, -1))
    above = filter(_reachable, itertools.count(max(size, 0) + 1))
    nearest = [*itertools.islice(below, 1), *itertools.islice(above, 1)]
    raise ConfigError(
        f"a generator makes images of base * 2^k pixels with base up to {LARGEST} and "
        f"k at least 1, such as 28, 32, 64 or 224; "
        f"{size} is none: take {' or '.join(map(str, nearest))}"
    )


def _halve(size: int) -> tuple[int, int]:
    doublings = 0
    while size % 2 == 0 and (size > SMALL or doublings == 0):
        size, doublings = size // 2, doublings + 1
    return size, doublings


def _reachable(size: int) -> bool:
    base, doublings = _halve(size) if size > 0 else (0, 0)
    return base <= LARGEST and doublings >= 1


def _around_one(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return 1 + 0.02 * jax.random.normal(key, shape)
