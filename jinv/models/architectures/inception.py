"""Inception-v3, in torchvision's layout and in the variant that FID is defined with.

Every unit's output has the unit's name in the state dict ("Mixed_6e"); `stageK` is what
is read before each halving of the resolution, and the last unit's output.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

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
from jinv.models.operations.pooling import average_pool, global_average, max_pool
from jinv.models.operations.taps import tap

Size = int | tuple[int, int]
Pool = Callable[[jax.Array], jax.Array]


class InceptionV3(nn.Module):
    """Inception-v3 (Szegedy et al. 2016) without its auxiliary classifier.

    Attributes:
        num_classes: Number of logits.
        fid: Whether it is the network of the original Fréchet distance (Heusel et al.
            2017): averages leave padding out, and the last unit pools by maximum.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters and statistics are float32.
        remat: Recompute each unit's activations in the backward pass.
    """

    num_classes: int = 1000
    fid: bool = False
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, 3), at least 75 px, to logits."""

        def conv(
            name: str,
            x: jax.Array,
            features: int,
            size: Size,
            stride: int = 1,
            padding: Padding = 0,
            parent: nn.Module = self,
        ) -> jax.Array:
            layer = _Unit(
                features,
                size,
                stride,
                padding,
                self.narrowed,
                self.dtype,
                name=name,
                parent=parent,
            )
            return layer(x, train)

        def mixed(name: str, x: jax.Array, unit: Callable, *sizes) -> jax.Array:
            def run(module, x):
                def branch(
                    part: str,
                    x: jax.Array,
                    features: int,
                    size: Size,
                    stride: int = 1,
                    padding: Padding = "half",
                ):
                    return conv(
                        f"{name}.{part}", x, features, size, stride, padding, module
                    )

                return jnp.concatenate(unit(branch, x, *sizes), -1)

            run = nn.remat(run) if self.remat else run
            return tap(self, name, run(self, x))

        average: Pool = partial(
            average_pool, size=3, stride=1, padding=1, count_padding=not self.fid
        )
        largest: Pool = partial(max_pool, size=3, stride=1, padding=1)
        x = conv("Conv2d_1a_3x3", x.astype(self.dtype), 32, 3, 2)
        x = conv("Conv2d_2a_3x3", x, 32, 3)
        x = tap(self, "stage1", conv("Conv2d_2b_3x3", x, 64, 3, padding=1))
        x = max_pool(x, 3, 2)
        x = conv("Conv2d_3b_1x1", x, 80, 1)
        x = tap(self, "stage2", conv("Conv2d_4a_3x3", x, 192, 3))
        x = max_pool(x, 3, 2)
        for name, pooled in (("5b", 32), ("5c", 64), ("5d", 64)):
            x = mixed(f"Mixed_{name}", x, _unit_a, average, pooled)
        x = mixed("Mixed_6a", tap(self, "stage3", x), _unit_b)
        for name, inner in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            x = mixed(f"Mixed_{name}", x, _unit_c, average, inner)
        x = mixed("Mixed_7a", tap(self, "stage4", x), _unit_d)
        x = mixed("Mixed_7b", x, _unit_e, average)
        x = mixed("Mixed_7c", x, _unit_e, largest if self.fid else average)
        x = tap(self, "pooled", global_average(tap(self, "stage5", x)))
        return nn.Dense(self.num_classes, name="fc")(x)


class _Unit(nn.Module):
    """Convolution, BatchNorm, ReLU."""

    features: int
    size: Size
    stride: int
    padding: Padding
    narrowed: Mapping[str, int]
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        conv = Conv(
            width_of(self, "conv", self.features),
            self.size,
            self.stride,
            self.padding,
            dtype=self.dtype,
            name="conv",
        )
        return nn.relu(BatchNorm(1e-3, dtype=self.dtype, name="bn")(conv(x), train))


# The five kinds of unit (Szegedy et al. 2016, figures 5 to 7 and 10): each returns the
# branches whose channels are put side by side.


def _unit_a(branch: Callable, x: jax.Array, pool: Pool, pooled: int):
    narrow = branch("branch5x5_1", x, 48, 1)
    double = branch("branch3x3dbl_1", x, 64, 1)
    double = branch("branch3x3dbl_2", double, 96, 3)
    return (
        branch("branch1x1", x, 64, 1),
        branch("branch5x5_2", narrow, 64, 5),
        branch("branch3x3dbl_3", double, 96, 3),
        branch("branch_pool", pool(x), pooled, 1),
    )


def _unit_b(branch: Callable, x: jax.Array):
    double = branch("branch3x3dbl_1", x, 64, 1)
    double = branch("branch3x3dbl_2", double, 96, 3)
    return (
        branch("branch3x3", x, 384, 3, 2, 0),
        branch("branch3x3dbl_3", double, 96, 3, 2, 0),
        max_pool(x, 3, 2),
    )


def _unit_c(branch: Callable, x: jax.Array, pool: Pool, inner: int):
    single = branch("branch7x7_1", x, inner, 1)
    single = branch("branch7x7_2", single, inner, (1, 7))
    double = branch("branch7x7dbl_1", x, inner, 1)
    double = branch("branch7x7dbl_2", double, inner, (7, 1))
    double = branch("branch7x7dbl_3", double, inner, (1, 7))
    double = branch("branch7x7dbl_4", double, inner, (7, 1))
    return (
        branch("branch1x1", x, 192, 1),
        branch("branch7x7_3", single, 192, (7, 1)),
        branch("branch7x7dbl_5", double, 192, (1, 7)),
        branch("branch_pool", pool(x), 192, 1),
    )


def _unit_d(branch: Callable, x: jax.Array):
    long = branch("branch7x7x3_1", x, 192, 1)
    long = branch("branch7x7x3_2", long, 192, (1, 7))
    long = branch("branch7x7x3_3", long, 192, (7, 1))
    return (
        branch("branch3x3_2", branch("branch3x3_1", x, 192, 1), 320, 3, 2, 0),
        branch("branch7x7x3_4", long, 192, 3, 2, 0),
        max_pool(x, 3, 2),
    )


def _unit_e(branch: Callable, x: jax.Array, pool: Pool):
    single = branch("branch3x3_1", x, 384, 1)
    double = branch("branch3x3dbl_1", x, 448, 1)
    double = branch("branch3x3dbl_2", double, 384, 3)
    return (
        branch("branch1x1", x, 320, 1),
        branch("branch3x3_2a", single, 384, (1, 3)),
        branch("branch3x3_2b", single, 384, (3, 1)),
        branch("branch3x3dbl_3a", double, 384, (1, 3)),
        branch("branch3x3dbl_3b", double, 384, (3, 1)),
        branch("branch_pool", pool(x), 192, 1),
    )
