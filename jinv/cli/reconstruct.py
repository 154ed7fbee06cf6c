"""`jinv reconstruct`: photographs found again from what a network keeps of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from jinv.cli.job_options import (
    WorkOptions,
    devices_of,
    settings_in,
    word_after,
    words_after,
)
from jinv.cli.running import preset_told, run_in_folder, told
from jinv.console import make_console
from jinv.data.photographs import Photographs, names_of, photographs_in
from jinv.data.pictures import cut
from jinv.decoders.decoder import load_decoder, read_about
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.inversion.settings import in_place
from jinv.models.classifier import Classifier
from jinv.models.features import parse_layers
from jinv.models.loading import outline_classifier
from jinv.models.zoo import classifier_spec
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.reconstruction.presets import RECONSTRUCTIONS, find_reconstruction
from jinv.reconstruction.reconstruct import make_reconstruction


@dataclass(frozen=True)
class Reconstruct(WorkOptions):
    """Find photographs again from what some layers of a network keep of them.

    Each photograph is scaled and its centre cut to the size that the network takes.
    Only its features are told to whoever optimises. With --decoder, images are what a
    decoder makes of the features, in one pass; and with --steps too, that is where the
    optimisation starts. The folder --out then holds the reconstructions, a page with
    errors and differences, and all that is needed to repeat the run.
    """

    images: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Photographs: files, or folders of files."""
    model: str = "alexnet_features"
    """Network whose features are inverted, by its name in the zoo (`jinv models`); by
    default with --decoder, the one that the decoder learnt from."""
    decoder: Path | None = None
    """Decoder of one of --layers, as `jinv decoder` writes it, or its folder; --layers
    is by default its own layer."""
    preset: Annotated[
        str | None, tyro.conf.arg(metavar=f"{{{','.join(RECONSTRUCTIONS)}}}")
    ] = None
    """Named settings, or a .json file as `jinv search` leaves it, overridden by any
    option that is given too."""
    out: Path = Path("runs/reconstruct")
    """Folder for everything that the run leaves."""
    settings: tyro.conf.OmitArgPrefixes[FeatureInversion] = field(
        default_factory=FeatureInversion
    )


def defaults(words: Sequence[str]) -> Reconstruct:
    """Defaults of all options, given the words of the command line.

    A preset's settings depend on the network and on how deep its layers lie.
    """
    given = settings_in(words)
    model = word_after(words, "--model") or Reconstruct.model
    preset = word_after(words, "--preset") or "default"
    layers = parse_layers(",".join(words_after(words, "--layers")))
    if decoder := word_after(words, "--decoder"):
        about = read_about(Path(decoder).expanduser())
        model = model if "model" in given else about.network
        layers = layers or (about.layer,)
    found = find_reconstruction(preset)
    spec = classifier_spec(model)
    outline = outline_classifier(spec)
    for layer in layers:
        if layer not in outline.feature_shapes and Path(layer).exists():
            raise ConfigError(
                f"{layer} was read as one of --layers: give photographs before options"
            )
    if layers:
        settings = found.fitted(outline, layers)
    else:
        # For --help: of a layer in the middle.
        middle = [*outline.feature_shapes][len(outline.feature_shapes) // 2]
        settings = replace(found.fitted(outline, (middle,)), layers=())
    before = in_place(settings, given)
    if decoder and "start" not in given:
        before["start"] = settings.start
        settings = replace(settings, start="decoder").follow(before)
    return Reconstruct(model=model, preset=preset, settings=settings, before=before)


def run(options: Reconstruct) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = make_console()
    keep_compiled_programs()
    layers = parse_layers(",".join(options.settings.layers))
    if not layers:
        raise ConfigError(
            f"give --layers; `jinv models {options.model}` lists those that there are"
        )
    find_reconstruction(options.preset or "default").check_priors(options.prior)
    paths = photographs_in(options.images)
    network = options.network()
    job = make_reconstruction(
        network,
        read_photographs(paths, network),
        layers,
        names=names_of(paths),
        method=options.settings.follow(options.before),
        decoder=load_decoder(options.decoder, network) if options.decoder else None,
        batch_size=options.batch_size,
        seed=options.seed,
        execution=options.execution,
        **options.learned_priors(),
    )
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


def read_photographs(paths: Sequence[Path], network: Classifier) -> np.ndarray:
    """Read photographs as a network takes them.

    Returns:
        Images (images, size, size, channels), uint8: scaled and cut to the network's
        size; grey ones repeated as red, green and blue, or colour made grey.
    """
    spec = network.spec
    fit = partial(cut, size=spec.input_size)
    return np.stack(Photographs(paths, spec.channels, fit)[:])


def _announce(options: Reconstruct, job: Job, begun: bool, console: Console) -> None:
    console.print(
        f"{'Going on with' if begun else 'Reconstructing'} {job.request.about()} of "
        f"{job.classifier.spec.name}, in batches of {job.batch_size} on "
        f"{devices_of(job)}, "
        + preset_told(options.preset, find_reconstruction(options.preset or "default"))
    )
