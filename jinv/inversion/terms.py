"""The parts of which methods put their objectives together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jinv import losses
from jinv.engine.phase import STUDENT, TEACHER, Evaluation, Term
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.response import Moments, Taps

ClassLoss = Literal["cross-entropy", "class-score"]
BnNorm = Literal["raw", "layer"]
Reduction = Literal["image", "nvlabs"]


LABELS = "labels"
"""The array that tells of each image which class it is asked to show."""


def used(config: Any, *terms: Term) -> tuple[Term, ...]:
    """Choose the terms whose weight is not 0 in a method's settings."""

    def weight(term: Term) -> float:
        name = term.weight
        return getattr(config, name) if isinstance(name, str) else name

    return tuple(term for term in terms if weight(term))


def check_weights(config: Any, names: tuple[str, ...]) -> None:
    """Refuse an objective without terms.

    Raises:
        ConfigError: All the weights of these names are 0.
    """
    if not any(getattr(config, name) for name in names):
        raise ConfigError("every loss weight is 0: there is nothing to optimise")


def each_image(e: Evaluation, values: jax.Array) -> jax.Array:
    """The batch's mean of (batch,), whose gradient is that of each image for itself.

    A mean's would be divided by the size of the batch, and a learning rate would mean
    another thing for each.
    """
    mean, total = e.batch_mean(values), e.batch_sum(values)
    return jax.lax.stop_gradient(mean - total) + total


def class_term(loss: ClassLoss = "cross-entropy", temperature: float = 1.0) -> Term:
    """Make the term that asks for the images' classes, weighted by `w_class`."""

    def value(e: Evaluation) -> jax.Array:
        logits, labels = e.seen[TEACHER].logits, e.asked[LABELS]
        if loss == "class-score":
            return e.batch_mean(losses.class_score(logits, labels))
        return e.batch_mean(losses.cross_entropy(logits, labels, temperature))

    return Term(loss, value, "w_class", asks=(LABELS,))


def _recognised(e: Evaluation) -> jax.Array:
    right = jnp.argmax(e.seen[TEACHER].logits, -1) == e.asked[LABELS]
    return e.batch_mean(right.astype(jnp.float32))


TOP1 = Term("top1", _recognised, asks=(LABELS,))
"""The share of images of which the teacher names the class asked for; to be watched."""


def bn_term(
    classifier: Classifier,
    norm: BnNorm = "raw",
    k_first: float = 1.0,
    momentum: float = 0.0,
) -> Term:
    """Make the term that asks for training's BatchNorm statistics, by `w_bn`.

    Args:
        classifier: Network whose statistics they are, the teacher.
        norm: "raw" as published, or "layer", in units of each layer's own spread.
        k_first: Weight of the first layer, relative to the others.
        momentum: Share of earlier batches' statistics in those that are compared.

    Raises:
        ConfigError: The classifier has no such statistics.
    """
    names = classifier.batchnorm_names
    if not names:
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
        taps = _blended(e, momentum) if momentum else e.seen[TEACHER].taps
        running = classifier.running_moments(e.cast[TEACHER])
        return compare(taps, running, layer_weights)

    term = Term("bn", value, "w_bn")
    if not momentum:
        return term
    remember = _remember_moments(momentum)
    return replace(term, memory=_no_moments(classifier), remember=remember)


def tv2_term(reduction: Reduction = "image") -> Term:
    """Make the term that asks for smooth images (l2 total variation), by `w_tv2`."""
    if reduction == "nvlabs":
        return _batch_prior("tv_l2", "w_tv2", losses.total_variation_l2_nvlabs)
    return _image_prior("tv_l2", "w_tv2", losses.total_variation_l2)


def tv1_term() -> Term:
    """Make the term that asks for flat images with few edges (l1), by `w_tv1`."""
    return _image_prior("tv_l1", "w_tv1", losses.total_variation_l1)


def l2_term(reduction: Reduction = "image") -> Term:
    """Make the term that asks for images near the mean colour, by `w_l2`."""
    if reduction == "nvlabs":
        return _batch_prior("l2", "w_l2", losses.l2_nvlabs)
    return _image_prior("l2", "w_l2", losses.l2)


def _image_prior(name: str, weight: str, of_image: Callable) -> Term:
    return Term(name, lambda e: e.batch_mean(of_image(e.inputs)), weight, cast=())


def _batch_prior(name: str, weight: str, of_batch: Callable) -> Term:
    return Term(name, lambda e: of_batch(e.inputs, e.batch_sum), weight, cast=())


def adversarial_term() -> Term:
    """Make the term that asks for images on which a student differs from the teacher.

    Both name the same class there, see `agreeing_divergence`; by `w_adversarial`.
    """

    def value(e: Evaluation) -> jax.Array:
        teacher, student = (e.seen[role].logits for role in (TEACHER, STUDENT))
        return e.batch_mean(losses.agreeing_divergence(teacher, student))

    return Term("adversarial", value, "w_adversarial", cast=(TEACHER, STUDENT))


def disagreement_term(temperature: float = 3.0) -> Term:
    """Make the term that asks for images that a student sees as another class.

    What is small there is their agreement, see `jensen_shannon_competition`; by
    `w_disagreement`.
    """

    def value(e: Evaluation) -> jax.Array:
        teacher, student = (e.seen[role].logits for role in (TEACHER, STUDENT))
        agreement = losses.jensen_shannon_competition(teacher, student, temperature)
        return e.batch_mean(agreement)

    return Term("disagreement", value, "w_disagreement", cast=(TEACHER, STUDENT))


class MomentMemory(NamedTuple):
    """BatchNorm statistics of the batches so far.

    Attributes:
        known: 1 as soon as there was a batch, before that 0.
        moments: Moving average of the moments, by layer.
    """

    known: jax.Array | np.ndarray
    moments: Taps


def _no_moments(classifier: Classifier) -> MomentMemory:
    """Make the memory before the first batch."""
    running = classifier.running_moments(classifier.variables)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), running)
    return MomentMemory(np.zeros((), np.float32), zeros)


def _remember_moments(momentum: float) -> Callable[[Evaluation], MomentMemory]:
    """Make the function that takes in a batch's statistics at its last step."""

    def remember(e: Evaluation) -> MomentMemory:
        def kept(new: jax.Array, old: jax.Array) -> jax.Array:
            # Leading axes count groups that were taken apart.
            return jnp.where(e.last, new.reshape(-1, *old.shape).mean(0), old)

        moments = jax.tree.map(kept, _blended(e, momentum), e.memory.moments)
        return MomentMemory(jnp.maximum(e.memory.known, e.last), moments)

    return remember


def _blended(e: Evaluation, momentum: float) -> Taps:
    share = momentum * e.memory.known
    blend = losses.blend_moments(e.seen[TEACHER].taps, e.memory.moments, share)
    return {layer: Moments(*moments) for layer, moments in blend.items()}
