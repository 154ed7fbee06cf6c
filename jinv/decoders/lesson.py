"""A decoder's lesson: to make of features what they were made of."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv import losses
from jinv.decoders.config import DecoderConfig
from jinv.decoders.crops import Drawn, LaidOut, draw_crops
from jinv.decoders.design import Design, Params
from jinv.engine.lesson import Lesson, Measurements
from jinv.engine.optimizers import make_optimizer, make_schedule

BETAS = (0.9, 0.999)
"""Decay rates of Adam."""


def decoder_lesson(
    design: Design,
    photographs: LaidOut,
    scales: np.ndarray,
    config: DecoderConfig,
    size: int,
) -> Lesson:
    """Make the lesson of a decoder, whose batches are `Drawn`.

    A step measures the error of each station that is decoded, by its name, and
    `features`, that of the decoded image's features where they count.

    Args:
        design: Modules of the decoder.
        photographs: Photographs that crops are cut out of.
        scales: Root mean squares of the stations (stations,); see `station_scales`.
        config: How it learns, a configuration that is `whole`.
        size: Height and width of the crops, in pixels.
    """
    schedule = make_schedule(config.schedule, config.lr, config.steps, config.warmup)
    waiting = max(1, config.steps // 20) if config.schedule == "plateau" else None
    return Lesson(
        design.init(config.seed, size),
        partial(_objective, design, config, design.sizes((size, size))),
        make_optimizer("adam", schedule, BETAS, waiting, config.max_norm),
        (design.classifier.variables, photographs, np.asarray(scales, np.float32)),
        seed=config.seed,
        advice=f"take a lower lr than {config.lr}",
    )


def station_scales(design: Design, images: np.ndarray) -> np.ndarray:
    """Measure the root mean squares of all stations, by which features are divided.

    What a layer says may be of any size, and what a module starts with is of size 1.

    Args:
        design: Design, which knows the stations.
        images: Images (images, size, size, channels), uint8.

    Returns:
        Scales (stations,), float32; 1 for the image, which is normalised, and for a
        station that says nothing.
    """
    names = [station.name for station in design.way[1:]]

    def squares(variables: Any, inputs: jax.Array) -> list[jax.Array]:
        features = design.classifier.features(variables, inputs)
        return [jnp.mean(jnp.square(_plain(features[name]))) for name in names]

    program = jax.jit(squares)
    found = [
        program(
            design.classifier.variables, design.classifier.normalise(images[n][None])
        )
        for n in range(len(images))
    ]
    roots = np.sqrt(np.mean(np.asarray(found), 0))
    return np.asarray([1.0, *np.where(roots > 0, roots, 1.0)], np.float32)


def decoder_losses(
    design: Design,
    config: DecoderConfig,
    sizes: tuple[tuple[int, int], ...],
    params: Params,
    variables: Any,
    scales: jax.Array,
    inputs: jax.Array,
) -> dict[str, jax.Array]:
    """Compute the error of each station that is decoded, and that of the features.

    Args:
        design: Modules of the decoder.
        config: Configuration, whose regime says what each module is fed with.
        sizes: Heights and widths of the stations.
        params: Parameters of all modules.
        variables: Variables of the network.
        scales: Root mean squares of the stations (stations,).
        inputs: Inputs of the network (batch, height, width, channels).

    Returns:
        Mean squared errors by the name of the station, over its mean square; and
        `features` where these count.
    """
    features = design.classifier.features(variables, inputs)
    names, top = design.names, len(design.modules)
    true = [inputs, *(_plain(features[station.name]) for station in design.way[1:])]
    true = [each / scale for each, scale in zip(true, scales, strict=True)]
    found, last = {}, true[top]
    for number in reversed(range(top)):
        source = true[number + 1] if config.regime == "stacked" else last
        last = design.decode(params, number, source, sizes[number])
        found[names[number]] = losses.mean_feature_distance(last, true[number]).mean()
    if config.w_features:
        seen = design.classifier.features(variables, last)[design.layer]
        apart = losses.mean_feature_distance(_plain(seen) / scales[top], true[top])
        found["features"] = apart.mean()
    return found


def _objective(
    design: Design,
    config: DecoderConfig,
    sizes: tuple[tuple[int, int], ...],
    trained: Any,
    frozen: Any,
    state: Any,
    batch: Drawn,
    key: jax.Array,
) -> tuple[jax.Array, tuple[Any, Measurements]]:
    variables, photographs, scales = frozen
    crops = draw_crops(photographs, batch, key, sizes[0][0])
    inputs = design.classifier.normalise(crops)
    found = decoder_losses(design, config, sizes, trained, variables, scales, inputs)
    image, *between = design.names
    loss = config.w_image * found[image]
    if config.w_features:
        loss += config.w_features * found["features"]
    if config.w_between:
        loss += config.w_between * sum(found[name] for name in between)
    return loss, (state, found)


def _plain(features: jax.Array) -> jax.Array:
    return features.astype(jnp.float32)
