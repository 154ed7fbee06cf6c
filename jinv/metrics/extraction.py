"""Extraction: what networks see in an image set, read as a stream."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.data.labelled import LabelledImages
from jinv.errors import ConfigError, DataError
from jinv.models.classifier import Classifier

_SIZES = "images have different sizes: --size N cuts them to one"


@dataclass(frozen=True, eq=False)
class Extractor:
    """The network whose features are compared, and which of them.

    Attributes:
        classifier: Network that is shown the images.
        feature: Name of the features that are measured.
        shown: Names of further features, for pictures.
    """

    classifier: Classifier
    feature: str
    shown: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Label that is written beside every number that depends on the extractor."""
        return f"{self.classifier.spec.name}, {self.feature}"


def make_extractor(
    classifier: Classifier,
    feature: str | None = None,
    shown: Sequence[str] = (),
) -> Extractor:
    """Choose a network's features.

    Args:
        classifier: Network that is shown the images.
        feature: Name from `classifier.feature_shapes`; by default what the last dense
            layer reads.
        shown: Names of more features, for pictures; by default the last three stages.

    Raises:
        ConfigError: There are no such features.
    """
    known = classifier.feature_shapes
    likely = ("pooled", "fc7", *reversed(classifier.stages), "logits")
    chosen = feature or next(name for name in likely if name in known)
    shown = tuple(shown) or classifier.stages[-3:]
    for name in (chosen, *shown):
        if name not in known:
            raise ConfigError(
                f"{classifier.spec.name} has no feature {name!r}; it has "
                f"{', '.join(known)}"
            )
    return Extractor(classifier, chosen, shown)


@dataclass(frozen=True, eq=False)
class Extracted:
    """A set as networks see it; n images could be read.

    Attributes:
        indices: Numbers of the images in the set (n,).
        labels: Classes of the images (n,).
        features: Features by name, (n, width), float32: averaged over positions.
        logits: Logits by position in the list of networks, (n, classes) each.
        unreadable: Errors of the images left out.
        batch_numbers: Batch of synthesis in which each was made (n,), where that is
            known.
    """

    indices: np.ndarray
    labels: np.ndarray
    features: dict[str, np.ndarray]
    logits: list[np.ndarray]
    unreadable: list[str]
    batch_numbers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: np.ndarray) -> "Extracted":
        """Some of the images, by position."""
        return Extracted(
            self.indices[chosen],
            self.labels[chosen],
            {name: values[chosen] for name, values in self.features.items()},
            [values[chosen] for values in self.logits],
            self.unreadable,
            None if self.batch_numbers is None else self.batch_numbers[chosen],
        )


def extract(
    data: LabelledImages,
    extractor: Extractor,
    judges: Sequence[Classifier] = (),
    *,
    batch_numbers: np.ndarray | None = None,
    batch_size: int = 100,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Extracted:
    """Read a set batch by batch and note what networks see.

    Images themselves are not kept. Those that cannot be read are left out. Memory, in
    bytes: 4 for each image and feature, and for each image and class of each network.

    Args:
        data: Set to read.
        extractor: Network that gives the features, and the first of the logits.
        judges: More networks, for their logits only.
        batch_numbers: Batch of synthesis in which each image was made (images,), if
            known.
        batch_size: Number of images read together.
        on_batch: Told how many images are done, and how many there are.

    Raises:
        DataError: None of the images could be read, or they are of several sizes.
    """
    names = tuple(dict.fromkeys((extractor.feature, *extractor.shown)))
    indices: list[np.ndarray] = []
    features: dict[str, list[np.ndarray]] = {name: [] for name in names}
    logits: list[list[np.ndarray]] = [[] for _ in range(1 + len(judges))]
    unreadable: list[str] = []
    sizes: set[tuple[int, ...]] = set()
    for start in range(0, len(data), batch_size):
        wanted = np.arange(start, min(start + batch_size, len(data)))
        images, read, wrong = _readable(data, wanted)
        unreadable += wrong
        if len(read):
            sizes.add(images.shape[1:3])
            if len(sizes) > 1:
                raise DataError(_SIZES)
            indices.append(read)
            # One shape, one program: the last batch is filled up.
            filled = np.resize(images, (batch_size, *images.shape[1:]))
            seen, answer = _features(
                extractor.classifier, names, extractor.classifier.variables, filled
            )
            for name in names:
                features[name].append(np.asarray(seen[name])[: len(read)])
            answers = [answer] + [_logits(j, j.variables, filled) for j in judges]
            for kept, answer in zip(logits, answers, strict=True):
                kept.append(np.asarray(answer)[: len(read)])
        on_batch(int(wanted[-1]) + 1, len(data))
    if not indices:
        raise DataError(
            f"none of {len(data)} images could be read"
            + (f": {unreadable[0]}" if unreadable else "")
        )
    found = np.concatenate(indices)
    return Extracted(
        found,
        data.labels[found],
        {name: np.concatenate(values) for name, values in features.items()},
        [np.concatenate(values) for values in logits],
        unreadable,
        None if batch_numbers is None else batch_numbers[found],
    )


def sample_positions(total: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of so many of the images, or of all, in order."""
    return np.sort(rng.choice(total, min(most, total), replace=False))


def _readable(
    data: LabelledImages, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images that can be read, their numbers, and what is wrong with the others."""
    try:
        return data.read(wanted)[0], wanted, []
    except DataError as error:
        if len(wanted) == 1:
            return np.empty(0), wanted[:0], [str(error)]
    parts = [_readable(data, wanted[i : i + 1]) for i in range(len(wanted))]
    good = [part for part in parts if len(part[1])]
    wrong = [text for part in parts for text in part[2]]
    if not good:
        return np.empty(0), wanted[:0], wrong
    if len({images.shape for images, *_ in good}) > 1:
        raise DataError(_SIZES)
    images, read, _ = zip(*good, strict=True)
    return np.concatenate(images), np.concatenate(read), wrong


@partial(jax.jit, static_argnums=(0, 1))
def _features(
    classifier: Classifier, names: tuple[str, ...], variables: Any, images: jax.Array
) -> tuple[dict[str, jax.Array], jax.Array]:
    found = classifier.features(variables, classifier.inputs_of(images))
    averaged = {name: _flat(found[name]).astype(jnp.float32) for name in names}
    return averaged, found["logits"].astype(jnp.float32)


@partial(jax.jit, static_argnums=0)
def _logits(classifier: Classifier, variables: Any, images: jax.Array) -> jax.Array:
    return classifier.logits(variables, classifier.inputs_of(images))


def _flat(feature: jax.Array) -> jax.Array:
    return feature.mean((1, 2)) if feature.ndim == 4 else feature
