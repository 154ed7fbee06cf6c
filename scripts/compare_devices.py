#!/usr/bin/env python3
"""How much do images depend on how many devices make them?

Makes the same images on one device and on several, virtual ones where there is only a
CPU, and prints how far apart they are, in levels of 255. Devices add up in an order of
their own, and every step makes the difference in rounding larger. Images by another
seed are the measure of how far that goes, and an independent network tells whether it
matters to what they show.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro

import jinv
from jinv.cli.networks import load_network
from jinv.devices import device_count, device_name
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.execution import Execution
from jinv.engine.placement import Parallel
from jinv.inversion.invert import invert
from jinv.levels import to_uint8
from jinv.models.loading import load_classifier


@dataclass(frozen=True)
class Compare:
    """What is made, and by how many devices."""

    classes: str = "0-7"
    model: str = "cifar10_resnet20"
    weights: Path | None = None
    """By default the project's own, an installed package's, or a download."""
    images: int = 16
    company: int | None = None
    """Images of other classes beside them; by default 3 of each, or enough of them."""
    steps: tuple[int, ...] | None = None
    """Updates in each phase; by default those of the preset."""
    devices: int = 8
    """Devices there are: virtual ones of the CPU, where that is all there is. As many
    of them take part as share a batch evenly."""
    parallel: tuple[Parallel, ...] = ("jit", "pmap")
    judge: str | None = None
    """Network that judges the images: NAME or NAME=FILE."""
    seed: int = 0


def main(options: Compare) -> None:
    """Measure and print."""
    jax.config.update("jax_num_cpu_devices", options.devices)
    keep_compiled_programs()
    classifier = load_classifier(options.model, options.weights)
    judge = load_network(options.judge) if options.judge else None
    settings = {"steps": options.steps} if options.steps else {}

    def make(execution: Execution, seed: int) -> tuple[int, np.ndarray, str]:
        """The number of devices that took part, the images, and their verdict."""
        result = invert(
            classifier,
            options.classes,
            options.images,
            company=options.company,
            seed=seed,
            execution=execution,
            **settings,
        )
        pixels = to_uint8(result.images)
        verdict = "not judged"
        if judge:
            names = classifier.spec.classes
            judged = jinv.judge(judge, pixels, result.labels, names)
            verdict = f"{100 * judged['top1']:.1f} %"
        return result.job.devices, pixels, verdict

    print(
        f"{options.images} images by {classifier.spec.name}, {device_name()}, "
        f"{device_count()} devices, jax {jax.__version__}\n"
    )
    _row("devices", "largest", "mean", "pixels that differ", "recognised")
    _row(*["---"] * 5)
    _, alone, verdict = make(Execution(devices=1), options.seed)
    _row("1", "", "", "", verdict)
    others = {name: (Execution(parallel=name), 0) for name in options.parallel}
    others["another seed"] = (Execution(devices=1), 1)
    for name, (execution, later) in others.items():
        count, made, verdict = make(execution, options.seed + later)
        apart = np.abs(made.astype(int) - alone.astype(int))
        _row(
            f"{count}, {name}",
            apart.max(),
            f"{apart.mean():.3g}",
            f"{100 * np.mean(apart > 0):.2f} %",
            verdict,
        )


def _row(*cells: Any) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Compare, description=__doc__))
