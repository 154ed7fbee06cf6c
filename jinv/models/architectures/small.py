"""The small networks of the lottery-ticket literature, which have no BatchNorm.

Conv-2 to Conv-8 and LeNet-300-100 (Frankle & Carbin 2019, figure 2), without biases as
in Zhou et al. 2019 and Ramanujan et al. 2020. Keys in state dicts are those of the
latter's checkpoints, whose dense layers are 1×1 convolutions.

Features: `conv2_1` (before ReLU), `stageK` (what enters the K-th pool), `poolK`, and
`fc1` … `fc3` (before ReLU; the last are the logits).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import KAIMING_IN, NOT_NARROWED, Conv, width_of
from jinv.models.operations.pooling import adaptive_average, max_pool
from jinv.models.operations.taps import tap

CONV_WIDTHS = (64, 128, 256, 512)
"""Channels of Conv-8's stages; shallower networks lack the last ones."""


class SmallNet(nn.Module):
    """Pairs of 3×3 convolutions, each closed by a 2×2 max-pool; then dense layers.

    Attributes:
        widths: Numbers of channels of each pair; none for dense layers alone.
        num_classes: Number of logits.
        hidden: Numbers of units of each hidden dense layer.
        input_size: Height and width that the dense layers are made for, in pixels; of
            inputs of another size they see averages on as many positions.
        narrowed: Channels of layers that put out fewer, by their names.
        dtype: Type of activations; parameters are float32.
        remat: Accepted for uniformity; there is little to save.
    """

    widths: Sequence[int]
    num_classes: int = 10
    hidden: Sequence[int] = (256, 256)
    input_size: int = 32
    narrowed: Mapping[str, int] = NOT_NARROWED
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map inputs (batch, height, width, channels) to logits (batch, classes)."""
        x = x.astype(self.dtype)
        position = 0  # of the layer in the published sequence
        for stage, width in enumerate(self.widths, start=1):
            for index in (1, 2):
                layer = f"convs.{position}"
                conv = Conv(
                    width_of(self, layer, width),
                    3,
                    dtype=self.dtype,
                    kernel_init=KAIMING_IN,
                    name=layer,
                )
                x = nn.relu(tap(self, f"conv{stage}_{index}", conv(x)))
                position += 2
            x = tap(self, f"stage{stage}", x)
            x = tap(self, f"pool{stage}", max_pool(x, 2, 2))
            position += 1
        x = adaptive_average(x, self.input_size >> len(self.widths))
        # PyTorch flattens channels first, and so its weights expect it.
        x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)
        for number, units in enumerate(self.hidden, start=1):
            x = nn.relu(self._dense(number, x.astype(self.dtype), units))
        return self._dense(
            len(self.hidden) + 1, x.astype(jnp.float32), self.num_classes
        )

    def _dense(self, number: int, x: jax.Array, units: int) -> jax.Array:
        layer = f"linear.{2 * (number - 1)}"
        dense = nn.Dense(
            width_of(self, layer, units),
            use_bias=False,
            dtype=x.dtype,
            kernel_init=KAIMING_IN,
            name=layer,
        )
        return tap(self, f"fc{number}", dense(x))
