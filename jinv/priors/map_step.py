"""Denoising by a prior: the likeliest image, given a noisy one (MAP)."""

import jax
import jax.numpy as jnp

from jinv.priors.energy import Variables, score
from jinv.priors.form import Form


def map_step(
    form: Form,
    variables: Variables,
    image: jax.Array,
    noisy: jax.Array,
    weight: jax.Array | float,
    rate: jax.Array | float,
) -> jax.Array:
    """Make one step of gradient descent towards the likeliest image.

    x <- x - rate (x - y - weight psi(x))

    the gradient of ½ |x - y|² + weight E(x), with E = -sum over patches of the log
    density, and psi = -dE/dx its `score`. For a prior that were exact, and noise of
    deviation sigma, the weight would be sigma²; patches overlap, and a smaller one is
    better. Images are mirrored at their borders, so that there are as many patches as
    pixels. Roth & Black 2009, "Fields of Experts", section 5.1.

    Args:
        form: Form of a prior of images; static.
        variables: Arrays of the prior.
        image: Images x as they are so far, (batch, height, width, channels).
        noisy: Noisy images y, of the same shape.
        weight: Weight of the prior, in squared units of the image.
        rate: Rate of the step; 1 makes the noisy image of any, with weight 0.

    Returns:
        Images of the same shape.
    """
    found, pull = jax.vjp(lambda x: _mirrored(form, x), image)
    (pulled,) = pull(score(form, variables, found))
    return image - rate * (image - noisy - weight * pulled)


def _mirrored(form: Form, images: jax.Array) -> jax.Array:
    """Continue images by half a patch on each side, mirrored."""
    if form.kind == "dae":
        return images
    margins = [((size - 1) // 2, size // 2) for size in form.size]
    return jnp.pad(images, ((0, 0), *margins, (0, 0)), mode="symmetric")
