"""The network by which NaturalInversion adds a classifier's features to an image."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.errors import ConfigError
from jinv.models.operations.layers import PYTORCH, Conv
from jinv.models.operations.upsampling import upsample


class FeaturePyramid(nn.Module):
    """The Feature Transfer Pyramid (Kim et al. 2022, section 3.2, equation 7).

    From the deepest stage n up, with 1×1 and 3×3 convolutions W1 and W3:

        m = W1(Up f_n)
        m = W1(Up W3(f_i + m))   for i = n - 1, …, 2
        m = W1(W3(f_1 + m))

    and then `tanh(W1(generated + m))`, as the published code has it. Up repeats by
    nearest neighbour to the next shallower stage's resolution, at last to the image's.
    W3 keeps the channels of its stage, W1 makes those of the next shallower one, at
    last the image's. One stage alone is W1(W3(f_1)).

    All convolutions have biases; nothing is normalised, and tanh is the only
    non-linearity.

    Attributes:
        dtype: Type of activations; parameters and the output are float32.
        kernel_init: Initialiser of all kernels, by default PyTorch's own, as published:
            larger ones saturate the tanh. Biases start at 0.
    """

    dtype: Any = jnp.float32
    kernel_init: nn.initializers.Initializer = PYTORCH

    @nn.compact
    def __call__(
        self, generated: jax.Array, features: Sequence[jax.Array]
    ) -> jax.Array:
        """Refine a generator's images.

        Args:
            generated: Images (batch, height, width, colours), unbounded.
            features: Outputs of the classifier's stages on these images, the
                shallowest first, each (batch, height', width', channels) with sizes of
                its own.

        Returns:
            Images (batch, height, width, colours) in (-1, 1).

        Raises:
            ConfigError: There are no features.
        """
        if not features:
            raise ConfigError(
                "a feature pyramid reads one stage of the classifier or more, not none"
            )
        features = [f.astype(self.dtype) for f in features]
        generated = generated.astype(self.dtype)
        targets = [generated, *features]
        count = len(features)
        message = features[-1]
        for number in range(count, 0, -1):
            channels, target = features[number - 1].shape[-1], targets[number - 1]
            if number < count:
                message = features[number - 1] + message
            if number < count or count == 1:
                message = self._conv(f"mix{number}", message, channels, 3)
            # A 1×1 convolution and Up commute: before it there are fewer pixels.
            message = self._conv(f"pass{number}", message, target.shape[-1], 1)
            message = upsample(message, *target.shape[1:3])
        image = self._conv("colours", generated + message, generated.shape[-1], 1)
        return nn.tanh(image.astype(jnp.float32))

    def _conv(self, name: str, x: jax.Array, features: int, size: int) -> jax.Array:
        return Conv(
            features,
            size,
            use_bias=True,
            dtype=self.dtype,
            kernel_init=self.kernel_init,
            name=name,
        )(x)
