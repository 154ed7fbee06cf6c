"""Networks of inverted residual blocks: MobileNetV2 and EfficientNet-lite.

Both are stacks of the same block; they differ in sizes, in padding, and in what the
published state dicts call the layers (`Layout`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import (
    NOT_NARROWED,
    BatchNorm,
    Conv,
    Padding,
    width_of,
)
from jinv.models.operations.pooling import global_average
from jinv.models.operations.taps import tap

Pair = tuple[str, str]
"""Names of a convolution and of its BatchNorm."""


class Stack(NamedTuple):
    """Blocks of one width; the first of them takes the stride."""

    expansion: int
    features: int
    blocks: int
    stride: int
    size: int = 3


class Layout(NamedTuple):
    """Names that a state dict has for a network's layers.

    Attributes:
        stem: Name of the first convolution.
        block: Name of block n, counted from 0.
        expand: Name of the widening 1×1 convolution in a block.
        inner: Names of the depthwise and of the last 1×1 convolution in a block, from
            whether it widens.
        head: Names of the last convolution, from the number of blocks.
        logits: Name of the dense layer.
    """

    stem: Pair
    block: Callable[[int], str]
    expand: Pair
    inner: Callable[[bool], tuple[Pair, Pair]]
    head: Callable[[int], Pair]
    logits: str


TORCHVISION = Layout(
    stem=("features.0.0", "features.0.1"),
    block=lambda n: f"features.{n + 1}.conv",
    expand=("0.0", "0.1"),
    inner=lambda widens: (
        (("1.0", "1.1"), ("2", "3")) if widens else (("0.0", "0.1"), ("1", "2"))
    ),
    head=lambda blocks: (f"features.{blocks + 1}.0", f"features.{blocks + 1}.1"),
    logits="classifier.1",
)

EFFICIENTNET = Layout(
    stem=("_conv_stem", "_bn0"),
    block=lambda n: f"_blocks.{n}",
    expand=("_expand_conv", "_bn0"),
    inner=lambda _: (("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")),
    head=lambda _: ("_conv_head", "_bn1"),
    logits="_fc",
)


class InvertedResidual(nn.Module):
    """Widen by 1×1, convolve depthwise, narrow by 1×1 (Sandler et al. 2018, figure 3).

    The input is added where the block keeps its shape.

    Attributes:
        expansion: Factor by which channels are widened.
        before: Channels of the input, if no layer is narrowed.
        features: Channels of the output, likewise.
        stride: Stride of the depthwise convolution.
        size: Height and width of its kernel, in pixels.
        padding: Padding of it; see `Conv`.
        epsilon: Constant of the BatchNorm layers.
        layout: Names of the layers.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations.
    """

    expansion: int
    before: int
    features: int
    stride: int
    size: int
    padding: Padding
    epsilon: float
    layout: Layout
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map (batch, height, width, channels) to (…, features)."""
        conv, depthwise = _units(self, self.padding, self.epsilon, train)
        widens = self.expansion > 1
        middle, project = self.layout.inner(widens)
        y = x
        if widens:
            wide = self.expansion * self.before
            y = nn.relu6(conv(self.layout.expand, y, wide, 1))
        y = nn.relu6(depthwise(middle, y, self.size, self.stride))
        y = conv(project, y, self.features, 1)
        return x + y if self.stride == 1 and self.before == self.features else y


class MobileNet(nn.Module):
    """A stem, stacks of inverted residual blocks, a 1×1 head, global average, logits.

    `stageK` is what the next strided block reads, and the head's output; `resK` the
    output of block K.

    Attributes:
        stacks: Stacks of blocks.
        layout: Names of the layers.
        stem: Number of channels of the first convolution.
        stem_stride: Stride of the first convolution.
        head: Number of channels of the last convolution.
        num_classes: Number of logits.
        padding: Padding of all convolutions; see `Conv`.
        epsilon: Constant of all BatchNorm layers, added to the variance.
        narrowed: Channels of layers that put out fewer, by their names; depthwise
            convolutions put out as many as they read.
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute each block's activations in the backward pass.
    """

    stacks: Sequence[Stack]
    layout: Layout
    stem: int = 32
    stem_stride: int = 2
    head: int = 1280
    num_classes: int = 1000
    padding: Padding = "half"
    epsilon: float = 1e-5
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3) to logits (batch, classes)."""
        conv, _ = _units(self, self.padding, self.epsilon, train)
        block = InvertedResidual
        block = nn.remat(block, static_argnums=(2,)) if self.remat else block
        x = x.astype(self.dtype)
        x = nn.relu6(conv(self.layout.stem, x, self.stem, 3, self.stem_stride))
        number = stage = 0
        before = self.stem  # channels, if no layer is narrowed
        for stack in self.stacks:
            for index in range(stack.blocks):
                stride = stack.stride if index == 0 else 1
                if stride > 1:
                    stage += 1
                    tap(self, f"stage{stage}", x)
                x = block(
                    stack.expansion,
                    before,
                    stack.features,
                    stride,
                    stack.size,
                    self.padding,
                    self.epsilon,
                    self.layout,
                    self.narrowed,
                    self.dtype,
                    name=self.layout.block(number),
                )(x, train)
                before = stack.features
                number += 1
                tap(self, f"res{number}", x)
        x = nn.relu6(conv(self.layout.head(number), x, self.head, 1))
        x = tap(self, f"stage{stage + 1}", x)
        x = tap(self, "pooled", global_average(x))
        return nn.Dense(self.num_classes, name=self.layout.logits)(x)


def mobilenet_v2(cifar: bool = False, **kwargs: Any) -> MobileNet:
    """MobileNetV2 of width 1 (Sandler et al. 2018, table 2).

    Args:
        cifar: Whether the first two strides are left out, for 32×32 inputs.
        **kwargs: Options `num_classes`, `dtype`, `remat`.
    """
    stacks = (
        Stack(1, 16, 1, 1),
        Stack(6, 24, 2, 1 if cifar else 2),
        Stack(6, 32, 3, 2),
        Stack(6, 64, 4, 2),
        Stack(6, 96, 3, 1),
        Stack(6, 160, 3, 2),
        Stack(6, 320, 1, 1),
    )
    stride = 1 if cifar else 2
    return MobileNet(stacks, TORCHVISION, stem_stride=stride, **kwargs)


def efficientnet_lite(width: float, depth: float, **kwargs: Any) -> MobileNet:
    """EfficientNet-lite: no squeeze-and-excitation, ReLU6, fixed stem and head.

    Tan & Le 2019, as changed by its authors for mobile processors in 2020.

    Args:
        width: Factor by which channels are multiplied, rounded to multiples of 8.
        depth: Factor by which blocks are multiplied, rounded up; not in outer stacks.
        **kwargs: Options `num_classes`, `dtype`, `remat`.
    """
    plain = (
        Stack(1, 16, 1, 1),
        Stack(6, 24, 2, 2),
        Stack(6, 40, 2, 2, 5),
        Stack(6, 80, 3, 2),
        Stack(6, 112, 3, 1, 5),
        Stack(6, 192, 4, 2, 5),
        Stack(6, 320, 1, 1),
    )
    stacks = tuple(
        stack._replace(
            features=_round_channels(width * stack.features),
            blocks=stack.blocks
            if stack in (plain[0], plain[-1])
            else math.ceil(depth * stack.blocks),
        )
        for stack in plain
    )
    return MobileNet(stacks, EFFICIENTNET, padding="same", epsilon=1e-3, **kwargs)


def _round_channels(wanted: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth too small."""
    near = max(8, int(wanted + 4) // 8 * 8)
    return near if near >= 0.9 * wanted else near + 8


def _units(
    module: MobileNet | InvertedResidual, padding: Padding, epsilon: float, train: bool
):
    """Convolutions with their BatchNorm, plain and depthwise, by their names."""

    def unit(names: Pair, x: jax.Array, *shape: Any) -> jax.Array:
        x = Conv(*shape, dtype=module.dtype, name=names[0])(x)
        return BatchNorm(epsilon, dtype=module.dtype, name=names[1])(x, train)

    def conv(names: Pair, x: jax.Array, features: int, size: int, stride: int = 1):
        width = width_of(module, names[0], features)
        return unit(names, x, width, size, stride, padding)

    def depthwise(names: Pair, x: jax.Array, size: int, stride: int):
        width = x.shape[-1]
        return unit(names, x, width, size, stride, padding, width)

    return conv, depthwise
