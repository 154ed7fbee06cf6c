"""Classifiers of the zoo, with the weights of a file or with random ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jinv.checked import checked
from jinv.errors import WeightsError
from jinv.models.classifier import Classifier
from jinv.models.facts import Facts
from jinv.models.listing import init_shapes
from jinv.models.spec import ClassifierSpec, class_names
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.finding import find_weights
from jinv.models.weights.fitting import from_groups
from jinv.models.weights.reading import read_weights
from jinv.models.zoo import classifier_spec
from jinv.values import Count, Seed


@checked
def load_classifier(
    name: str,
    weights: Path | str | None = None,
    classes: Sequence[str] | None = None,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: Count | None = None,
    dtype: Any = jnp.float32,
    remat: bool = False,
) -> Classifier:
    """Load a zoo classifier with its weights.

    What is not given here is as the file of weights says: in its metadata where it is
    one of ours, or in a companion beside it, FILE.json, with `classes`, `mean`, `std`
    and `input_size`; and else as the zoo has it.

    Args:
        name: Name of the classifier in the zoo.
        weights: File of weights, or a folder with one, in any form that
            `jinv.models.weights.reading.read_weights` reads; by default the project's
            own weights, or a download.
        classes: Names of the classes, in the order of the logits.
        mean: Mean subtracted from images in [0, 1], per channel.
        std: Deviation by which the difference is divided, per channel.
        input_size: Height and width of the inputs, in pixels.
        dtype: Type of the activations.
        remat: Recompute activations in the backward pass: less memory, more time.

    Raises:
        ConfigError: The zoo has no such name, or a fact cannot be true.
        WeightsError: The weights are missing or belong to another architecture.

    Example:
        >>> classifier = load_classifier("cifar10_resnet20")
        >>> classifier.spec.classes[3]
        'cat'
    """
    spec = classifier_spec(name)
    given = Facts(
        None if classes is None else class_names(classes),
        input_size,
        None if mean is None else tuple(mean),
        None if std is None else tuple(std),
    )
    path = Path(weights) if weights else find_weights(spec)
    found = read_weights(path)
    spec = found.described(spec, given)
    module = spec.make_module(dtype=dtype, remat=remat)
    try:
        shapes = init_shapes(module, spec)
    except TypeError:
        if not spec.narrowed:
            raise
        raise WeightsError(
            f"{path} says that it is narrowed, but no {name} can be so: choose the "
            "model that these weights belong to"
        ) from None
    variables = from_groups(found.groups, shapes, str(path), spec.aliases, spec.ignored)
    variables = jax.tree.map(jnp.asarray, variables)
    return Classifier(spec, module, variables, sha256_of(found.file))


@checked
def make_classifier(
    spec: ClassifierSpec,
    seed: Seed = 0,
    *,
    dtype: Any = jnp.float32,
    remat: bool = False,
) -> Classifier:
    """Make a classifier with random weights.

    Args:
        spec: Specification of the classifier; see `classifier_spec`.
        seed: Seed of the weights.
        dtype: Type of the activations.
        remat: Recompute activations in the backward pass: less memory, more time.

    Raises:
        ConfigError: An argument is none of these.

    Example:
        >>> classifier = make_classifier(classifier_spec("cifar10_resnet20"), seed=1)
        >>> classifier.variables["params"]["fc"]["kernel"].shape
        (64, 10)
    """
    module = spec.make_module(dtype=dtype, remat=remat)
    size = spec.input_size
    example = jnp.zeros((1, size, size, spec.channels))
    variables = jax.jit(module.init)(jax.random.key(seed), example)
    return Classifier(spec, module, dict(variables), seed=seed)


def outline_classifier(spec: ClassifierSpec) -> Classifier:
    """Make a classifier whose variables are shapes: nothing is read or computed.

    Enough to tell its layers, their shapes and what they see.

    Args:
        spec: Specification of the classifier.
    """
    module = spec.make_module()
    return Classifier(spec, module, init_shapes(module, spec))
