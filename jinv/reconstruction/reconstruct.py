"""Finding photographs again by their features: the front door of feature inversion."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jinv.checked import checked
from jinv.data.photographs import named
from jinv.devices import on_accelerator
from jinv.engine.execution import Execution
from jinv.engine.notes import Outcome
from jinv.engine.phase import TEACHER
from jinv.engine.placement import make_placement
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.inversion.learned import cast_priors
from jinv.inversion.settings import with_given
from jinv.models.classifier import Classifier
from jinv.models.features import parse_layers
from jinv.models.photographs import levels_of
from jinv.priors.energy import STRIDE
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.reconstruction.photographs import Decodes, PhotographRequest
from jinv.reconstruction.presets import find_reconstruction
from jinv.values import Count, Seed


# Compared by identity, as a job is.
@dataclass(frozen=True, eq=False)
class Reconstructed:
    """What a feature inversion yields.

    Attributes:
        images: Reconstructions (images, height, width, channels), float32 in [0, 1].
        targets: Photographs of the same shape, as the network sees them.
        log: Measurements over the steps, as in `metrics.jsonl`.
        outcome: Bill of the run.
        job: Job that was done.

    Example:
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> photograph = jinv.dead_leaves(1, 32)
        >>> found = jinv.reconstruct(network, photograph, "stage1", steps=(1, 2))
        >>> found.targets.shape, found.log[-1]["step"]
        ((1, 32, 32, 3), 2)
    """

    images: np.ndarray
    targets: np.ndarray
    log: list[dict[str, Any]]
    outcome: Outcome
    job: Job


@checked
def reconstruct(
    classifier: Classifier,
    photographs: Any,
    layers: Sequence[str] | str,
    **options: Any,
) -> Reconstructed:
    """Find photographs again from what a network's layers keep of them.

    Args:
        classifier: Network, e.g. from `load_classifier`.
        photographs: Photographs (images, height, width, channels), or one of them:
            uint8, or floats in [0, 1]; of other sizes than the network's they are
            resized.
        layers: Layers whose features are known, e.g. "conv3_1,pool5"; those above the
            deepest are not computed.
        **options: Options of `make_reconstruction`.

    Raises:
        ConfigError: Something cannot work.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> photograph = jinv.dead_leaves(1, 32)
        >>> found = jinv.reconstruct(network, photograph, "stage1", steps=(2,))
        >>> found.images.shape
        (1, 32, 32, 3)
    """
    job = make_reconstruction(classifier, photographs, layers, **options)
    assert isinstance(job.request, PhotographRequest)
    targets = job.request.photographs.astype(np.float32) / 255
    images, _, log, outcome = job.gather()
    return Reconstructed(images, targets, log, outcome, job)


@checked
def make_reconstruction(
    classifier: Classifier,
    photographs: Any,
    layers: Sequence[str] | str,
    *,
    names: Sequence[str] | None = None,
    preset: str | None = None,
    batch_size: Count | None = None,
    method: FeatureInversion | None = None,
    decoder: Decodes | None = None,
    seed: Seed = 0,
    execution: Execution | None = None,
    priors: Sequence[Any] = (),
    prior_stride: Count = STRIDE,
    **overrides: Any,
) -> Job:
    """Check a feature inversion before any work is done.

    Args:
        classifier: Network whose features are inverted.
        photographs: Photographs, see `reconstruct`.
        layers: Names of layers, as a list or parted by commas; see
            `Classifier.feature_shapes`.
        names: Name of each photograph; by default numbers.
        preset: Name from `RECONSTRUCTIONS`.
        batch_size: Photographs that are computed together; by default few.
        method: Settings instead of a preset's; its layers are replaced.
        decoder: Decoder of one of the layers, from `load_decoder`: images start from
            what it makes of the features, and without `steps` stay so.
        seed: Seed of all randomness.
        execution: How to carry the work out.
        priors: Learned priors, see `cast_priors`.
        prior_stride: Distance of the patches that priors look at in a step, in pixels;
            1 for all.
        **overrides: Settings of `FeatureInversion` that differ.

    Raises:
        ConfigError: Something cannot work.
    """
    if isinstance(layers, str):
        layers = parse_layers(layers)
    size = (classifier.spec.input_size,) * 2
    targets = levels_of(classifier, "photographs", photographs, size)
    names = named(names, len(targets))
    if decoder is not None:
        _check_decoder(decoder, classifier, layers)
    if method is None:
        found = find_reconstruction(preset or "default")
        found.check_priors(priors)
        method = found.fitted(classifier, layers)
        if decoder is not None:
            overrides = {"start": "decoder", **overrides}
    elif preset is not None:
        raise ConfigError("give a preset or a method's configuration, not both")
    taking_part = cast_priors(priors, classifier, prior_stride)
    settings = with_given(method, {"layers": tuple(layers), **overrides})
    if (decoder is None) == (settings.start == "decoder"):
        raise ConfigError(
            f"start is {settings.start!r}, and "
            f"{'no' if decoder is None else 'a'} decoder is given: give both or none"
        )
    execution = execution or Execution()
    if batch_size is None:
        batch_size = min(len(targets), 16 if on_accelerator() else 4)
    make_placement(execution.parallel, execution.devices, batch_size, 0)
    request = PhotographRequest(classifier, targets, names, decoder=decoder)
    cast = {TEACHER: classifier}
    job = Job(cast, request, batch_size, settings, seed, execution, taking_part)
    return job.fitting()


def _check_decoder(
    decoder: Decodes, classifier: Classifier, layers: Sequence[str]
) -> None:
    if isinstance(decoder, str | Path):
        raise ConfigError(
            f"decoder: expected one of `jinv.load_decoder`, found its path {decoder}"
        )
    decoder.check(classifier)
    if decoder.layer not in layers:
        raise ConfigError(
            f"the decoder is told the features of {decoder.layer}, but the layers are "
            f"{', '.join(layers)}: whoever starts from it would know more; add "
            f"{decoder.layer}, or teach a decoder of one of these"
        )
