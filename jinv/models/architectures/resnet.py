"""Residual networks, for ImageNet and for CIFAR, in PyTorch's layout.

Sub-modules carry the names that PyTorch's state dicts use ("layer1.0", "downsample.0"),
so that a parameter's path, joined by dots, *is* its key in such a file.

Features: `stageK` is the output of the K-th stage, `resK` that of the K-th block, and
`middleK` that of the first convolution in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import NOT_NARROWED, BatchNorm, Conv, width_of
from jinv.models.operations.pooling import global_average, max_pool
from jinv.models.operations.taps import tap

Shortcut = Literal["projection", "padding"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2016, figure 5 left).

    The shortcut is None where the block keeps the shape of what it reads.
    """

    expansion: ClassVar[int] = 1
    features: int
    stride: int = 1
    shortcut: Shortcut | None = "projection"
    widening: int = 1
    number: int = 1
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map (batch, height, width, channels) to (…, features)."""
        conv, norm = _layers(self, train)
        wide = self.features * self.widening
        y = tap(self, f"middle{self.number}", conv("conv1", x, wide, 3, self.stride))
        y = nn.relu(norm("bn1", y))
        y = norm("bn2", conv("conv2", y, self.features, 3))
        y = nn.relu(y + _shortcut(self, x, y.shape[-1], conv, norm))
        return tap(self, f"res{self.number}", y)


class Bottleneck(nn.Module):
    """1×1, 3×3 (strided) and 1×1 convolutions around a shortcut, as `BasicBlock`."""

    expansion: ClassVar[int] = 4
    features: int
    stride: int = 1
    shortcut: Shortcut | None = "projection"
    widening: int = 1
    number: int = 1
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map (batch, height, width, channels) to (…, 4 * features)."""
        conv, norm = _layers(self, train)
        inner, outer = self.features * self.widening, self.features * self.expansion
        y = tap(self, f"middle{self.number}", conv("conv1", x, inner, 1))
        y = nn.relu(norm("bn1", y))
        y = nn.relu(norm("bn2", conv("conv2", y, inner, 3, self.stride)))
        y = norm("bn3", conv("conv3", y, outer, 1))
        y = nn.relu(y + _shortcut(self, x, y.shape[-1], conv, norm))
        return tap(self, f"res{self.number}", y)


class ResNet(nn.Module):
    """A residual network (He et al. 2016).

    Attributes:
        stage_sizes: Numbers of blocks in each stage.
        widths: Features of each stage; a `Bottleneck` puts out four times as many.
        num_classes: Number of logits.
        block: Kind of block: `BasicBlock` or `Bottleneck`.
        widening: Factor by which the channels inside a block are multiplied, 2 in
            WRN-50-2 (Zagoruyko & Komodakis 2016).
        stem: "imagenet" (7×7 stride 2, max-pool) or "cifar" (3×3 stride 1).
        shortcut: "projection" (1×1 convolution and BatchNorm where shapes change, the
            paper's option B) or "padding" (subsampling and zero channels, option A).
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute each block's activations in the backward pass instead of
            keeping them: less memory, about a third more time.
    """

    stage_sizes: Sequence[int]
    widths: Sequence[int] = (64, 128, 256, 512)
    num_classes: int = 1000
    block: type[BasicBlock] | type[Bottleneck] = BasicBlock
    widening: int = 1
    stem: Literal["imagenet", "cifar"] = "imagenet"
    shortcut: Shortcut = "projection"
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""
        conv, norm = _layers(self, train)
        block = nn.remat(self.block, static_argnums=(2,)) if self.remat else self.block
        imagenet = self.stem == "imagenet"
        size, stride = (7, 2) if imagenet else (3, 1)
        x = conv("conv1", x.astype(self.dtype), self.widths[0], size, stride)
        x = nn.relu(norm("bn1", x))
        x = max_pool(x, 3, 2, 1) if imagenet else x
        number, before = 0, self.widths[0]  # channels, if no layer is narrowed
        stages = zip(self.stage_sizes, self.widths, strict=True)
        for stage, (size, width) in enumerate(stages, start=1):
            for index in range(size):
                number += 1
                stride = 2 if stage > 1 and index == 0 else 1
                after = width * self.block.expansion
                x = block(
                    width,
                    stride=stride,
                    shortcut=self.shortcut if stride > 1 or after != before else None,
                    widening=self.widening,
                    number=number,
                    narrowed=self.narrowed,
                    dtype=self.dtype,
                    name=f"layer{stage}.{index}",
                )(x, train)
                before = after
            x = tap(self, f"stage{stage}", x)
        x = tap(self, "pooled", global_average(x))
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")(x)


def cifar_resnet(depth: int, num_classes: int = 10, **kwargs: Any) -> ResNet:
    """The thin CIFAR ResNet of depth 6n + 2 (He et al. 2016, section 4.2)."""
    blocks, rest = divmod(depth - 2, 6)
    if rest:
        raise ValueError(f"depth must be 6n + 2 (8, 20, 32, 44, 56, 110), not {depth}")
    return ResNet(
        (blocks,) * 3,
        (16, 32, 64),
        num_classes,
        stem="cifar",
        shortcut="padding",
        **kwargs,
    )


def _layers(module: ResNet | BasicBlock | Bottleneck, train: bool):
    """Convolution and BatchNorm by name, for the module that is being defined."""

    def conv(name: str, x: jax.Array, features: int, size: int, stride: int = 1):
        width = width_of(module, name, features)
        return Conv(width, size, stride, dtype=module.dtype, name=name)(x)

    def norm(name: str, x: jax.Array) -> jax.Array:
        return BatchNorm(dtype=module.dtype, name=name)(x, train)

    return conv, norm


def _shortcut(
    block: BasicBlock | Bottleneck, x: jax.Array, features: int, conv: Any, norm: Any
) -> jax.Array:
    if block.shortcut is None:
        return x
    if block.shortcut == "projection":
        projected = conv("downsample.0", x, features, 1, block.stride)
        return norm("downsample.1", projected)
    missing = features - x.shape[-1]
    before = missing // 2
    x = x[:, :: block.stride, :: block.stride]
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (before, missing - before)))
