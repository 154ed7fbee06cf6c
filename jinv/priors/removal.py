"""Ways of removing noise: towards the likeliest image, step by step.

Steps are made one by one: convolutions within a compiled loop are slow on CPU.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jinv.errors import ConfigError
from jinv.priors.energy import Variables
from jinv.priors.form import Form
from jinv.priors.map_step import map_step
from jinv.priors.prior import Prior
from jinv.priors.variation import begin_variation, variation_step
from jinv.values import Positive, converted

STEPS = 60
"""Steps, where nothing else is known."""

_GREY = 0.5

_GRID = 4
"""Frequencies at which a bound is looked up, for each pixel of a filter's length."""


class Removal(Protocol):
    """A way of removing noise from images."""

    @property
    def steps(self) -> int:
        """Number of its steps."""
        ...

    def iterates(self, noisy: jax.Array) -> Iterator[jax.Array]:
        """Yield what each step makes of noisy images (batch, height, width, channels).

        Args:
            noisy: Images, with 0 for black and 1 for white; the noise may go beyond.
        """
        ...

    def check(self, channels: int, whose: str) -> None:
        """Refuse images of another colour space.

        Args:
            channels: Number of channels of the images.
            whose: Words for whose images they are.

        Raises:
            ConfigError: They are.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """All that its images depend on, as JSON."""
        ...


@dataclass(frozen=True, eq=False)
class PriorRemoval:
    """Steps towards the likeliest image by a learned prior, see `map_step`.

    Steps whose rates were learnt are made as they were learnt: other noise is brought
    to the deviation that they are for, by scaling the image about grey, and back. Edges
    of natural images are of all strengths, so that a weaker image is as likely as any.
    A prior of grey images sees each channel of other images by itself.
    Other steps are as long as they may safely be: 1 / (1 + weight L) with L the largest
    curvature of the energy (`steepness`), and accelerated (Nesterov 2004, "Introductory
    Lectures on Convex Optimization", section 2.2).

    Attributes:
        prior: Prior of images.
        sigma: Deviation of the noise, in units of the image.
        weight: Weight of the prior, in squares of sigma.
        steps: Number of steps.
        rates: Rates that were learnt, one for each step; none otherwise.
        learnt_sigma: Deviation of the noise that they were learnt for, in units of the
            image.
    """

    prior: Prior
    sigma: float
    weight: float
    steps: int
    rates: tuple[float, ...] = ()
    learnt_sigma: float | None = None

    def iterates(self, noisy: jax.Array) -> Iterator[jax.Array]:
        """Yield what each step makes of noisy images; see `Removal`."""
        sigma = self.learnt_sigma or self.sigma
        scale = sigma / self.sigma
        apart = self.prior.form.subject.channels == 1
        seen = _channels_apart(noisy) if apart else noisy
        scaled = _GREY + scale * (seen - _GREY)
        for image in self._likelier(scaled, self.weight * sigma**2):
            found = _GREY + (image - _GREY) / scale
            yield _channels_together(found, noisy.shape) if apart else found

    def _likelier(self, noisy: jax.Array, weight: float) -> Iterator[jax.Array]:
        form, variables = self.prior.form, self.prior.variables
        curvature = 1 + weight * self._steepness
        root = float(np.sqrt(curvature))
        momentum = (root - 1) / (root + 1)
        counts = _copies(form, noisy.shape[1], noisy.shape[2])
        safe = (1 / (1 + weight * self._steepness * counts)).astype(np.float32)
        image = ahead = noisy
        for number in range(self.steps):
            rate = np.float32(self.rates[number]) if self.rates else safe
            pace = 0.0 if self.rates else momentum
            image, ahead = _step(
                form, variables, image, ahead, noisy, weight, rate, pace
            )
            yield image

    def check(self, channels: int, whose: str) -> None:
        """Refuse images that the prior cannot see; see `Removal`."""
        if self.prior.layer or self.prior.form.subject.channels != 1:
            self.prior.check_images(channels, whose)

    def describe(self) -> dict[str, Any]:
        """All that its images depend on, as JSON."""
        return {
            "prior": {"name": self.prior.name, "of": str(self.prior.form)},
            "prior_sha256": self.prior.sha256,
            "weight": self.weight,
            "steps": self.steps,
            "rates": list(self.rates),
            "learnt_sigma": self.learnt_sigma,
        }

    @cached_property
    def _steepness(self) -> float:
        return steepness(self.prior.form, self.prior.variables)


@dataclass(frozen=True, eq=False)
class VariationRemoval:
    """Steps towards the likeliest image by its total variation; see `variation_step`.

    Attributes:
        sigma: Deviation of the noise, in units of the image.
        weight: Weight of the total variation, in units of sigma.
        steps: Number of steps.
    """

    sigma: float
    weight: float
    steps: int = STEPS

    def iterates(self, noisy: jax.Array) -> Iterator[jax.Array]:
        """Yield what each step makes of noisy images; see `Removal`."""
        dual = begin_variation(noisy)
        for _ in range(self.steps):
            dual, image = _vary(dual, noisy, np.float32(self.weight * self.sigma))
            yield image

    def check(self, channels: int, whose: str) -> None:
        """Take images of any colour space."""

    def describe(self) -> dict[str, Any]:
        """All that its images depend on, as JSON."""
        return {"tv": self.weight, "steps": self.steps}


def prior_removal(
    prior: Prior, sigma: float, weight: float | None = None, steps: int | None = None
) -> PriorRemoval:
    """Choose how noise is removed by a prior, as far as nobody says.

    A prior that has learnt to denoise, through the steps, says so on its card. Others
    weigh `1 / (2 · height · width)` of their patches, as each pixel lies in so many.

    Args:
        prior: Prior of images.
        sigma: Deviation of the noise, in units of the image.
        weight: Weight of the prior, in squares of sigma.
        steps: Number of steps.

    Raises:
        ConfigError: What the card says of denoising makes no sense.
    """
    if weight is None and (recipe := _recipe(prior)):
        rates = recipe.rates
        weight = recipe.weight / recipe.sigma**2
        if steps in (None, len(rates)):
            return PriorRemoval(prior, sigma, weight, len(rates), rates, recipe.sigma)
    if weight is None:
        area = prior.form.height * prior.form.width
        weight = 1.0 if prior.form.kind == "dae" else 0.5 / area
    return PriorRemoval(prior, sigma, weight, steps or STEPS)


class _Recipe(NamedTuple):
    """How a prior has learnt to denoise."""

    rates: tuple[float, ...]
    weight: float
    sigma: float


def _recipe(prior: Prior) -> _Recipe | None:
    """What a prior's card says of it, which anybody may have changed."""
    if not (told := prior.card.get("denoising")):
        return None
    try:
        kinds = {"rates": tuple[Positive, ...], "weight": Positive, "sigma": Positive}
        return _Recipe(**{n: converted(k, told[n], n) for n, k in kinds.items()})
    except (LookupError, TypeError, ConfigError) as error:
        raise ConfigError(
            f"the card of the prior {prior.path or 'in memory'} does not tell how it "
            f"removes noise ({error}): give a weight, or learn it anew"
        ) from None


def steepness(form: Form, variables: Variables) -> float:
    """Bound the curvature of the energy that all patches of an image have together.

    L = max over frequencies f of the largest eigenvalue of sum_i alpha_i ŵ_i ŵ_i*,
    with ŵ_i the Fourier transform of a filter, over channels: no expert curves more
    than its argument squared, halved. Of a denoiser that brings no two images farther
    apart it is 2 / sigma².

    Args:
        form: Form of a prior of images.
        variables: Arrays of the prior.
    """
    found = {n: np.asarray(x) for n, x in variables.items() if n != "layers"}
    scale = float(np.max(np.square(found.get("scale", np.ones(1)))))
    if form.kind == "dae":
        return 2 * scale / float(found["sigma"]) ** 2
    if form.layout == "separable":
        filters = np.einsum("khw,kc->khwc", found["spatial"], found["across"])
    else:
        filters = found["filters"]
    grid = _GRID * max(form.size)
    waves = np.fft.fft2(filters, (grid, grid), (1, 2)).reshape(
        len(filters), grid**2, filters.shape[-1]
    )
    weighted = found["alphas"][:, None, None] * waves.conj()
    # As matrix products, a frequency each: einsum takes its time.
    powers = weighted.transpose(1, 2, 0) @ waves.transpose(1, 0, 2)
    # Between the frequencies of the grid it may be a little more.
    return 1.05 * scale * float(np.linalg.eigvalsh(powers).max())


def _channels_apart(images: jax.Array) -> jax.Array:
    """Make a grey image of each channel."""
    return jnp.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3], 1)


def _channels_together(images: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.moveaxis(images.reshape(shape[0], -1, *shape[1:3]), 1, -1)


def _copies(form: Form, height: int, width: int) -> np.ndarray:
    """How often each pixel is there once an image is mirrored, (1, rows, columns, 1).

    As in `map_step`: at the borders the energy is steeper by as much.
    """
    if form.kind == "dae":
        return np.ones((1, height, width, 1))
    lines = []
    for length, size in ((height, form.height), (width, form.width)):
        margins = (size - 1) // 2, size // 2
        places = np.pad(np.arange(length), margins, mode="symmetric")
        lines.append(np.bincount(places, minlength=length))
    return np.multiply.outer(*lines)[None, ..., None].astype(np.float64)


@partial(jax.jit, static_argnums=0)
def _step(
    form: Form,
    variables: Variables,
    before: jax.Array,
    ahead: jax.Array,
    noisy: jax.Array,
    weight: jax.Array,
    rate: jax.Array,
    momentum: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    image = map_step(form, variables, ahead, noisy, weight, rate)
    return image, image + momentum * (image - before)


_vary = jax.jit(variation_step)


def cleaned(removal: Removal, noisy: np.ndarray) -> np.ndarray:
    """Remove noise from one image (height, width, channels); none is clipped."""
    image = jnp.asarray(noisy, jnp.float32)[None]
    (found,) = deque(removal.iterates(image), maxlen=1)
    return np.asarray(found[0])
