"""`jinv denoise`: images without their noise, by a learned prior."""

import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from jinv.console import make_console
from jinv.data.photographs import Photographs, names_of, photographs_in
from jinv.devices import device_name
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.priors.denoise import make_removal
from jinv.priors.removal import Removal, cleaned
from jinv.report.denoised import DenoisedFolder, NoisyImages
from jinv.report.html import count
from jinv.values import Count, Positive, Seed


@dataclass(frozen=True)
class Denoise:
    """Remove noise from images, by a learned prior or by total variation.

    Finds the likeliest image, given a noisy one. The folder --out then holds the images
    and a page about them. With --add-noise it tells how good a prior is.
    """

    images: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Images of any sizes: files, or folders of files."""
    prior: Path | None = None
    """Prior of images, as `jinv prior` writes it; by default the project's own field of
    experts. One of grey images sees each channel of other images by itself."""
    tv: Positive | None = None
    """Weight of the total variation, in deviations of the noise, instead of --prior;
    about 0.7 suits photographs."""
    sigma: Positive = 25.0
    """Deviation of the noise, in levels of 255."""
    weight: Positive | None = None
    """Weight of the prior, in squares of --sigma; by default as its card says."""
    steps: Count | None = None
    """Number of steps; by default as the prior's card says, else 60."""
    add_noise: bool = False
    """The images are clean: add noise of --sigma first, neither clipped nor rounded,
    and tell how near to them what comes out is."""
    grey: bool = False
    """Make the images grey first."""
    seed: Seed | None = None
    """Seed of the noise that --add-noise adds; by default 0."""
    out: Path = Path("runs/denoise")
    """Folder for everything that is left."""
    overwrite: bool = False
    """Replace what is in --out."""


def run(options: Denoise) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = make_console()
    keep_compiled_programs()
    if options.seed is not None and not options.add_noise:
        raise ConfigError("--seed is of the noise that --add-noise adds: give it too")
    removal = make_removal(
        options.prior,
        options.sigma,
        tv=options.tv,
        weight=options.weight,
        steps=options.steps,
    )
    paths = photographs_in(options.images)
    noisy = NoisyImages(
        Photographs(paths, 1 if options.grey else None),
        names_of(paths),
        options.sigma,
        options.add_noise,
        options.seed or 0,
    )
    for path, image in zip(paths, noisy.images, strict=True):  # before any work
        removal.check(image.shape[-1], str(path))
    with DenoisedFolder(
        options.out, noisy, removal, overwrite=options.overwrite
    ) as folder:
        if folder.finished:
            console.print(
                f"{options.out} holds these images, finished: there is nothing to do, "
                "and --overwrite begins anew"
            )
            return 0
        missing = folder.missing()
        console.print(
            f"Denoising {count(len(missing), 'image')} of {len(paths)} with noise of "
            f"{options.sigma:g} levels in {removal.steps} steps on {device_name()}"
        )
        for number in missing:
            _denoise(folder, noisy, removal, number, console)
        summary = folder.finish()
    found = f", {summary['psnr']:.2f} dB on average" if "psnr" in summary else ""
    console.print(
        f"{count(summary['images'], 'image')} in {options.out}/images{found}, "
        f"all about this run in {options.out}/index.html "
        f"({time.monotonic() - started:.0f} s)"
    )
    return 0


def _denoise(
    folder: DenoisedFolder,
    noisy: NoisyImages,
    removal: Removal,
    number: int,
    console: Console,
) -> None:
    began = time.monotonic()
    image = cleaned(removal, noisy.noisy(number))
    row = folder.keep(number, image, round(time.monotonic() - began, 3))
    found = [row.get(name) for name in ("psnr_noisy", "psnr")]
    told = "".join(f", {x:.2f} dB" for x in found if x is not None)
    console.print(f"{row['name']}{told} ({row['seconds']:.1f} s)")
