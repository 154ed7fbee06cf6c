"""`jinv train`: train a zoo architecture and write its weights and card."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tyro

from jinv.cli.networks import NetworkFacts
from jinv.cli.stopping import Stop
from jinv.cli.training import (
    about_sets,
    announcer,
    epoch_progress,
    load_images,
    load_soft_labels,
    load_splits,
    network_of,
)
from jinv.console import make_console
from jinv.engine.compilation import keep_compiled_programs
from jinv.json_text import parse_json
from jinv.models.loading import load_classifier, make_classifier
from jinv.models.weights.checksums import sha256_of
from jinv.transfer.train import train
from jinv.transfer.train_config import TrainConfig
from jinv.values import Natural


@dataclass(frozen=True)
class Train:
    """Train a classifier of the zoo on labelled images.

    Writes MODEL.safetensors, MODEL.json, its card, and index.html, its page, to --out.
    An interrupted training goes on where it stopped when the same command is given
    again.
    """

    data: str
    """An .npz file with x_train, y_train, x_test, y_test; a folder
    {train,test}/CLASS/*.png; what `jinv synthesize` wrote; or tfds:NAME."""
    test: str | None = None
    """Set whose test images measure the accuracy; by default --data's own, or where it
    has none a tenth of its training images, held out."""
    split: str = "train"
    """Split of --data to learn from."""
    test_split: str = "test"
    """Split of the test images."""
    soft_labels: bool = False
    """Learn the softmax of the teacher's logits that `jinv synthesize --soft-labels`
    stored beside --data, instead of the labels."""
    real: str | None = None
    """Set of real images on which the accuracy is measured too, as where --data is
    synthetic: at most 10 000 of them, drawn by the seed."""
    real_split: str = "train"
    """Split of the real images."""
    model: str = "cifar10_resnet20"
    """Architecture, by its name in the zoo (`jinv models`)."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    init: Path | None = None
    """Weights to start from, instead of random ones."""
    out: Path = Path("runs/train")
    """Folder for the checkpoint, the log, the weights and the card."""
    storage: Literal["float32", "float16"] = "float32"
    """Type in which the weights are stored."""
    devices: Natural = 0
    """Over how many devices each batch is spread; 0 for as many as share it evenly."""
    overwrite: bool = False
    """Replace what is in --out."""
    config: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


def run(options: Train) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    facts, config = options.facts.given(), options.config
    if options.init:
        classifier = load_classifier(options.model, options.init, **facts.to_json())
    else:
        spec = network_of(options.model, facts, options.data, options.split)
        classifier = make_classifier(spec, config.seed)
    spec = classifier.spec
    console = make_console()
    splits = load_splits(
        options.data,
        spec,
        options.test,
        config.seed,
        options.split,
        options.test_split,
    )
    soft = real = None
    if options.soft_labels:
        soft = load_soft_labels(options.data, options.split, spec, splits[0])
    if options.real is not None:
        real = load_images(options.real, options.real_split, spec)
    announce = announcer(console, "Training", spec, splits[0], config, options.out)
    about = {
        **about_sets("train", options.data, options.test, splits),
        "real": options.real,
        "soft_labels": soft and {"teacher": soft.teacher, "sha256": soft.sha256},
        "initial_weights": _card_of(options.init),
    }
    with Stop() as stop, epoch_progress(console, config.epochs) as progress:
        trained = train(
            classifier,
            *splits,
            config,
            options.out,
            devices=options.devices,
            overwrite=options.overwrite,
            storage=options.storage,
            about=about,
            on_start=announce,
            on_event=progress.on_event,
            should_stop=stop.requested,
            soft_labels=soft and soft.logits,
            real=real,
        )
    found = trained.achieved
    console.print(
        f"test accuracy {found['test_accuracy']:.2f} % (the best was "
        f"{found['best_test_accuracy']:.2f} % after epoch {found['best_epoch']}); "
        f"wrote {trained.path}"
    )
    return 0


def _card_of(weights: Path | None) -> dict[str, Any] | None:
    """Read the card beside initial weights: nothing of their history is lost."""
    if weights is None:
        return None
    try:
        card = parse_json(weights.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        card = None
    return card if isinstance(card, dict) else {"sha256": sha256_of(weights)}
