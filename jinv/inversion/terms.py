"""The parts of which methods put their objectives together."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jinv import losses
from jinv.engine.phase import Evaluation, Term
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.response import Moments, Taps

ClassLoss = Literal["cross-entropy", "class-score"]
BnNorm = Literal["raw", "layer"]
Reduction = Literal["image", "nvlabs"]


def used(*terms: Term) -> tuple[Term, ...]:
    """Those whose weight is not 0: the others cost nothing."""
    return tuple(term for term in terms if term.weight)


def check_weights(config: Any, names: tuple[str, ...]) -> None:
    """Refuse an objective without terms.

    Raises:
        ConfigError: All the weights of these names are 0.
    """
    if not any(getattr(config, name) for name in names):
        raise ConfigError("every loss weight is 0: there is nothing to optimise")


def class_term(
    loss: ClassLoss = "cross-entropy", weight: float = 1.0, temperature: float = 1.0
) -> Term:
    """Asks for the images' classes."""

    def value(e: Evaluation) -> jax.Array:
        if loss == "class-score":
            return e.batch_mean(losses.class_score(e.logits, e.labels))
        return e.batch_mean(losses.cross_entropy(e.logits, e.labels, temperature))

    return Term(loss, weight, value)


def bn_term(
    classifier: Classifier,
    weight: float,
    norm: BnNorm = "raw",
    k_first: float = 1.0,
    momentum: float = 0.0,
) -> Term:
    """Asks for the BatchNorm statistics of training.

    Args:
        classifier: Whose they are.
        weight: Of the term.
        norm: "raw" as published, or "layer", in units of each layer's own spread.
        k_first: Weight of the first layer, relative to the others.
        momentum: Share of earlier batches' statistics in those that are compared; the
            phase's memory must then be a `MomentMemory`.

    Raises:
        ConfigError: The classifier has none, and the term has a weight.
    """
    names = classifier.batchnorm_names
    if weight and not names:
        raise ConfigError(
            f"{classifier.spec.name} has no BatchNorm statistics to compare with: use "
            "--w-bn 0 (images from the class and the prior alone), with "
            "DeepInversion also --preset deepdream"
        )
    layer_weights = {n: k_first if n == names[0] else 1.0 for n in names}
    compare = {
        "raw": losses.bn_loss,
        "layer": losses.normalised_bn_loss,
    }[norm]

    def value(e: Evaluation) -> jax.Array:
        taps = _blended(e, momentum) if momentum else e.taps
        return compare(taps, e.running, layer_weights)

    return Term("bn", weight, value)


def tv2_term(weight: float, reduction: Reduction = "image") -> Term:
    """Asks for smooth images (l2 total variation)."""
    if reduction == "nvlabs":
        return _batch_prior("tv_l2", weight, losses.total_variation_l2_nvlabs)
    return _image_prior("tv_l2", weight, losses.total_variation_l2)


def tv1_term(weight: float) -> Term:
    """Asks for flat images with few edges (l1 total variation)."""
    return _image_prior("tv_l1", weight, losses.total_variation_l1)


def l2_term(weight: float, reduction: Reduction = "image") -> Term:
    """Asks for images near the mean colour."""
    if reduction == "nvlabs":
        return _batch_prior("l2", weight, losses.l2_nvlabs)
    return _image_prior("l2", weight, losses.l2)


def _image_prior(name: str, weight: float, of_image: Callable) -> Term:
    return Term(name, weight, lambda e: e.batch_mean(of_image(e.inputs)))


def _batch_prior(name: str, weight: float, of_batch: Callable) -> Term:
    return Term(name, weight, lambda e: of_batch(e.inputs, e.batch_sum))


def adversarial_term(weight: float) -> Term:
    """Asks for images on which a student is wrong where the classifier is right."""

    def value(e: Evaluation) -> jax.Array:
        return e.batch_mean(losses.agreeing_divergence(e.logits, e.student_logits))

    return Term("adversarial", weight, value)


class MomentMemory(NamedTuple):
    """BatchNorm statistics of the batches so far.

    Attributes:
        known: 1 as soon as there was a batch, before that 0.
        moments: Their moving average, by layer.
    """

    known: jax.Array | np.ndarray
    moments: Taps


def no_moments(classifier: Classifier) -> MomentMemory:
    """Before the first batch."""
    running = classifier.running_moments(classifier.variables)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), running)
    return MomentMemory(np.zeros((), np.float32), zeros)


def remember_moments(
    momentum: float,
) -> Callable[[MomentMemory, Evaluation], MomentMemory]:
    """The `remember` of a phase: takes in a batch's statistics at its last step."""

    def remember(memory: MomentMemory, e: Evaluation) -> MomentMemory:
        def kept(new: jax.Array, old: jax.Array) -> jax.Array:
            # Leading axes count groups that were taken apart.
            return jnp.where(e.last, new.reshape(-1, *old.shape).mean(0), old)

        moments = jax.tree.map(kept, _blended(e, momentum), memory.moments)
        return MomentMemory(jnp.maximum(memory.known, e.last), moments)

    return remember


def _blended(e: Evaluation, momentum: float) -> Taps:
    share = momentum * e.memory.known
    blend = losses.blend_moments(e.taps, e.memory.moments, share)
    return {layer: Moments(*moments) for layer, moments in blend.items()}
