"""Feature inversion: images that a network sees as it sees given photographs.

Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them",
and 2016, "Visualizing Deep Convolutional Neural Networks Using Natural Pre-images".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np

from jinv import losses
from jinv.engine.optimizers import Schedule
from jinv.engine.phase import (
    TEACHER,
    Evaluation,
    Image,
    Phase,
    Procedure,
    Split,
    Term,
)
from jinv.errors import ConfigError
from jinv.images.fourier import Fourier, Parametrisation
from jinv.images.noise import Noise
from jinv.images.pixels import Pixels, bound_norms, clip
from jinv.images.views import View, crop
from jinv.inversion.groups import Descending
from jinv.inversion.method import Length, Method, Weight
from jinv.inversion.pixels import pixel_image
from jinv.inversion.request import START, target
from jinv.inversion.terms import check_weights, each_image, used
from jinv.models.classifier import Classifier
from jinv.models.features import check_layers
from jinv.values import Natural, NotNegative, Positive, Range

Unit = Literal["levels", "image", "input"]
FeatureLoss = Literal["normalised", "mean"]
Reduction = Literal["sum", "mean"]
Start = Literal["noise", "decoder"]

_STARTS: dict[Unit, float] = {"levels": 25.0, "image": 0.1, "input": 0.4}
"""Deviations of pixels in the beginning, by their unit: about the same."""

Exponent = Annotated[float, Range(1)]
"""An exponent from 1 on: below, gradients are infinite where nothing changes."""


@dataclass(frozen=True, kw_only=True)
class FeatureInversion(Method, Descending):
    """Settings of feature inversion: an image of which some layers' features are known.

        loss = w_features sum_l a_l ‖Φ_l(x) - Φ_l⁰‖² / ‖Φ_l⁰‖²
               + w_tv V^β(x) + w_tv_anisotropic TV_a(x) + w_tv_squares TV_s(x)
               + w_alpha ‖x‖_α^α + w_norm N_α(x)

    Mahendran & Vedaldi 2015 and 2016. Each image has this loss for itself: rates mean
    the same at every batch size. Priors are `total_variation` (V^β),
    `anisotropic_variation`, `squared_differences`, `alpha_norm` and `pixel_norm` (N_α).

    Attributes:
        layers: Layers whose features count, e.g. conv3_1,pool5; `jinv models NAME`
            lists them.
        layer_weights: Weight a_l of each; empty for 1 each.
        feature_loss: "normalised" as above, or "mean": the mean squared difference.
        w_features: Weight of the features.
        w_tv: Weight of V^β.
        beta: Exponent β: 1 for isotropic total variation, 2 for smoother images.
        w_tv_anisotropic: Weight of the sum of absolute differences.
        w_tv_squares: Weight of the sum of squared differences.
        w_alpha: Weight of the power of the norm of all values.
        w_norm: Weight of N_α, the mean power of the norms of pixels' colours.
        alpha: Exponent α of both.
        norm_bound: Norm B of a colour that counts as 1 in N_α, in units of x.
        reduction: Whether variations are a "sum" over pixels (2015) or their "mean"
            (2016); with the mean, rates of "sgd" and "adagrad" are multiplied by the
            number of pixels.
        bound: Largest norm that a pixel's colour may have (B₊); 0 for any.
        clip: Keep pixels within what an image can show.
        unit: How x is measured, by priors, rates and bounds: as "levels", 255 times the
            image's difference from the network's mean colour, as published; as "image",
            the difference itself; or as the network's "input".
        parametrisation: "pixels", or "fourier": coefficients of decorrelated colours,
            see `Fourier`, whose image lies within what can be shown.
        fourier_decay: Power of the frequency by which coefficients are divided there.
        start: Where images start: from "noise", or from what a "decoder" makes of the
            features, which is given beside these settings.
        steps: Updates in each phase, in which the optimiser starts anew; one number is
            shared out among all phases. 0 for what the decoder makes.
        shares: Share that each phase has of one number of steps; evenly if none, but as
            a preset has its steps where they are replaced.
        rates: Learning rate of each phase, as a share of `lr`.
        jitters: Largest random shift in each phase, in pixels, over a canvas with a
            margin: nothing wraps around.
        init: Whether the noise is "normal" or "uniform".
        init_scale: Standard deviation of the noise, in units of x, or of the
            coefficients; it is added to what a decoder makes.
    """

    layers: tuple[str, ...] = ()
    layer_weights: tuple[Positive, ...] = ()
    feature_loss: FeatureLoss = "normalised"
    w_features: Weight = 1.0
    w_tv: Weight = 0.0
    beta: Exponent = 2.0
    w_tv_anisotropic: Weight = 0.0
    w_tv_squares: Weight = 0.0
    w_alpha: Weight = 0.0
    w_norm: Weight = 0.0
    alpha: Exponent = 6.0
    norm_bound: Positive = 1.0
    reduction: Reduction = "sum"
    bound: NotNegative = 0.0
    clip: bool = False
    unit: Unit = "levels"
    parametrisation: Parametrisation = "pixels"
    fourier_decay: NotNegative = 1.0
    start: Start = "noise"
    steps: tuple[Natural, ...] = (300,)
    shares: tuple[Positive, ...] = ()
    rates: tuple[Positive, ...] = (1.0,)
    jitters: tuple[Length, ...] = (0,)
    schedule: Schedule = "constant"
    init: Noise = "normal"
    init_scale: NotNegative = 1.0

    def follow(self, before: Mapping[str, Any]) -> Self:
        """Fit phases to the steps, and the start to what it is measured in."""
        given = before.keys()
        fits: dict[str, Any] = {}
        if "start" in given and self.start == "decoder":
            fits["init_scale"] = 0.0
            if "steps" not in given:
                fits["steps"] = (0,)
        if "steps" in given and len(self.steps) not in (1, len(self.rates)):
            first = {"rates": self.rates[:1], "jitters": self.jitters[:1]}
            fits |= {name: value * len(self.steps) for name, value in first.items()}
        shares = before.get("steps", ())
        if len(self.steps) == 1 < len(shares) == len(self.rates):
            fits["shares"] = shares
        if given & {"parametrisation", "unit"} and self.start == "noise":
            waves = self.parametrisation == "fourier"
            fits["init_scale"] = 0.01 if waves else _STARTS[self.unit]
        return replace(self, **{n: v for n, v in fits.items() if n not in given})

    def joined(self, e: Evaluation, values: jax.Array) -> jax.Array:
        """Let each image go down its own loss; see `Method.joined`."""
        return each_image(e, values)

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        _check(self, classifier)
        wanted = _wanted(self, classifier)
        return Procedure(
            tuple(
                self._phase(classifier, wanted, steps, rate, jitter)
                for steps, rate, jitter in zip(
                    _steps_of_phases(self), self.rates, self.jitters, strict=True
                )
            )
        )

    def _phase(
        self,
        classifier: Classifier,
        wanted: tuple[Term, ...],
        steps: int,
        rate: float,
        jitter: int,
    ) -> Phase:
        size = classifier.spec.input_size
        # Their gradients are smaller by as much; Adam's updates are not.
        pixels = self.reduction == "mean" and self.optimizer != "adam"
        share = rate * (size**2 if pixels else 1)
        return Phase(
            image=_image(self, classifier, max(self.jitters)),
            view=_window(size, max(self.jitters), jitter),
            wanted=wanted,
            # Without steps there is no schedule, and nobody asks for one.
            descent=self.descent(steps, *self.updates(max(1, steps), share)),
        )


def _steps_of_phases(config: FeatureInversion) -> tuple[int, ...]:
    if len(config.steps) != 1:
        return config.steps
    shares = config.shares or (1,) * len(config.rates)
    ends = [round(config.steps[0] * x / sum(shares)) for x in accumulate(shares)]
    return tuple(end - begin for begin, end in pairwise((0, *ends)))


def _wanted(config: FeatureInversion, classifier: Classifier) -> tuple[Term, ...]:
    scale = _scale(config, classifier)
    canvas = classifier.spec.input_size + 2 * max(config.jitters)
    share = 1 / canvas**2 if config.reduction == "mean" else 1.0

    def prior(name: str, weight: str, of_images: Callable, share: float = 1) -> Term:
        def value(e: Evaluation) -> jax.Array:
            return each_image(e, share * of_images(e.inputs * scale))

        return Term(name, value, weight, cast=())

    beta = partial(losses.total_variation, beta=config.beta)
    alpha = partial(losses.alpha_norm, alpha=config.alpha, own_mean=False)
    norm = partial(losses.pixel_norm, bound=config.norm_bound, alpha=config.alpha)
    return used(
        config,
        _feature_term(config),
        prior("v_beta", "w_tv", beta, share),
        prior("anisotropic", "w_tv_anisotropic", losses.anisotropic_variation, share),
        prior("squares", "w_tv_squares", losses.squared_differences, share),
        prior("alpha", "w_alpha", alpha),
        prior("norm", "w_norm", norm),
    )


def _feature_term(config: FeatureInversion) -> Term:
    """Make the term that asks for the features of the targets, by `w_features`."""
    weights = config.layer_weights or (1.0,) * len(config.layers)
    distance = {
        "normalised": losses.feature_distance,
        "mean": losses.mean_feature_distance,
    }[config.feature_loss]

    def value(e: Evaluation) -> jax.Array:
        seen = e.seen[TEACHER].features
        apart = [
            weight * distance(seen[layer].astype("float32"), e.asked[target(layer)])
            for layer, weight in zip(config.layers, weights, strict=True)
        ]
        return each_image(e, sum(apart[1:], apart[0]))

    asks = tuple(map(target, config.layers))
    return Term("features", value, "w_features", asks=asks)


def _image(config: FeatureInversion, classifier: Classifier, margin: int) -> Image:
    if config.parametrisation == "fourier":
        return _waves(config, classifier, margin)
    return _measured_pixels(config, classifier, margin)


def _measured_pixels(
    config: FeatureInversion, classifier: Classifier, margin: int
) -> Image:
    """Pixels that are measured in a unit of their own, and the inputs that they are."""
    spec, scale = classifier.spec, _scale(config, classifier)
    pixels = Pixels(
        spec.input_size, margin, config.init_scale, spec.channels, config.init
    )
    plain = pixel_image(pixels)
    low, high = (level * scale[0, 0, 0] for level in classifier.input_range)

    def project(params: Split) -> Split:
        own = params.own
        if config.clip:
            own = clip(own, low, high)
        if config.bound:
            own = bound_norms(own, config.bound)
        return Split(own)

    def start(params: Split, asked: Mapping[str, Any]) -> Split:
        known = _on_canvas(asked[START], margin)
        return Split(params.own + classifier.normalise(known) * scale)

    return replace(
        plain,
        render=lambda params, context: plain.render(params, context) / scale,
        finish=lambda params, context: plain.finish(params, context) / scale,
        carry=lambda params: params,
        project=project,
        **_starting(config, start),
    )


def _waves(config: FeatureInversion, classifier: Classifier, margin: int) -> Image:
    """Waves of a canvas, whose image lies within what can be shown."""
    spec = classifier.spec
    canvas = Pixels(spec.input_size, margin, 0.0, spec.channels)
    fourier = Fourier(
        canvas.canvas,
        canvas.canvas,
        spec.channels,
        config.fourier_decay,
        config.init_scale,
    )

    def inputs(params: Split) -> jax.Array:
        return classifier.normalise(fourier.render(params.own))

    def start(params: Split, asked: Mapping[str, Any]) -> Split:
        known = _on_canvas(asked[START], margin)
        return Split(params.own + fourier.coefficients_of(known))

    return Image(
        init=lambda key, index: Split(fourier.init(key, index)),
        render=lambda params, _: inputs(params),
        finish=lambda params, _: canvas.inner(inputs(params)),
        **_starting(config, start),
    )


def _starting(config: FeatureInversion, start: Callable) -> dict[str, Any]:
    """Parts of an `Image` that starts where a decoder says; none from noise."""
    return {} if config.start == "noise" else {"start": start, "asks": (START,)}


def _on_canvas(images: Any, margin: int) -> jax.Array:
    """Continue images (batch, height, width, channels) beyond their borders."""
    around = (margin, margin)
    return jnp.pad(jnp.asarray(images), ((0, 0), around, around, (0, 0)), "edge")


def _window(size: int, margin: int, jitter: int) -> View:
    """Show a window of the canvas that is shifted by up to so many pixels, or none."""

    def view(key: jax.Array, index: jax.Array, images: jax.Array) -> jax.Array:
        cut = margin - jitter
        images = images[:, cut : images.shape[1] - cut, cut : images.shape[2] - cut]
        return crop(size)(key, index, images) if jitter else images

    return view


def _scale(config: FeatureInversion, classifier: Classifier) -> np.ndarray:
    """Factors (1, 1, 1, channels) that bring inputs to the unit."""
    std = np.asarray(classifier.spec.std, np.float32)[None, None, None]
    return {"levels": 255 * std, "image": std, "input": np.ones_like(std)}[config.unit]


def _check(config: FeatureInversion, classifier: Classifier) -> None:
    check_layers(classifier, config.layers)
    check_weights(config, ("w_features",))
    if config.layer_weights and len(config.layer_weights) != len(config.layers):
        raise ConfigError(
            f"{len(config.layer_weights)} layer_weights for {len(config.layers)} "
            "layers: give one for each, or none"
        )
    if config.shares and len(config.steps) != 1:
        raise ConfigError(
            f"shares are of one number of steps, and there are {len(config.steps)}: "
            "leave them out"
        )
    if config.start == "noise" and not sum(config.steps):
        raise ConfigError("steps: 0 updates leave noise: take more, or give a decoder")
    lengths = len(_steps_of_phases(config)), len(config.rates), len(config.jitters)
    if len(set(lengths)) != 1:
        raise ConfigError(
            f"steps, rates and jitters are of {', '.join(map(str, lengths))} phases: "
            "give as many of each"
        )
