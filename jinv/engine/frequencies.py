"""Updates weighted by spatial frequency."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


def scale_by_frequency(power: float) -> optax.GradientTransformation:
    """Weight every spatial frequency f of an update by 1 / f^power.

    Pixels that are updated each on their own collect high frequencies, which fool a
    classifier cheaply; in photographs amplitude falls as 1 / f. Optimising Fourier
    coefficients scaled by 1 / f (Olah et al. 2017, "Feature Visualization", with what
    they call `decay_power`) has the same preference; as a transformation of updates it
    leaves the pixels as parameters, to be clipped and cut.

    The zero frequency counts as one period per image. The weights have a root mean
    square of 1, which keeps the size of updates that are white noise.

    Args:
        power: 0 changes nothing; 1 is the slope of photographs.

    Returns:
        A transformation for trees of arrays (…, height, width, channels).
    """
    if power == 0:
        return optax.identity()

    def smooth(update: jax.Array) -> jax.Array:
        height, width = size = update.shape[-3:-1]
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
        frequency = np.maximum(np.hypot(rows, columns), 1 / max(size))
        weight = frequency**-power
        weight /= np.sqrt(np.mean(weight**2))
        half = jnp.asarray(weight[:, : width // 2 + 1, None], update.dtype)
        half = jnp.broadcast_to(half, (*update.shape[:-3], *half.shape[:2], 1))
        spectrum = jnp.fft.rfft2(update, axes=(-3, -2)) * half
        return jnp.fft.irfft2(spectrum, size, axes=(-3, -2)).astype(update.dtype)

    return optax.stateless(lambda updates, _: jax.tree.map(smooth, updates))
