"""Wide residual networks for CIFAR, with pre-activation blocks.

`stageK` is the output of the K-th group of blocks, `resK` that of the K-th block,
`middleK` that of the first convolution in it. (The wide ImageNet networks are
`ResNet`s with `widening`.)
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import NOT_NARROWED, BatchNorm, Conv, width_of
from jinv.models.operations.pooling import global_average
from jinv.models.operations.taps import tap


class PreActivationBlock(nn.Module):
    """BatchNorm, ReLU and 3×3 convolution, twice, around a shortcut.

    The shortcut is a convolution where the block puts out another number of channels.
    """

    features: int
    stride: int
    number: int
    projects: bool
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map (batch, height, width, channels) to (…, features)."""

        def activate(name: str, x: jax.Array) -> jax.Array:
            return nn.relu(BatchNorm(dtype=self.dtype, name=name)(x, train))

        def conv(name: str, x: jax.Array, size: int, stride: int = 1) -> jax.Array:
            width = width_of(self, name, self.features)
            return Conv(width, size, stride, dtype=self.dtype, name=name)(x)

        active = activate("bn1", x)
        shortcut = x
        if self.projects:
            shortcut = conv("convShortcut", active, 1, self.stride)
        y = tap(self, f"middle{self.number}", conv("conv1", active, 3, self.stride))
        y = conv("conv2", activate("bn2", y), 3)
        return tap(self, f"res{self.number}", y + shortcut)


class WideResNet(nn.Module):
    """A wide residual network (Zagoruyko & Komodakis 2016, table 1), e.g. WRN-40-2.

    Attributes:
        depth: Number of layers, 6n + 4.
        widening: Factor by which the widths 16, 32, 64 are multiplied.
        num_classes: Number of logits.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute each block's activations in the backward pass.
    """

    depth: int
    widening: int
    num_classes: int = 10
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""
        blocks, rest = divmod(self.depth - 4, 6)
        if rest:
            raise ValueError(f"depth must be 6n + 4 (16, 28, 40), not {self.depth}")
        block = PreActivationBlock
        block = nn.remat(block, static_argnums=(2,)) if self.remat else block
        stem = width_of(self, "conv1", 16)
        x = Conv(stem, 3, dtype=self.dtype, name="conv1")(x.astype(self.dtype))
        before = 16  # channels, if no layer is narrowed
        for stage, base in enumerate((16, 32, 64), start=1):
            for index in range(blocks):
                width = base * self.widening
                x = block(
                    width,
                    2 if stage > 1 and index == 0 else 1,
                    (stage - 1) * blocks + index + 1,
                    width != before,
                    self.narrowed,
                    self.dtype,
                    name=f"block{stage}.layer.{index}",
                )(x, train)
                before = width
            x = tap(self, f"stage{stage}", x)
        x = nn.relu(BatchNorm(dtype=self.dtype, name="bn1")(x, train))
        x = tap(self, "pooled", global_average(x))
        return nn.Dense(self.num_classes, name="fc")(x)
