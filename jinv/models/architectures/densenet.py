"""Densely connected networks, in torchvision's layout.

`stageK` is the output of the K-th dense block (that of the last one normalised and
activated), `resK` the channels that the K-th layer adds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import NOT_NARROWED, BatchNorm, Conv, width_of
from jinv.models.operations.pooling import average_pool, global_average, max_pool
from jinv.models.operations.taps import tap


class DenseNet(nn.Module):
    """A DenseNet with bottlenecks and compression (Huang et al. 2017).

    Attributes:
        block_sizes: Numbers of layers in each dense block.
        growth: Number of channels that each layer adds.
        stem: Number of channels of the first convolution.
        num_classes: Number of logits.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute each layer's activations in the backward pass: the paper's
            memory grows with the square of depth.
    """

    block_sizes: Sequence[int] = (6, 12, 24, 16)
    growth: int = 32
    stem: int = 64
    num_classes: int = 1000
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""

        def activate(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
            norm = BatchNorm(dtype=self.dtype, name=name, parent=module)
            return nn.relu(norm(x, train))

        def conv(module, name: str, x, features: int, size: int, stride: int = 1):
            width = width_of(module, name, features)
            layer = Conv(
                width, size, stride, dtype=self.dtype, name=name, parent=module
            )
            return layer(x)

        x = conv(self, "features.conv0", x.astype(self.dtype), self.stem, 7, 2)
        x = max_pool(activate(self, "features.norm0", x), 3, 2, 1)
        number, width = 0, self.stem  # channels, if no layer is narrowed
        for block, size in enumerate(self.block_sizes, start=1):
            for index in range(1, size + 1):
                name = f"features.denseblock{block}.denselayer{index}"

                def layer(module, x, name=name):
                    y = activate(module, f"{name}.norm1", x)
                    y = conv(module, f"{name}.conv1", y, 4 * self.growth, 1)
                    y = activate(module, f"{name}.norm2", y)
                    return conv(module, f"{name}.conv2", y, self.growth, 3)

                number += 1
                y = (nn.remat(layer) if self.remat else layer)(self, x)
                x = jnp.concatenate([x, tap(self, f"res{number}", y)], -1)
            width += size * self.growth
            if block < len(self.block_sizes):
                width //= 2
                x = tap(self, f"stage{block}", x)
                name = f"features.transition{block}"
                x = activate(self, f"{name}.norm", x)
                x = conv(self, f"{name}.conv", x, width, 1)
                x = average_pool(x, 2, 2)
        x = activate(self, "features.norm5", x)
        x = tap(self, f"stage{len(self.block_sizes)}", x)
        x = tap(self, "pooled", global_average(x))
        return nn.Dense(self.num_classes, name="classifier")(x)
