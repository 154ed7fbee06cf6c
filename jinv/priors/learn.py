"""Learning a prior as one call: from images, or from features, to a file and a card."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jinv.checked import checked
from jinv.devices import peak_memory_mib, provenance
from jinv.engine.events import LessonEvent
from jinv.engine.fit import Course, fit
from jinv.engine.placement import make_placement
from jinv.errors import ConfigError
from jinv.folders import Folder, Kind
from jinv.metrics_log import METRICS, metrics_log
from jinv.models.classifier import Classifier
from jinv.models.receptive_fields import fields_of
from jinv.priors.config import PriorConfig
from jinv.priors.denoiser import DEPTH
from jinv.priors.files import write_prior
from jinv.priors.form import Form
from jinv.priors.lessons import PriorLesson, make_lesson, recipe_of
from jinv.priors.material import FeatureMaterial, ImageMaterial, Material
from jinv.priors.measuring import measure_prior
from jinv.priors.patches import draw_patches, parted
from jinv.priors.presets import find_prior_preset
from jinv.priors.prior import Prior
from jinv.suggest import check_options
from jinv.values import Natural

PRIOR_KIND = Kind(
    "prior",
    "prior",
    owned=(
        "checkpoint",
        METRICS,
        "prior.safetensors",
        "prior.json",
        "index.html",
        "*.png",
    ),
)
"""What learning a prior leaves in a folder."""
_PATCH, _LARGEST = 8, 5
"""Side of a patch of images by default; and of features at most, by default."""
_MEASURED = 2_000
"""Held-out patches that a prior is measured on, and of features fewer."""
_MOST_NUMBERS = 2**22
"""Numbers in those patches at most."""
_CROPS = 16
"""Held-out crops that are looked at after each round."""


@checked
def learn_prior(
    images: Any,
    folder: Path | str,
    *,
    network: Classifier | None = None,
    layer: str = "",
    chosen: tuple[Natural, ...] = (),
    grey: bool | None = None,
    preset: str = "default",
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    on_start: Callable[[], None] = lambda: None,
    on_end: Callable[[Prior], object] = lambda _: None,
    on_event: Callable[[LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    **settings: Any,
) -> Prior:
    """Learn what images, or the features of a layer, usually look like.

    Writes prior.safetensors and prior.json, its card, to `folder`, where a later call
    with the same arguments goes on, to the same bytes. A tenth of the images is held
    out, and the prior measured on it.

    Args:
        images: Images to learn from: a sequence of arrays (height, width, 1 or 3),
            uint8, of any sizes, such as `jinv.data.photographs.Photographs`.
        folder: Folder of the lesson.
        network: Network whose features it is to be of; none for images.
        layer: Layer of the network.
        chosen: Channels of the layer to look at, by number; all where there are none.
        grey: Whether images are made grey, or RGB; by default the preset says so.
        preset: Name from `PRIORS`, of which settings say what differs.
        overwrite: Whether to remove the lesson that the folder holds.
        about: What else the card is to say.
        on_start: Called once, when everything is checked and the folder taken.
        on_end: Called with the prior, before the folder is let go.
        on_event: Called with each event, in order.
        should_stop: Asked after every step.
        **settings: Fields of `PriorConfig` that differ from the preset's.

    Raises:
        ConfigError: A setting cannot be, or the network has no such layer.
        DataError: There are no images, or one is smaller than a patch.
        FolderError: The folder holds something else, e.g. a prior of other settings.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import tempfile
        >>> from jinv import dead_leaves
        >>> images = dead_leaves(4, 32, seed=0)
        >>> with tempfile.TemporaryDirectory() as out:
        ...     prior = learn_prior(
        ...         images, Path(out), patch=3, filters=8, steps=4, patches=500
        ...     )
        >>> prior.variables["filters"].shape
        (8, 3, 3, 3)
    """
    if isinstance(images, str | Path):
        raise ConfigError(
            f"images: expected arrays, e.g. of `jinv.load_labelled`, found {images!r}"
        )
    found = find_prior_preset(preset)
    check_options(settings, [field.name for field in fields(PriorConfig)])
    config = replace(found.config, **settings).whole()
    if grey is None and network is None:
        grey = found.channels == 1
    material = _material(images, network, layer, chosen, grey, config.shrink)
    form = form_of(material, config, network)
    inner = _inner(form)
    described = {"form": asdict(form), **asdict(config), **material.describe()}
    # A first patch before the folder: what cannot be read is refused at once.
    crop = _crop(material, config, form.size)
    draw_patches(material, np.zeros(1, int), 1, crop, config.seed)
    folder = Path(folder)
    with Folder(folder, PRIOR_KIND, described, overwrite=overwrite) as held:
        on_start()
        draw = partial(draw_patches, material)
        parts = parted(len(material), config.seed)
        taught, examples, tests = _drawn(draw, parts, inner, config, crop)
        # What cannot be read is found now, and not when all is learnt.
        count = min(_MEASURED, max(500, _MOST_NUMBERS // int(np.prod(form.patch))))
        apart = draw(parts[1], count, form.size, config.seed + 2)
        course = Course(
            config.rounds,
            config.round_steps,
            partial(_batches, examples, config.round_steps, config),
            _measure(taught, tests, config.seed),
            unit="round",
        )
        learnt = fit(
            taught.lesson,
            course,
            make_placement("jit", 1, config.batch_size),
            held,
            on_event=on_event,
            should_stop=should_stop,
        )
        variables = _sorted(taught.variables(learnt.trained, taught.lesson.frozen))
        measured = measure_prior(inner, variables, apart, config.seed)
        variables |= {n: np.float32(measured[n]) for n in ("mean", "deviation")}
        rows = metrics_log(folder).rows()
        card = {
            "prior": str(form),
            "of": asdict(form.subject),
            "held_out": len(parts[1]) if len(parts[1]) < len(parts[0]) else 0,
            **material.describe(),
            "recipe": asdict(config)
            | {"objective": config.followed, "preset": preset, "source": found.source},
            "denoising": recipe_of(taught.scale, jax.device_get(learnt.trained)),
            "measured": measured,
            "seconds": round(sum(row.get("seconds", 0.0) for row in rows), 1),
            "peak_memory_mib": round(peak_memory_mib()),
            **(about or {}),
            **provenance(),
        }
        path = folder / "prior.safetensors"
        prior = write_prior(path, Prior(form, variables, card))
        on_end(prior)
    return prior


def _drawn(
    draw: Callable[..., np.ndarray],
    parts: tuple[np.ndarray, np.ndarray],
    form: Form,
    config: PriorConfig,
    crop: tuple[int, int],
) -> tuple[PriorLesson, np.ndarray, np.ndarray]:
    """Make a lesson; what it learns from, and what is looked at meanwhile, are drawn.

    Args:
        draw: `draw_patches` of the material.
        parts: Images to learn from and those held out, by number.
        form: Form of the prior.
        config: How it learns.
        crop: Height and width of crops, where it learns on these.
    """
    known, apart = parts
    patches = draw(known, config.patches, form.size, config.seed)
    if not (form.subject.layer or config.on_crops):
        # Bytes lie on a lattice, whose density is none.
        rng = np.random.default_rng(config.seed)
        patches += (rng.random(patches.shape, np.float32) - 0.5) / 255
    taught = make_lesson(form, config, patches)
    if config.on_crops:
        examples = draw(known, config.crops, crop, config.seed)
        return taught, examples, draw(apart, _CROPS, crop, config.seed + 1)
    tests = draw(apart, 1000, form.size, config.seed + 1)
    return taught, taught.prepare(patches), taught.prepare(tests)


def form_of(
    material: Material, config: PriorConfig, network: Classifier | None
) -> Form:
    """The form of a prior that is learnt from something.

    Raises:
        ConfigError: Filters are to be separable, of grey images.
    """
    subject = material.subject
    if config.kind == "dae":
        side = 2 * DEPTH + 1
    elif config.patch:
        side = config.patch
    else:
        side = own_kernel(network, subject.layer) if network else _PATCH
    channels = len(subject.chosen) or subject.channels
    if config.layout == "separable" and channels == 1:
        raise ConfigError(f"layout separable: {subject} have one channel: take full")
    return Form(subject, side, side, config.kind, config.expert, config.layout)


def own_kernel(network: Classifier, layer: str) -> int:
    """The side of the receptive field of a layer in the named one before, at most 5.

    Args:
        network: Network of the layer.
        layer: Name of a layer that has a height and width.
    """
    found = fields_of(network)
    own = found[layer]
    height, width = network.feature_shapes[layer][:2]
    if own is None:
        return 1
    before = [each for each in found.values() if each and each.size < own.size]
    size, stride = max(((b.size, b.stride) for b in before), default=(1, 1))
    return min((own.size - size) // stride + 1, _LARGEST, height, width)


def _material(
    images: Any,
    network: Classifier | None,
    layer: str,
    chosen: Sequence[int],
    grey: bool | None,
    shrink: float,
) -> Material:
    if network is not None:
        if grey is not None:
            raise ConfigError("grey is for priors of images: leave it out with a layer")
        if shrink != 1:
            raise ConfigError("shrink is for priors of images: leave it out")
        return FeatureMaterial(network, layer, images, chosen)
    if layer or chosen:
        raise ConfigError("give the network whose layer or channels these are")
    return ImageMaterial(images, 1 if grey else 3, shrink)


def _inner(form: Form) -> Form:
    """The form for values that have the chosen channels only."""
    subject = replace(form.subject, channels=form.channels, chosen=())
    return replace(form, subject=subject)


def _crop(
    material: Material, config: PriorConfig, size: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of what is learnt from: patches, or crops no smaller.

    Crops are no larger than the first image, or than the maps of its features.
    """
    if not config.on_crops:
        return size
    (values,) = material.read(np.zeros(1, int))
    height, width = (
        max(least, min(config.crop, room))
        for least, room in zip(size, values.shape[:2], strict=True)
    )
    return height, width


def _sorted(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Bring filters into the order of their weights, the greatest first."""
    found = {name: jax.device_get(value) for name, value in variables.items()}
    order = np.argsort(-found["alphas"], kind="stable") if "alphas" in found else ()
    names = {"alphas", "offsets", "filters", "spatial", "across"} & found.keys()
    return found | {name: found[name][order] for name in names}


def _batches(
    examples: np.ndarray, steps: int, config: PriorConfig, number: int, first: int
) -> Iterator[np.ndarray]:
    """A round's batches from one on, drawn anew from all examples in each round."""
    rng = np.random.default_rng([config.seed, number])
    chosen = rng.integers(len(examples), size=(steps, config.batch_size))
    for indices in chosen[first:]:
        yield examples[indices]


def _measure(
    taught: PriorLesson, tests: np.ndarray, seed: int
) -> Callable[[int, Any, Any], dict[str, float]]:
    objective = jax.jit(taught.lesson.objective)
    frozen = taught.lesson.frozen

    def measure(_: int, trained: Any, state: Any) -> dict[str, float]:
        key = jax.random.key(seed)
        loss, (_, more) = objective(trained, frozen, state, tests, key)
        row = {"held_out_loss": loss} | {f"held_out_{n}": x for n, x in more.items()}
        return {name: float(value) for name, value in row.items()}

    return measure
