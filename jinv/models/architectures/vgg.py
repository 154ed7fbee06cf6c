"""VGG networks and AlexNet: plain chains of convolutions, in torchvision's layout.

Layers are named as in the papers: `conv3_1` (before BatchNorm and ReLU), `relu3_1`
(after them), `pool3`, `fc6` … `fc8` (before ReLU); `stageK` is what enters `poolK`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import NOT_NARROWED, BatchNorm, Conv, width_of
from jinv.models.operations.pooling import adaptive_average, global_average, max_pool
from jinv.models.operations.taps import tap

Head = Literal["imagenet", "linear", "none"]

VGG_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions in each stage, by depth (Simonyan & Zisserman 2015, table 1)."""


class VGG(nn.Module):
    """Stages of 3×3 convolutions, each closed by a 2×2 max-pool.

    Attributes:
        stage_sizes: Numbers of convolutions in each stage; see `VGG_STAGES`.
        widths: Numbers of channels of each stage.
        num_classes: Number of logits.
        batch_norm: Whether to normalise after each convolution.
        head: "imagenet" (three dense layers over 7×7 positions), "linear" (one dense
            layer, as on CIFAR), or "none": the logits are the last channels' means.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute activations between pools in the backward pass.
    """

    stage_sizes: Sequence[int]
    widths: Sequence[int] = (64, 128, 256, 512, 512)
    num_classes: int = 1000
    batch_norm: bool = True
    head: Head = "imagenet"
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""
        x = x.astype(self.dtype)
        position = 0  # of the layer in torchvision's sequence
        sizes = zip(self.stage_sizes, self.widths, strict=True)
        for number, (size, width) in enumerate(sizes, start=1):

            def stage(module, x, number=number, size=size, width=width, at=position):
                for index in range(1, size + 1):
                    name = f"conv{number}_{index}"
                    x = module._convolve(x, name, at, width, train)
                    at += 3 if self.batch_norm else 2
                return x

            x = (nn.remat(stage) if self.remat else stage)(self, x)
            x = tap(self, f"stage{number}", x)
            x = tap(self, f"pool{number}", max_pool(x, 2, 2))
            position += size * (3 if self.batch_norm else 2) + 1
        if self.head == "imagenet":
            # In training each of the two hidden layers is followed by dropout.
            return _dense_head(self, adaptive_average(x, 7), (0, 3, 6))
        x = global_average(x)
        if self.head == "none":
            return x
        return nn.Dense(self.num_classes, name="classifier")(x)

    def _convolve(self, x, name: str, position: int, width: int, train: bool):
        layer = f"features.{position}"
        width = width_of(self, layer, width)
        x = Conv(width, 3, use_bias=True, dtype=self.dtype, name=layer)(x)
        x = tap(self, name, x)
        if self.batch_norm:
            layer = f"features.{position + 1}"
            x = BatchNorm(dtype=self.dtype, name=layer)(x, train)
        return tap(self, name.replace("conv", "relu"), nn.relu(x))


class AlexNet(nn.Module):
    """Five convolutions (Krizhevsky 2014, as in torchvision).

    Attributes:
        num_classes: Number of logits.
        head: "imagenet" (three dense layers over 6×6 positions), or "none": the logits
            are the last channels' means.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters are float32.
        remat: Accepted for uniformity; there is little to save.
    """

    num_classes: int = 1000
    head: Head = "imagenet"
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""

        def conv(number, x, features, size, position, **geometry):
            layer = f"features.{position}"
            layer = Conv(
                width_of(self, layer, features),
                size,
                **geometry,
                use_bias=True,
                dtype=self.dtype,
                name=layer,
            )
            x = tap(self, f"conv{number}", layer(x))
            return tap(self, f"relu{number}", nn.relu(x))

        x = x.astype(self.dtype)
        x = tap(self, "stage1", conv(1, x, 64, 11, 0, stride=4, padding=2))
        x = tap(self, "pool1", max_pool(x, 3, 2))
        x = tap(self, "stage2", conv(2, x, 192, 5, 3))
        x = tap(self, "pool2", max_pool(x, 3, 2))
        x = conv(3, x, 384, 3, 6)
        x = conv(4, x, 256, 3, 8)
        x = tap(self, "stage3", conv(5, x, 256, 3, 10))
        x = tap(self, "pool5", max_pool(x, 3, 2))
        if self.head == "none":
            return global_average(x)
        return _dense_head(self, adaptive_average(x, 6), (1, 4, 6))


def _dense_head(
    module: VGG | AlexNet, x: jax.Array, positions: tuple[int, int, int]
) -> jax.Array:
    """The two hidden dense layers and the logits, `fc6` to `fc8`."""
    # PyTorch flattens channels first, and so its weights expect it.
    x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)
    for number, position in zip((6, 7), positions, strict=False):
        layer = f"classifier.{position}"
        dense = nn.Dense(width_of(module, layer, 4096), dtype=module.dtype, name=layer)
        x = nn.relu(tap(module, f"fc{number}", dense(x)))
    logits = nn.Dense(module.num_classes, name=f"classifier.{positions[2]}")
    return tap(module, "fc8", logits(x.astype(jnp.float32)))
