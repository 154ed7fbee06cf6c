"""Teaching a decoder as one call: its file, its card and its page."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.data.photographs import named
from jinv.decoders.config import DecoderConfig
from jinv.decoders.crops import as_taken, batches_of, laid_out, middles
from jinv.decoders.decoder import NAME, About, Decoder, write_decoder
from jinv.decoders.design import crop_of, design_decoder
from jinv.decoders.lesson import decoder_lesson, station_scales
from jinv.devices import peak_memory_mib, provenance
from jinv.engine.events import LessonEvent
from jinv.engine.fit import Course, fit
from jinv.engine.placement import make_placement
from jinv.folders import Folder, Kind
from jinv.levels import to_uint8
from jinv.metrics.feature_errors import feature_errors
from jinv.metrics.fidelity import psnr
from jinv.metrics.means import mean_of
from jinv.metrics_log import METRICS, metrics_log
from jinv.models.classifier import Classifier
from jinv.models.zoo import beyond_zoo
from jinv.reconstruction.photographs import PhotographRequest
from jinv.report.decoder_page import write_decoder_page
from jinv.report.reconstruction import reconstruction_errors, save_differences
from jinv.suggest import check_options
from jinv.values import Natural

DECODER = Kind(
    "decoder",
    "decoder",
    owned=(
        "checkpoint",
        METRICS,
        "index.html",
        "curves.png",
        "differences.png",
        NAME,
        "decoder.json",
    ),
)
_LOOKS, _SHOWN, _SCALES = 16, 8, 64
"""Held-out photographs that are looked at after every round; those that the page shows;
and photographs of which the scales of the stations are measured."""


class LearntDecoder(NamedTuple):
    """What comes out of teaching a decoder.

    Attributes:
        decoder: The decoder.
        path: File that holds it; its card lies beside it, as .json.
        errors: Means over the photographs held out, by name: `psnr` (dB), `ssim`,
            `lpips` where it can be measured, and `relative_squared_error` of the
            features; None where there are none.
    """

    decoder: Decoder
    path: Path
    errors: dict[str, float | None]


@checked
def learn_decoder(
    classifier: Classifier,
    layer: str,
    photographs: Any,
    folder: Path | str,
    held_out: Any = (),
    *,
    names: Sequence[str] = (),
    devices: Natural = 1,
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    on_start: Callable[[], None] = lambda: None,
    on_event: Callable[[LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    **learning: Any,
) -> LearntDecoder:
    """Teach a decoder to make images of what a layer of a network says of them.

    It sees features of random crops, and learns by the crops themselves. Writes
    decoder.safetensors, decoder.json (its card), index.html and its pictures to
    `folder`, where a later call with the same arguments goes on, to the same bytes.

    Args:
        classifier: Network whose features are decoded; it stays as it is.
        layer: Name of the feature; see `Classifier.feature_shapes`.
        photographs: Photographs to learn from, each (height, width, 3), or 1 where
            grey, uint8, of any sizes; those smaller than a crop are enlarged.
        folder: Folder of the decoder.
        held_out: Photographs on which it is tested, likewise; of each the middle.
        names: Names of these, for the page; by default numbers.
        devices: Devices that each batch is spread over; 0 for as many as share it
            evenly.
        overwrite: Whether to remove the decoder that the folder holds.
        about: What else the card is to say.
        on_start: Called once, when everything is checked and the folder taken.
        on_event: Called with each event, in order.
        should_stop: Asked after every step.
        **learning: Fields of `DecoderConfig` that differ from its defaults.

    Raises:
        ConfigError: The network has no such layer, or an option cannot be.
        DataError: There are no photographs, or one is none.
        FolderError: The folder holds something else, e.g. a decoder of another
            configuration.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import tempfile
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> leaves = list(jinv.dead_leaves(4, 32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     learnt = jinv.learn_decoder(
        ...         network, "middle1", leaves, Path(folder) / "run", steps=1
        ...     )
        >>> learnt.decoder.layer
        'middle1'
    """
    check_options(learning, [field.name for field in fields(DecoderConfig)])
    config = DecoderConfig(**learning).whole()
    design = design_decoder(classifier, layer, config)
    size, channels = crop_of(classifier, layer, config), classifier.spec.channels
    placement = make_placement("jit", devices, config.batch_size)
    known, tested = (
        as_taken(images, channels, size) for images in (photographs, held_out)
    )
    names = named(names, len(tested))
    request = None
    if tested:
        cut = middles(tested, size)
        request = PhotographRequest(classifier, cut, names, (layer,))
    described = _description(classifier, layer, config, size, known, tested)
    folder = Path(folder)
    path = folder / NAME
    with Folder(folder, DECODER, described, overwrite=overwrite) as held:
        on_start()
        scales = station_scales(design, middles(known[:_SCALES], size))
        told = About(
            classifier.spec.name, classifier.checksum, layer, size, config,
            tuple(map(float, scales)),
        )  # fmt: skip

        def look(round_: int, trained: Any, state: Any) -> dict[str, float]:
            del round_, state
            decoder = Decoder(design, placement.get(trained), told)
            return _look(decoder, request) if request else {}

        learnt = fit(
            decoder_lesson(design, laid_out(known), scales, config, size),
            Course(
                config.rounds,
                config.round_steps,
                lambda number, first: batches_of(
                    len(known),
                    config.batch_size,
                    config.seed,
                    number * config.round_steps + first,
                    config.round_steps - first,
                ),
                look,
                unit="round",
            ),
            placement,
            held,
            on_event=on_event,
            should_stop=should_stop,
        )
        params = jax.tree.map(jnp.asarray, placement.get(learnt.trained))
        decoder = Decoder(design, params, told)
        decoder = replace(decoder, sha256=write_decoder(path, decoder))
        errors = _errors(folder, decoder, request)
        rows = metrics_log(folder).rows()
        card = _card(decoder, len(known), len(tested), rows, errors)
        card |= dict(about or {})
        write_json(path.with_suffix(".json"), card)
        write_decoder_page(folder, card, errors)
    return LearntDecoder(decoder, path, card["errors"])


def _decoded(decoder: Decoder, request: PhotographRequest, images: np.ndarray) -> Any:
    """Features of photographs, and the images that are decoded from these alone."""
    features = [
        request.features(images[first : first + _SHOWN])[decoder.layer]
        for first in range(0, len(images), _SHOWN)
    ]
    known = np.concatenate(features)
    return known, decoder.images(known, images.shape[1:3])


def _look(decoder: Decoder, request: PhotographRequest) -> dict[str, float]:
    """Errors of some photographs that are held out: of pixels, and of features."""
    images = request.photographs[:_LOOKS]
    known, found = _decoded(decoder, request, images)
    square = np.mean((found - images.astype(np.float32) / 255) ** 2, (1, 2, 3))
    seen = request.features(to_uint8(found))[decoder.layer]
    apart = [error.relative_squared_error for error in feature_errors(seen, known)]
    row = {"test_psnr": float(np.mean(psnr(np.maximum(square, 1e-10))))}
    mean = mean_of(apart).value
    return row | ({} if mean is None else {"test_error": mean})


def _errors(
    folder: Path, decoder: Decoder, request: PhotographRequest | None
) -> dict[str, Any] | None:
    """Measure all photographs that are held out, and show the first of them."""
    if request is None:
        return None
    _, found = _decoded(decoder, request, request.photographs)
    numbers, images = range(request.count), to_uint8(found)
    save_differences(folder, request, numbers[:_SHOWN], images[:_SHOWN])
    return reconstruction_errors(request, numbers, images)


def _card(
    decoder: Decoder,
    photographs: int,
    held_out: int,
    rows: list[dict[str, Any]],
    errors: dict[str, Any] | None,
) -> dict[str, Any]:
    """Tell where a decoder comes from and what it does, as JSON."""
    about, design = decoder.about, decoder.design
    config = about.config
    leaves = jax.tree.leaves(decoder.params)
    means = {}
    for row in (errors or {}).get("images", {}).values():
        layer = row["features"][about.layer]
        for name in ("psnr", "ssim", "lpips", "relative_squared_error"):
            if name in row or name in layer:
                means.setdefault(name, []).append(row.get(name, layer.get(name)))
    return {
        "network": about.network,
        "network_sha256": about.network_sha256,
        "layer": about.layer,
        "features": list(design.way[-1].shape),
        "crop": about.crop,
        "modules": list(design.names),
        "parameters": int(sum(leaf.size for leaf in leaves)),
        "recipe": asdict(config),
        "photographs": photographs,
        "held_out": held_out,
        "errors": {name: mean_of(values).value for name, values in means.items()},
        "lpips_by": (errors or {}).get("lpips_by"),
        "budget": {
            "updates": config.steps,
            "crops": config.steps * config.batch_size,
            "seconds": round(sum(row["seconds"] for row in rows), 1),
            "peak_memory_mib": round(peak_memory_mib()),
        },
        "seed": config.seed,
        "sha256": decoder.sha256,
        **provenance(),
    }


def _description(
    classifier: Classifier,
    layer: str,
    config: DecoderConfig,
    crop: int,
    known: Sequence[np.ndarray],
    tested: Sequence[np.ndarray],
) -> dict[str, Any]:
    """All that a decoder depends on, as JSON."""
    return {
        "network": classifier.spec.name,
        **beyond_zoo(classifier.spec).to_json(),
        "network_sha256": classifier.checksum,
        "precision": np.dtype(classifier.dtype).name,
        "layer": layer,
        **asdict(config),
        "crop": crop,
        "photographs": _fingerprint(known),
        "held_out": _fingerprint(tested),
    }


def _fingerprint(images: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.shape}".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()
