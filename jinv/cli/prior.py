"""`jinv prior`: learn what images, or the features of a layer, usually look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from jinv.cli.job_options import word_after
from jinv.cli.networks import NetworkFacts
from jinv.cli.progress import LessonProgress
from jinv.cli.stopping import Stop
from jinv.cli.training import command_line
from jinv.console import make_console
from jinv.data.photographs import unlabelled_images
from jinv.devices import backend
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.loading import load_classifier
from jinv.priors.config import PriorConfig
from jinv.priors.learn import learn_prior
from jinv.priors.presets import find_prior_preset
from jinv.report.prior_page import write_prior_page
from jinv.values import Natural


@dataclass(frozen=True)
class LearnPrior:
    """Learn what images, or the features of a layer, usually look like.

    Writes prior.safetensors, prior.json, its card, and index.html to --out. With
    --model and --layer the prior is of what that layer makes of the images. An
    interrupted lesson goes on where it stopped when the same command is given again.
    """

    images: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="IMAGES")]
    """A folder of photographs, of any sizes; or a labelled set, as a folder
    {split}/CLASS/*.png, an .npz file or tfds:NAME."""
    split: str = "train"
    """Split of a labelled set."""
    grey: bool = False
    """Make images grey, and learn a prior of such images."""
    model: str | None = None
    """Network whose features the prior is to be of, by its name (`jinv models`)."""
    weights: Path | None = None
    """Weights of --model; by default the project's own, a package's, or a download."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    layer: str | None = None
    """Layer of --model whose features the prior is to be of."""
    channels: tuple[Natural, ...] = ()
    """Channels of --layer that the prior looks at, by number; by default all."""
    preset: str = "default"
    """Named settings, overridden by any option that is given too: default, thesis,
    field-of-experts, denoiser."""
    out: Path = Path("runs/prior")
    """Folder for the checkpoint, the log, the prior, its card and its page."""
    overwrite: bool = False
    """Replace what is in --out."""
    config: tyro.conf.OmitArgPrefixes[PriorConfig] = field(default_factory=PriorConfig)


def defaults(words: Sequence[str]) -> LearnPrior:
    """Defaults of all options, given the words of the command line: a preset's."""
    found = find_prior_preset(word_after(words, "--preset") or LearnPrior.preset)
    featured = word_after(words, "--model") is not None
    return LearnPrior(
        images=tyro.MISSING,
        grey=found.channels == 1 and not featured,
        config=found.config,
    )


def run(options: LearnPrior) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    network = _network(options)
    console = make_console()
    images = unlabelled_images(options.images, options.split)
    config = options.config.whole()
    settings = {each.name: getattr(config, each.name) for each in fields(config)}
    about = {"data": f"{options.images} ({len(images)} images)"}

    def announce() -> None:
        of = "images" if network is None else f"{options.layer} of {network.spec.name}"
        console.print(
            f"Learning a prior of {of} from {len(images)} images in {config.steps} "
            f"steps ({backend()}); progress is kept in {options.out}"
        )

    progress = LessonProgress(
        console, "round", config.rounds, _held_out, "drawing patches"
    )
    with Stop() as stop, progress:
        prior = learn_prior(
            images,
            options.out,
            network=network,
            layer=options.layer or "",
            chosen=options.channels,
            grey=None if network is not None else options.grey,
            preset=options.preset,
            overwrite=options.overwrite,
            about={**about, "command": command_line("prior")},
            on_start=announce,
            on_end=partial(write_prior_page, options.out),
            on_event=progress.on_event,
            should_stop=stop.requested,
            **settings,
        )
    measured = prior.card["measured"]
    console.print(
        f"natural patches have less energy than Gaussian ones in "
        f"{100 * measured['auc']:.1f} % of pairs; wrote {prior.path} and "
        f"{options.out / 'index.html'}"
    )
    return 0


def _network(options: LearnPrior) -> Classifier | None:
    """Load the network whose features are wanted; none for images."""
    facts = options.facts.given().to_json()
    if options.model is None:
        if options.layer or options.channels or options.weights or facts:
            raise ConfigError(
                "--layer, --channels, --weights and facts of a network are for priors "
                "of features: name its network by --model"
            )
        return None
    if not options.layer:
        raise ConfigError(
            f"give --layer; `jinv models {options.model}` lists those that there are"
        )
    if options.grey:
        raise ConfigError("--grey is for priors of images: leave it out with --model")
    return load_classifier(options.model, options.weights, **facts)


def _held_out(row: Mapping[str, float]) -> str:
    psnr = row.get("held_out_psnr")
    told = f"held out {row['held_out_loss']:.4f}"
    return told if psnr is None else f"{told}  PSNR {psnr:.2f} dB"
