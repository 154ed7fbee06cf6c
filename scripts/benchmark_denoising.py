#!/usr/bin/env python3
"""Is a prior any good? Noise removed by it, and by total variation tuned alike.

For each deviation of the noise, weight and number of steps are chosen on crops of some
images; then images of another folder are denoised by them (`jinv denoise`, in a folder
of its own, whose page has every image). Noise is neither clipped nor rounded. Leaves a
table (table.md). Can be interrupted, and goes on where it was when it is called again.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from studying import begin, call, claim, quoted, write_table

from jinv.atomic import write_json
from jinv.data.photographs import Photographs
from jinv.engine.compilation import keep_compiled_programs
from jinv.priors.files import load_prior
from jinv.priors.prior import Prior
from jinv.priors.removal import PriorRemoval, Removal, VariationRemoval, prior_removal
from jinv.report.denoised import NoisyImages, psnr_beside

TV = "total variation"
FIRST = 0.7
"""Weight of the total variation that is tried first, in deviations of the noise."""


@dataclass(frozen=True)
class Benchmark:
    """Which priors, and which images."""

    priors: tyro.conf.Positional[tuple[Path, ...]]
    """Files of priors of images, all grey or all RGB."""
    tune: Path
    """Folder of images on which weights and steps are chosen."""
    test: Path
    """Folder of images that are denoised."""
    sigmas: tuple[float, ...] = (25.0, 15.0, 50.0)
    """Deviations of the noise, in levels of 255."""
    tuned_on: int = 12
    """Images that weights and steps are chosen on, evenly among all."""
    crop: int = 160
    """Height and width of what is cut from the middle of each of them."""
    most: int = 60
    """Steps at most."""
    seed: int = 0
    out: Path = Path("runs/denoising")


def main(benchmark: Benchmark) -> None:
    keep_compiled_programs()
    loaded = [load_prior(path) for path in benchmark.priors]
    priors = {prior.name: prior for prior in loaded}
    if len(priors) < len(loaded):
        sys.exit("--priors: two have the same name, that of their folder or file")
    channels = {prior.form.subject.channels for prior in priors.values()} or {1}
    (count,) = channels
    with claim(benchmark, benchmark.out, "priors", "sigmas"):
        compare(benchmark, priors, count)


def compare(benchmark: Benchmark, priors: dict[str, Prior], count: int) -> None:
    """Denoise by each prior and by total variation, at each deviation."""
    rows = []
    for sigma in benchmark.sigmas:
        noisy = crops(benchmark, sigma, count)
        done = {
            name: denoised(benchmark, name, priors.get(name), noisy, count)
            for name in (TV, *priors)
        }
        rows += [row(name, sigma, found, done[TV]) for name, found in done.items()]
        write_table(benchmark.out, COLUMNS, rows)


def crops(benchmark: Benchmark, sigma: float, channels: int) -> NoisyImages:
    """What weights and steps are chosen on."""
    images = Photographs([benchmark.tune], channels)
    every = np.linspace(0, len(images) - 1, benchmark.tuned_on).round().astype(int)
    cut = [middle(images[int(number)], benchmark.crop) for number in every]
    names = [str(number) for number in every]
    return NoisyImages(cut, names, sigma, added=True, seed=benchmark.seed + 1)


def middle(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (max(0, (length - size) // 2) for length in image.shape[:2])
    return image[top : top + size, left : left + size]


def denoised(
    benchmark: Benchmark,
    name: str,
    prior: Prior | None,
    noisy: NoisyImages,
    channels: int,
) -> dict[str, Any]:
    """Choose weight and steps, denoise by them, and tell what came out."""
    folder = benchmark.out / f"{name} {noisy.sigma:g}".replace(" ", "-")
    noted = folder.with_name(f"{folder.name}.json")
    found = chosen(noted, prior, noisy, benchmark.most)
    by = "" if prior is None else f"--prior {quoted(prior.path)}"
    flag = "--tv" if prior is None else "--weight"
    if found["weight"]:
        by += f" {flag} {found['weight']!r} --steps {found['steps']}"
    call(
        "denoise",
        f"{quoted(benchmark.test)} {by} --sigma {noisy.sigma!r} --add-noise "
        f"{'--grey' if channels == 1 else ''} --seed {benchmark.seed} "
        f"--out {quoted(folder)}",
    )
    return found | json.loads((folder / "summary.json").read_text())


def chosen(
    path: Path, prior: Prior | None, noisy: NoisyImages, most: int
) -> dict[str, Any]:
    """The best weight and number of steps, by the mean PSNR of the crops.

    Steps whose rates were learnt are one more candidate, with a weight of None.
    """
    if path.exists():
        return json.loads(path.read_text())
    began, sigma = time.monotonic(), noisy.sigma / 255

    def by_prior(weight: float) -> Removal:
        assert prior is not None
        return PriorRemoval(prior, sigma, weight, most)

    def by_variation(weight: float) -> Removal:
        return VariationRemoval(sigma, weight, most)

    if prior is None:
        weight, (decibels, steps) = climb(by_variation, FIRST, noisy)
    else:
        usual = prior_removal(prior, sigma)
        weight, (decibels, steps) = climb(by_prior, usual.weight, noisy)
        if usual.rates and (learnt := psnrs(usual, noisy)[-1]) > decibels:
            weight, decibels, steps = None, learnt, usual.steps
    found = {"weight": weight, "steps": steps, "tuned_psnr": decibels}
    found["seconds_tuning"] = time.monotonic() - began
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    print(path.stem, found, flush=True)
    return found


def climb(
    removal: Callable[[float], Removal], first: float, noisy: NoisyImages
) -> tuple[float, tuple[float, int]]:
    """Try neighbours of the best weight, nearer and nearer, until none is better."""
    known: dict[float, tuple[float, int]] = {}
    best = first
    for ratio in (2.0, 2**0.5, 2**0.25):
        tried = None
        while tried != best:
            tried = best
            for weight in (best, best * ratio, best / ratio):
                if weight not in known:
                    found = psnrs(removal(weight), noisy)
                    known[weight] = max(found), int(np.argmax(found)) + 1
            best = max(known, key=lambda weight: known[weight])
    return best, known[best]


def psnrs(removal: Removal, noisy: NoisyImages) -> Sequence[float]:
    """Mean PSNR of the images after each step."""
    found = [
        [
            psnr_beside(np.clip(image[0], 0, 1), noisy.clean(number))
            for image in removal.iterates(noisy.noisy(number)[None])
        ]
        for number in range(len(noisy.names))
    ]
    return np.mean(found, 0).tolist()


COLUMNS = (
    "by", "noise", "noisy, dB", "denoised, dB", "over total variation", "weight",
    "steps", "s tuning", "s denoising",
)  # fmt: skip


def row(
    name: str, sigma: float, found: dict[str, Any], compared: dict[str, Any]
) -> list[str]:
    learnt = "learnt" if found["weight"] is None else f"{found['weight']:.3g}"
    return [
        name,
        f"{sigma:g}",
        f"{found['psnr_noisy']:.2f}",
        f"{found['psnr']:.2f}",
        f"{found['psnr'] - compared['psnr']:+.2f}",
        learnt,
        str(found["steps"]),
        f"{found['seconds_tuning']:.0f}",
        f"{found['seconds']:.0f}",
    ]


if __name__ == "__main__":
    begin(main, Benchmark)
