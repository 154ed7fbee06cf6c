"""`jinv supermask`: find a network hidden in a random one, and write it down."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from jinv.atomic import write_json
from jinv.cli.job_options import word_after
from jinv.cli.networks import NetworkFacts
from jinv.cli.stopping import Stop
from jinv.cli.training import (
    about_sets,
    announcer,
    command_line,
    epoch_progress,
    load_splits,
    network_of,
)
from jinv.console import make_console
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.folders import Folder, weights_kind
from jinv.models.facts import Facts
from jinv.models.weights.writing import write_variables
from jinv.models.zoo import classifier_spec
from jinv.supermask.hidden import Supermask
from jinv.supermask.published import load_published
from jinv.supermask.search import find_subnetwork
from jinv.transfer.train_config import TrainConfig
from jinv.values import Natural

_ORIGINS = {
    "given": "as --keep-fraction says",
    "weights": "for which its weights are scaled",
    "folder": "as its folder is called",
}


@dataclass(frozen=True)
class FindSupermask:
    """Search a random network for a subnetwork that classifies (edge-popup).

    No weight is trained: every weight gets a score, and each layer uses those with the
    highest. Writes MODEL.safetensors (a seed and one bit for each weight, which
    --weights takes everywhere) and MODEL.json, its card, to --out. An interrupted
    search goes on where it stopped when the same command is given again.

    With --published instead of --data nothing is searched: a checkpoint of the original
    PyTorch repository becomes ordinary weights and their card.
    """

    data: str | None = None
    """An .npz file with x_train, y_train, x_test, y_test; a folder
    {train,test}/CLASS/*.png; what `jinv synthesize` wrote; or tfds:NAME."""
    test: str | None = None
    """Set whose test images measure the accuracy; by default --data's own, or where it
    has none a tenth of its training images, held out."""
    published: Path | None = None
    """Checkpoint of the original PyTorch repository to convert instead of searching.
    If --keep-fraction is not given, its folder (prune_rate=…) or its weights tell."""
    split: str = "train"
    """Split of --data to learn from."""
    test_split: str = "test"
    """Split of the test images."""
    model: str = "cifar10_resnet18"
    """Architecture, by its name in the zoo (`jinv models`)."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    out: Path = Path("runs/supermask")
    """Folder for the checkpoint, the log, the subnetwork and its card."""
    devices: Natural = 0
    """Over how many devices each batch is spread; 0 for as many as share it evenly."""
    overwrite: bool = False
    """Replace what is in --out."""
    mask: tyro.conf.OmitArgPrefixes[Supermask] = field(default_factory=Supermask)
    config: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)
    fraction_given: tyro.conf.Suppress[bool] = False
    """Whether the command line says --keep-fraction, which a checkpoint may tell."""


def defaults(words: Sequence[str]) -> FindSupermask:
    """Defaults of all options, given the words of the command line.

    The scores of drawn masks move far, and are not drawn back to 0 (Zhou et al. 2019).
    """
    told = word_after(words, "--keep-fraction") is not None
    if "--sampled" in words:
        config = TrainConfig(lr=20.0, weight_decay=0.0)
        return FindSupermask(config=config, fraction_given=told)
    return FindSupermask(fraction_given=told)


def run(options: FindSupermask) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    if options.data is not None and options.published is None:
        return _search(options, options.data)
    if options.published is not None and options.data is None:
        return _convert(options, options.published)
    raise ConfigError(
        "expected either --data, images to search with, or --published, a checkpoint "
        "to convert"
    )


def _search(options: FindSupermask, data: str) -> int:
    spec = network_of(options.model, options.facts.given(), data, options.split)
    console = make_console()
    splits = load_splits(
        data,
        spec,
        options.test,
        options.config.seed,
        options.split,
        options.test_split,
    )
    announce = announcer(
        console, "Searching", spec, splits[0], options.config, options.out
    )
    with Stop() as stop, epoch_progress(console, options.config.epochs) as progress:
        found = find_subnetwork(
            spec,
            *splits,
            options.mask,
            options.config,
            options.out,
            devices=options.devices,
            overwrite=options.overwrite,
            about=about_sets("supermask", data, options.test, splits),
            on_start=announce,
            on_event=progress.on_event,
            should_stop=stop.requested,
        )
    console.print(
        f"test accuracy {found.achieved['test_accuracy']:.2f} % with "
        f"{found.achieved['kept']:.4g} % of the weights; wrote {found.path}"
    )
    return 0


def _convert(options: FindSupermask, published: Path) -> int:
    """Write the subnetwork of a published checkpoint as ordinary weights."""
    fraction = options.mask.keep_fraction if options.fraction_given else None
    searching = replace(options.mask, keep_fraction=Supermask.keep_fraction)
    given = (searching, options.config, options.test)
    if given != (Supermask(), TrainConfig(), None):
        raise ConfigError(
            "--published converts what was searched already: of the options of masks "
            "and of training it takes --keep-fraction alone"
        )
    spec = options.facts.given().applied(classifier_spec(options.model))
    found = load_published(published, spec, fraction)
    source = {"file": published.name, "sha256": found.classifier.sha256}
    card = {
        "model": spec.name,
        **Facts.of(spec).to_json(),
        "published": source,
        "keep_fraction": found.keep_fraction,
        "keep_fraction_from": found.origin,
    }
    path = options.out / f"{spec.name}.safetensors"
    kind = weights_kind("conversion", spec.name, once=True)
    console = make_console()
    with Folder(options.out, kind, card, overwrite=options.overwrite) as folder:
        if folder.finished:
            console.print(f"{options.out} holds this network already")
            return 0
        sha256 = write_variables(
            path, spec, found.classifier.variables, source=source["sha256"]
        )
        more = {"command": command_line("supermask"), "sha256": sha256}
        write_json(path.with_suffix(".json"), {**card, **more})
    console.print(
        f"{published.name}: masks that keep {found.keep_fraction:g} of each layer "
        f"({_ORIGINS[found.origin]}); wrote {path}"
    )
    return 0
