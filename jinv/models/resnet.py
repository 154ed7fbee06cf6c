"""Residual networks, for ImageNet and for CIFAR, in PyTorch's layout.

Sub-modules carry the names that PyTorch's state dicts use ("layer1.0", "downsample.0"),
so that a parameter's path, joined by dots, *is* its key in such a file.
"""

from collections.abc import Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.layers import BatchNorm, Conv

Shortcut = Literal["projection", "padding"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2016, figure 5 left)."""

    features: int
    stride: int = 1
    shortcut: Shortcut = "projection"
    dtype: Any = jnp.float32

    expansion = 1

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map (batch, height, width, channels) to (…, features)."""
        norm = _norm(self.dtype, train)
        y = Conv(self.features, 3, self.stride, self.dtype, name="conv1")(x)
        y = nn.relu(norm("bn1", y))
        y = Conv(self.features, 3, dtype=self.dtype, name="conv2")(y)
        y = norm("bn2", y)
        return nn.relu(y + _shortcut(self, x, self.features, norm))


class Bottleneck(nn.Module):
    """1×1, 3×3 (strided) and 1×1 convolutions around a shortcut."""

    features: int
    stride: int = 1
    shortcut: Shortcut = "projection"
    dtype: Any = jnp.float32

    expansion = 4

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map (batch, height, width, channels) to (…, 4 * features)."""
        norm = _norm(self.dtype, train)
        wide = self.features * self.expansion
        y = Conv(self.features, 1, dtype=self.dtype, name="conv1")(x)
        y = nn.relu(norm("bn1", y))
        y = Conv(self.features, 3, self.stride, self.dtype, name="conv2")(y)
        y = nn.relu(norm("bn2", y))
        y = norm("bn3", Conv(wide, 1, dtype=self.dtype, name="conv3")(y))
        return nn.relu(y + _shortcut(self, x, wide, norm))


class ResNet(nn.Module):
    """A residual network (He et al. 2016).

    Attributes:
        stage_sizes: Blocks in each stage.
        widths: Features of each stage, before the block's expansion.
        num_classes: Logits.
        block: `BasicBlock` or `Bottleneck`.
        stem: "imagenet" (7×7 stride 2, max-pool) or "cifar" (3×3 stride 1).
        shortcut: "projection" (1×1 convolution and BatchNorm where shapes change, the
            paper's option B) or "padding" (subsampling and zero channels, option A).
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute each block's activations in the backward pass instead of
            keeping them: less memory, about a third more time.
    """

    stage_sizes: Sequence[int]
    widths: Sequence[int] = (64, 128, 256, 512)
    num_classes: int = 1000
    block: type[BasicBlock] | type[Bottleneck] = BasicBlock
    stem: Literal["imagenet", "cifar"] = "imagenet"
    shortcut: Shortcut = "projection"
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""
        norm = _norm(self.dtype, train)
        block = nn.remat(self.block, static_argnums=(2,)) if self.remat else self.block
        x = x.astype(self.dtype)
        size, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        x = Conv(self.widths[0], size, stride, self.dtype, name="conv1")(x)
        x = nn.relu(norm("bn1", x))
        if self.stem == "imagenet":
            padding: Any = ((1, 1), (1, 1))
            x = nn.max_pool(x, (3, 3), (2, 2), padding)
        stages = zip(self.stage_sizes, self.widths, strict=True)
        for stage, (size, width) in enumerate(stages, start=1):
            for index in range(size):
                x = block(
                    width,
                    stride=2 if stage > 1 and index == 0 else 1,
                    shortcut=self.shortcut,
                    dtype=self.dtype,
                    name=f"layer{stage}.{index}",
                )(x, train)
        x = jnp.mean(x.astype(jnp.float32), (1, 2))
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")(x)


def cifar_resnet(depth: int, num_classes: int = 10, **kwargs: Any) -> ResNet:
    """The thin CIFAR ResNet of depth 6n + 2 (He et al. 2016, section 4.2)."""
    blocks, rest = divmod(depth - 2, 6)
    if rest:
        raise ValueError(f"depth must be 6n + 2 (20, 32, 44, 56, 110), not {depth}")
    return ResNet(
        (blocks,) * 3,
        (16, 32, 64),
        num_classes,
        stem="cifar",
        shortcut="padding",
        **kwargs,
    )


def _norm(dtype: Any, train: bool):
    def norm(name: str, x: jax.Array) -> jax.Array:
        return BatchNorm(dtype=dtype, name=name)(x, train)

    return norm


def _shortcut(
    block: BasicBlock | Bottleneck, x: jax.Array, features: int, norm: Any
) -> jax.Array:
    missing = features - x.shape[-1]
    if block.stride == 1 and missing == 0:
        return x
    if block.shortcut == "projection":
        x = Conv(features, 1, block.stride, block.dtype, name="downsample.0")(x)
        return norm("downsample.1", x)
    before = missing // 2
    x = x[:, :: block.stride, :: block.stride]
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (before, missing - before)))
