"""Images parametrised by their waves, which are scaled by frequency."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jinv.images.noise import draw_normal

Parametrisation = Literal["pixels", "fourier"]
"""Whether parameters are an image's pixels or its waves."""

_COLOURS = np.array([[0.26, 0.27, 0.27], [0.09, 0.0, -0.09], [0.02, -0.05, 0.03]])
"""Red, green and blue of independent colours, by their spread in ImageNet (lucid)."""


@dataclass(frozen=True)
class Fourier:
    """Fourier coefficients of images of any height and width.

        image = sigmoid(gain · H(weight · coefficients) · colours)

    Olah et al. 2017, "Feature Visualization", as in their library lucid. The weight of
    a frequency of f periods per pixel is 1 / max(f, 1 / max(height, width))^decay.
    Coefficients are of three colours that are independent in photographs; grey images
    have one. Gradients by them prefer large shapes and common colours, as photographs
    do, where those by pixels prefer the finest patterns.

    H is the Hartley transform: of the Fourier transform, the real less the imaginary
    part. As many numbers as pixels, it is orthonormal, its own inverse at odd and even
    sizes, and no coefficient is without effect; two of them, at f and -f, stand for one
    complex number.

    Attributes:
        height: Height of the images, in pixels.
        width: Width of the images, in pixels.
        channels: 3, or 1 where grey.
        decay: Power of the frequency by which waves are divided; 1 as amplitudes fall
            in photographs, 0 for not at all.
        scale: Standard deviation of the initial coefficients.
        gain: Factor of the waves. The default is that of lucid, whose waves have a norm
            of √2 and are divided by 4, so that its `scale` and learning rate (0.05 by
            Adam) mean the same here.
        bounded: Whether a sigmoid brings values into [0, 1]: then all that is rendered
            are images that can be shown. Otherwise they are inputs in a classifier's
            normalised space, where 0 is the mean colour: what priors of feature
            inversion measure.

    Example:
        >>> fourier = Fourier(5, 8)
        >>> coefficients = fourier.init(jax.random.key(0), jnp.arange(2))
        >>> fourier.render(coefficients).shape
        (2, 5, 8, 3)
    """

    height: int
    width: int
    channels: int = 3
    decay: float = 1.0
    scale: float = 0.01
    gain: float = 2**-1.5
    bounded: bool = True

    def init(self, key: jax.Array, index: jax.Array) -> jax.Array:
        """Draw noise by images' numbers: (batch, height, width, channels)."""
        shape = (self.height, self.width, self.channels)
        return self.scale * draw_normal(key, index, shape)

    def render(self, coefficients: jax.Array) -> jax.Array:
        """Compose images of waves, or inputs where there are no bounds."""
        values = _hartley(coefficients * self._weights(coefficients.dtype))
        values = _mixed(values, self._colours)
        return jax.nn.sigmoid(values) if self.bounded else values

    def coefficients_of(self, images: jax.Array, least: float = 1e-5) -> jax.Array:
        """Find the coefficients of which `render` composes given images or inputs.

        Args:
            images: Images in [0, 1], or inputs where there are no bounds.
            least: Values of images are kept this far from 0 and 1, which a sigmoid does
                not reach, and where its slope is as small as this.

        Returns:
            Coefficients (batch, height, width, channels).
        """
        values = images
        if self.bounded:
            kept = jnp.clip(images, min=least, max=1 - least)
            values = jnp.log(kept) - jnp.log1p(-kept)
        values = _mixed(values, np.linalg.inv(self._colours))
        return _hartley(values) / self._weights(images.dtype)

    @property
    def _colours(self) -> np.ndarray:
        if self.channels == 1:
            return np.ones((1, 1))
        return _COLOURS / np.linalg.norm(_COLOURS, axis=1).max()

    def _weights(self, dtype) -> jax.Array:
        """Factors of the coefficients, (1, height, width, 1)."""
        rows, columns = np.fft.fftfreq(self.height), np.fft.fftfreq(self.width)
        frequency = np.hypot(rows[:, None], columns)
        frequency = np.maximum(frequency, 1 / max(self.height, self.width))
        weights = self.gain * frequency**-self.decay
        return jnp.asarray(weights[None, ..., None], dtype)


def _hartley(x: jax.Array) -> jax.Array:
    waves = jnp.fft.fft2(x, axes=(1, 2), norm="ortho")
    return waves.real - waves.imag


def _mixed(values: jax.Array, colours: np.ndarray) -> jax.Array:
    exact = jax.lax.Precision.HIGHEST
    return jnp.matmul(values, jnp.asarray(colours, values.dtype), precision=exact)
