"""Checking a visualisation before any work is done: what is asked becomes a job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jinv.checked import checked
from jinv.devices import on_accelerator
from jinv.engine.execution import Execution
from jinv.engine.phase import TEACHER
from jinv.engine.placement import make_placement
from jinv.errors import ConfigError
from jinv.inversion.classes import RANDOM, Classes, find_classes
from jinv.inversion.job import Job
from jinv.inversion.learned import cast_priors
from jinv.inversion.settings import with_given
from jinv.models.classifier import Classifier
from jinv.priors.energy import STRIDE
from jinv.values import Count, Seed
from jinv.visualization.dream_requests import CaricatureRequest, DreamRequest
from jinv.visualization.dreams import Caricature, DeepDream
from jinv.visualization.pictures import Pictures
from jinv.visualization.presets import find_visualization, presets_for
from jinv.visualization.request import VisualRequest
from jinv.visualization.unit_request import UnitRequest
from jinv.visualization.units import (
    Unit,
    class_unit,
    find_directions,
    find_units,
    layer_shapes,
)
from jinv.visualization.visualization import Visualization


def visual_kind(units: bool, caricatures: bool) -> type[Visualization]:
    """Tell the method for what is asked.

    Args:
        units: Whether units, classes or directions are.
        caricatures: Whether caricatures are.
    """
    if caricatures:
        return Caricature
    return Visualization if units else DeepDream


@checked
def make_visualization(
    classifier: Classifier,
    units: str | Sequence[str] = (),
    *,
    classes: Classes | None = None,
    directions: Any = None,
    layers: str | Sequence[str] = (),
    start: Any = None,
    caricature: Any = None,
    names: Sequence[str] | None = None,
    preset: str | None = None,
    method: Visualization | None = None,
    batch_size: Count | None = None,
    seed: Seed = 0,
    execution: Execution | None = None,
    priors: Sequence[Any] = (),
    prior_stride: Count = STRIDE,
    **overrides: Any,
) -> Job:
    """Check a visualisation before any work is done.

    Args:
        classifier: Network that is to be excited.
        units: Units, see `visualize`.
        classes: Classes, see `visualize`.
        directions: Directions, see `visualize`.
        layers: Names of layers, as a list or parted by commas; see
            `Classifier.feature_shapes`.
        start: Photographs that images start from, see `visualize`.
        caricature: Photographs that are exaggerated, see `visualize`.
        names: Name of each photograph; by default numbers.
        preset: Name from `VISUALIZATIONS`.
        method: Settings instead of a preset's; what they leave open is filled in.
        batch_size: Images that are optimised together, of whole units; by default few.
        seed: Seed of all randomness.
        execution: How to carry the work out.
        priors: Learned priors, see `cast_priors`.
        prior_stride: Distance of the patches that priors look at in a step, in pixels;
            1 for all.
        **overrides: Settings of the method that differ, e.g. `steps=128`.

    Raises:
        ConfigError: Something cannot work.
    """
    asks_for_units = bool(len(units)) or classes is not None or directions is not None
    _check_asked(classifier, asks_for_units, start, caricature)
    kind = visual_kind(asks_for_units, caricature is not None)
    if method is None:
        chosen = find_visualization(preset or presets_for(kind)[0], kind)
        method = chosen.fitted(classifier.spec)
    elif preset is not None:
        raise ConfigError("give a preset or a method's configuration, not both")
    elif type(method) is not kind:
        raise ConfigError(
            f"method: {kind.__name__} is asked for, found {type(method).__name__}"
        )
    taking_part = cast_priors(priors, classifier, prior_stride)
    settings = with_given(method, overrides)
    settings.extent(classifier)  # refuses a size of one number
    pictures = Pictures.of(classifier, start, caricature, names, settings.size)
    if pictures.size:
        settings = replace(settings, size=pictures.size)
    layers = _listed(layers)
    if asks_for_units:
        shapes = layer_shapes(classifier, settings.extent(classifier))
        found = _units(classifier, shapes, units, classes, directions, layers)
        settings = replace(settings, layers=_layers_of(found))
        request = _unit_request(classifier, settings, found, pictures)
    else:
        settings = replace(settings, layers=layers or settings.layers)
        request = _photograph_request(classifier, settings, pictures)
    execution = execution or Execution()
    batch_size = _whole_units(batch_size, request, settings, execution)
    cast = {TEACHER: classifier}
    job = Job(cast, request, batch_size, settings, seed, execution, taking_part)
    return job.fitting()


def _check_asked(classifier: Classifier, units: bool, *photographs: Any) -> None:
    start, caricature = photographs
    if caricature is not None and units:
        raise ConfigError(
            "give units, classes or directions, or else caricatures, not both"
        )
    if not units and caricature is None and start is None:
        raise ConfigError(
            "nothing is asked for: give units (LAYER:CHANNEL), classes, directions, a "
            "start to dream on from, or a caricature; `jinv models "
            f"{classifier.spec.name}` lists what there is"
        )


def _units(
    classifier: Classifier,
    shapes: Mapping[str, tuple[int, ...]],
    units: str | Sequence[str],
    classes: Classes | None,
    directions: Any,
    layers: tuple[str, ...],
) -> list[Unit]:
    found = find_units(units, classifier, shapes)
    if classes is not None:
        indices = find_classes(classes, classifier.spec.classes)
        if RANDOM in indices:
            raise ConfigError("classes: a class drawn at random is no unit: name it")
        found += [class_unit(classifier, index) for index in indices]
    if directions is None:
        if layers:
            raise ConfigError(
                f"layers: those of units are told by the units: leave "
                f"{','.join(layers)} out, or give directions there"
            )
        return found
    if len(layers) != 1:
        raise ConfigError(
            f"directions are of one layer, {len(layers)} were given; `jinv models "
            f"{classifier.spec.name}` lists them"
        )
    named = directions if isinstance(directions, Mapping) else {"direction": directions}
    for name, vectors in named.items():
        found += find_directions(vectors, classifier, layers[0], shapes, str(name))
    return found


def _layers_of(units: Sequence[Unit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unit.layer for unit in units))


def _unit_request(
    classifier: Classifier,
    settings: Visualization,
    units: Sequence[Unit],
    pictures: Pictures,
) -> VisualRequest:
    if not units:
        raise ConfigError("no units were given: expected e.g. conv5:0-23")
    return UnitRequest(
        classifier,
        settings.layers,
        (*settings.extent(classifier), classifier.spec.channels),
        pictures.starts_of(len(units)),
        settings.per_unit,
        units=tuple(units),
    )


def _photograph_request(
    classifier: Classifier, settings: Visualization, pictures: Pictures
) -> VisualRequest:
    common = (
        classifier,
        settings.layers,
        (*settings.extent(classifier), classifier.spec.channels),
        pictures.starts_of(len(pictures.names)),
        settings.per_unit,
    )
    if pictures.targets is None:
        return DreamRequest(*common, names=pictures.names)
    assert isinstance(settings, Caricature)
    return CaricatureRequest(
        *common, names=pictures.names, targets=pictures.targets, method=settings
    )


def _whole_units(
    given: int | None,
    request: VisualRequest,
    settings: Visualization,
    execution: Execution,
) -> int:
    """The size of a batch, in which the images of a unit are together.

    Raises:
        ConfigError: They would not be, there or on a device.
    """
    each, questions = request.each, len(request.questions)
    large = request.shape[0] * request.shape[1] > 64**2
    most = 64 if on_accelerator() else 8 if large else 32
    batches = -(-questions // max(1, most // each))
    size = given or -(-questions // batches) * each
    if size % each:
        raise ConfigError(
            f"batch_size: the {each} images of a unit are optimised together: take "
            f"a multiple of {each}, not {size}"
        )
    devices = make_placement(execution.parallel, execution.devices, size).devices
    if settings.w_diversity and execution.parallel == "pmap" and size // devices % each:
        raise ConfigError(
            f"{devices} devices share a batch of {size}, and the {each} images of a "
            "unit would lie on several: take --parallel jit"
        )
    return size


def _listed(layers: str | Sequence[str]) -> tuple[str, ...]:
    items = layers.split(",") if isinstance(layers, str) else layers
    return tuple(item.strip() for item in items if item.strip())
