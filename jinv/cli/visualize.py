"""`jinv visualize`: what units of a network want to see, dreams, and caricatures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console

from jinv.cli.job_options import (
    WorkOptions,
    devices_of,
    settings_in,
    word_after,
)
from jinv.cli.running import preset_told, run_in_folder, told
from jinv.console import make_console
from jinv.data.directions import read_directions
from jinv.data.photographs import Photographs, names_of, photographs_in
from jinv.data.pictures import cut, fill
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.inversion.settings import in_place
from jinv.models.classifier import Classifier
from jinv.models.zoo import classifier_spec
from jinv.visualization.dreams import DeepDream
from jinv.visualization.make_job import make_visualization, visual_kind
from jinv.visualization.presets import (
    VISUALIZATIONS,
    find_visualization,
    presets_for,
)
from jinv.visualization.visualization import Visualization


@dataclass(frozen=True)
class Visualize(WorkOptions):
    """Show what excites units of a network, or what a layer sees in photographs.

    Give --units, --classes or --directions: an image is made for each. Or --layers and
    --start, to let a layer dream on from a photograph; or --layers and --caricature, to
    exaggerate what it sees there. `jinv models NAME` lists the layers, and how many
    channels each has. Grey photographs are read as red, green and blue alike.
    """

    units: tuple[str, ...] = ()
    """Units, each LAYER:CHANNEL, with ranges as conv5:0-23, and at a position of the
    layer as conv5:7@centre or conv5:7@ROW,COLUMN; else the mean over all positions."""
    classes: str | None = None
    """Classes whose logits are wanted, as `jinv invert` takes them."""
    directions: tuple[Path, ...] = ()
    """Files (.npy, .npz) with a vector of the channels of --layers, or one a row."""
    start: tuple[Path, ...] = ()
    """Photographs that images start from: one for all, or one for each. They keep
    their size where they are dreamt on, and there is no --size."""
    caricature: tuple[Path, ...] = ()
    """Photographs to exaggerate, files or folders of files; a --start is where the
    caricatures start from."""
    model: str = "alexnet_features"
    """Network that is excited, by its name in the zoo (`jinv models`)."""
    preset: Annotated[
        str | None, tyro.conf.arg(metavar=f"{{{','.join(VISUALIZATIONS)}}}")
    ] = None
    """Named settings, overridden by any option that is given too."""
    out: Path = Path("runs/visualize")
    """Folder for everything that the run leaves."""
    settings: tyro.conf.OmitArgPrefixes[Any] = field(default_factory=Visualization)


def defaults(words: Sequence[str]) -> Visualize:
    """Defaults of all options, given the words of the command line.

    What is asked for decides the method, and the preset its settings.
    """
    given = settings_in(words)
    units = {"units", "classes", "directions"} & set(given) or "start" not in given
    kind = visual_kind(bool(units), "caricature" in given)
    preset = word_after(words, "--preset") or presets_for(kind)[0]
    spec = classifier_spec(word_after(words, "--model") or Visualize.model)
    settings = find_visualization(preset, kind).fitted(spec)
    before = in_place(settings, given)
    return Visualize(preset=preset, settings=settings, before=before)


def run(options: Visualize) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = make_console()
    keep_compiled_programs()
    job = _prepare(options)
    return run_in_folder(
        options.out,
        job,
        console,
        None,
        overwrite=options.overwrite,
        announce=lambda begun: _announce(options, job, begun, console),
        conclude=lambda summary, took: told(summary, options.out, console, took),
        started=started,
    )


def _prepare(options: Visualize) -> Job:
    """Load and check all that is asked for, before anything is touched."""
    settings: Visualization = options.settings.follow(options.before)
    starts, caricatures = (
        photographs_in(paths) if paths else []
        for paths in (options.start, options.caricature)
    )
    called = names_of(options.directions)
    directions = dict(
        zip(called, map(read_directions, options.directions), strict=True)
    )
    network = options.network()
    pictures = (
        _photographs(paths, network, settings) if paths else None
        for paths in (starts, caricatures)
    )
    start, caricature = pictures
    dreams = isinstance(settings, DeepDream)
    return make_visualization(
        network,
        options.units,
        classes=options.classes,
        directions=directions or None,
        layers=",".join(settings.layers),
        start=start,
        caricature=caricature,
        names=names_of(starts if dreams else caricatures) or None,
        method=settings,
        batch_size=options.batch_size,
        seed=options.seed,
        execution=options.execution,
        **options.learned_priors(),
    )


def _photographs(
    paths: Sequence[Path], network: Classifier, settings: Visualization
) -> np.ndarray:
    """Read photographs, of the size asked for, or what the method takes without one.

    Returns:
        Images (images, height, width, channels), uint8: grey ones repeated as red,
        green and blue, or colour made grey, as the network needs.

    Raises:
        ConfigError: They have several sizes, and none was asked for.
        DataError: One cannot be read.
    """
    spec = network.spec
    fit = None
    if len(settings.size) == 2:
        height, width = settings.size
        fit = partial(fill, height=height, width=width)
    elif not isinstance(settings, DeepDream):
        fit = partial(cut, size=spec.input_size)
    images = Photographs(paths, spec.channels, fit)[:]
    if len(sizes := {image.shape[:2] for image in images}) > 1:
        found = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise ConfigError(
            f"photographs of {found} pixels dream together in one size: give --size "
            "HEIGHT,WIDTH"
        )
    return np.stack(images)


def _announce(options: Visualize, job: Job, begun: bool, console: Console) -> None:
    height, width = job.shape[:2]
    preset = VISUALIZATIONS[options.preset or "default"]
    console.print(
        f"{'Going on with' if begun else 'Visualising'} {job.request.about()} of "
        f"{job.classifier.spec.name}, {height}x{width} pixels in batches of "
        f"{job.batch_size} on {devices_of(job)}, " + preset_told(options.preset, preset)
    )
