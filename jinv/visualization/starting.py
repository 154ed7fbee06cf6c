"""Images that start from noise or from photographs, at one of several sizes."""

import jax
import jax.numpy as jnp

from jinv.engine.phase import Context, Image, Split
from jinv.images.fourier import Fourier, Parametrisation
from jinv.images.noise import draw_normal
from jinv.inversion.request import START
from jinv.models.classifier import Classifier

_LEAST = 0.01
"""How far a photograph is kept from black and white, where a sigmoid hardly moves."""


def started_image(
    classifier: Classifier,
    size: tuple[int, int],
    parametrisation: Parametrisation,
    scale: float,
    decay: float = 1.0,
) -> Image:
    """Parametrise what is added to each image's start, of the same shape.

    With "fourier", coefficients of waves (`Fourier`) are added before the sigmoid; with
    "pixels", levels in [0, 1], and what no image can show is cut. Parameters of another
    size are resized.

    Args:
        classifier: Network whose inputs the images become.
        size: Height and width, in pixels.
        parametrisation: Whether parameters are of waves or of pixels.
        scale: Standard deviation of the parameters in the beginning.
        decay: Power of the frequency by which waves are divided.
    """
    channels = classifier.spec.channels

    def waves(size: tuple[int, ...]) -> Fourier:
        height, width = size
        return Fourier(height, width, channels, decay, bounded=False)

    def init(key: jax.Array, index: jax.Array) -> Split:
        return Split(scale * draw_normal(key, index, (*size, channels)))

    def start(context: Context) -> jax.Array:
        return _resized(context.asked[START], size)

    def of_waves(params: Split, context: Context) -> jax.Array:
        known = jnp.clip(start(context), min=_LEAST, max=1 - _LEAST)
        added = waves(size).render(params.own)
        image = jax.nn.sigmoid(jnp.log(known) - jnp.log1p(-known) + added)
        return classifier.normalise(image)

    def of_pixels(params: Split, context: Context) -> jax.Array:
        return classifier.normalise(_shown(start(context) + params.own))

    def carry_waves(params: Split) -> Split:
        before = jnp.asarray(params.own)
        values = _resized(waves(before.shape[1:3]).render(before), size)
        return Split(waves(size).coefficients_of(values))

    def carry_pixels(params: Split) -> Split:
        return Split(_resized(jnp.asarray(params.own), size))

    render = of_waves if parametrisation == "fourier" else of_pixels
    carry = carry_waves if parametrisation == "fourier" else carry_pixels
    return Image(init, render, render, carry, asks=(START,))


def octave_sizes(
    size: tuple[int, int], octaves: int, factor: float
) -> list[tuple[int, int]]:
    """List heights and widths that grow by a factor, up to those of the image.

    Example:
        >>> octave_sizes((100, 200), 3, 1.4)
        [(51, 102), (71, 143), (100, 200)]
    """
    shares = [factor**-number for number in reversed(range(octaves))]
    height, width = size
    return [(round(height * share), round(width * share)) for share in shares]


def _resized(values: jax.Array, size: tuple[int, int]) -> jax.Array:
    if values.shape[1:3] == size:
        return values
    shape = (values.shape[0], *size, values.shape[3])
    return jax.image.resize(values, shape, "linear")


def _shown(images: jax.Array) -> jax.Array:
    """What can be shown of images; gradients go through, so that all can come back."""
    return images + jax.lax.stop_gradient(jnp.clip(images, min=0, max=1) - images)
