"""Images parametrised by their own pixels, at one of several resolutions."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jinv.images.noise import Noise, draw_normal, draw_uniform


@dataclass(frozen=True)
class Pixels:
    """Pixels in the classifier's normalised space.

    Attributes:
        size: Height and width of the image, in pixels.
        margin: Pixels around the image that views may show, but that are cut off in
            the end. They let a view be shifted without wrapping around.
        scale: Standard deviation of the initial noise.
        channels: Channels of the image.
        noise: Whether that noise is "normal" or "uniform".
    """

    size: int
    margin: int = 0
    scale: float = 1.0
    channels: int = 3
    noise: Noise = "normal"

    @property
    def canvas(self) -> int:
        """Height and width of the parameters, in pixels."""
        return self.size + 2 * self.margin

    def init(self, key: jax.Array, index: jax.Array) -> jax.Array:
        """Draw noise by images' numbers: (batch, canvas, canvas, channels)."""
        shape = (self.canvas, self.canvas, self.channels)
        draw = draw_normal if self.noise == "normal" else draw_uniform
        return self.scale * draw(key, index, shape)

    def upsample(self, pixels: jax.Array) -> jax.Array:
        """Bring parameters of another resolution to this one, by nearest neighbour."""
        shape = (pixels.shape[0], self.canvas, self.canvas, pixels.shape[3])
        return jax.image.resize(pixels, shape, "nearest")

    def inner(self, pixels: jax.Array) -> jax.Array:
        """Cut the images out of the canvas, without its margin."""
        stop = self.margin + self.size
        return pixels[:, self.margin : stop, self.margin : stop]


def clip(pixels: jax.Array, low: np.ndarray, high: np.ndarray) -> jax.Array:
    """Keep every channel within what an image can show."""
    low, high = (np.expand_dims(level, (0, 1, 2)) for level in (low, high))
    return jnp.clip(pixels, min=low, max=high)


def bound_norms(pixels: jax.Array, most: float | jax.Array) -> jax.Array:
    """Keep the norm of every pixel's colour within a bound, and its direction.

    x_ij ← x_ij min(1, B₊ / ‖x_ij‖) (Mahendran & Vedaldi 2016, "Visualizing Deep
    Convolutional Neural Networks Using Natural Pre-images").

    Args:
        pixels: Pixels whose mean colour is 0, (batch, height, width, channels).
        most: B₊, the largest norm.

    Example:
        >>> bound_norms(jnp.array([[[[3.0, 4.0], [0.0, 2.0]]]]), 2.5).tolist()
        [[[[1.5, 2.0], [0.0, 2.0]]]]
    """
    norms = jnp.sqrt(jnp.sum(jnp.square(pixels), -1, keepdims=True))
    return pixels * (most / jnp.maximum(norms, most))
