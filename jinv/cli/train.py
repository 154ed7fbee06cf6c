"""`jinv train`: train a zoo architecture and write its weights and card."""

import json
import platform
import shlex
import sys
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import tyro
from rich.console import Console

from jinv.data.labelled import load_labelled
from jinv.engine.compilation import keep_compiled_programs
from jinv.models.classifier import load_classifier, make_classifier
from jinv.models.state_dict import to_state_dict
from jinv.models.weight_files import sha256_of, write_weights
from jinv.models.zoo import classifier_spec
from jinv.transfer.supervised import TrainConfig, train


@dataclass(frozen=True)
class Train:
    """Train a classifier of the zoo on labelled images.

    Writes MODEL.safetensors and MODEL.json, its card, to --out. An interrupted
    training goes on where it stopped when the same command is given again.
    """

    data: str
    """An .npz file with x_train, y_train, x_test, y_test; a folder
    {train,test}/CLASS/*.png; or tfds:NAME."""
    model: str = "cifar10_resnet20"
    """Architecture, by its name in the zoo (`jinv models`)."""
    init: Path | None = None
    """Weights to start from, instead of random ones."""
    out: Path = Path("runs/train")
    """Folder for the checkpoint, the log, the weights and the card."""
    storage: str = "float32"
    """Type in which the weights are stored: float32 or float16."""
    config: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


def run(options: Train) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    spec = classifier_spec(options.model)
    config = options.config
    console = Console(stderr=True)
    dtype = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}[config.precision]
    training, test = (
        load_labelled(options.data, split, spec.classes, spec.input_size)
        for split in ("train", "test")
    )
    console.print(
        f"Training {spec.name} on {len(training)} images for {config.epochs} epochs "
        f"({jax.default_backend()}); progress is kept in {options.out}"
    )
    options.out.mkdir(parents=True, exist_ok=True)

    def report(row: dict[str, float]) -> None:
        left = timedelta(seconds=round(row["seconds"] * (config.epochs - row["epoch"])))
        console.print(
            f"epoch {row['epoch']:>3}/{config.epochs}  loss {row['loss']:.4f}  "
            f"test {row['test_accuracy']:.2f} %  {row['seconds']:.0f} s  "
            f"about {left} left"
        )

    if options.init:
        classifier = load_classifier(spec.name, options.init, dtype=dtype)
    else:
        classifier = make_classifier(spec, config.seed, dtype=dtype)
    trained, measured = train(classifier, training, test, config, options.out, report)
    state = to_state_dict(jax.device_get(trained.variables))
    if options.storage != "float32":
        state = {key: value.astype(options.storage) for key, value in state.items()}
    path = options.out / f"{spec.name}.safetensors"
    sha256 = write_weights(path, state, {"model": spec.name})
    card = {
        "model": spec.name,
        "data": f"{options.data} ({len(training)} training, {len(test)} test images)",
        "test_accuracy": round(measured["test_accuracy"], 2),
        "recipe": asdict(config),
        "command": shlex.join(["python", "scripts/train_classifier.py", *sys.argv[1:]]),
        "sha256": sha256,
        "initial_weights": _card_of(options.init),
        "storage": options.storage,
        "platform": f"{platform.machine()} {jax.default_backend()}",
        "jax": jax.__version__,
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    console.print(f"test accuracy {card['test_accuracy']} %; wrote {path}")
    return 0


def _card_of(weights: Path | None) -> dict[str, Any] | None:
    """The card beside initial weights, so that nothing of their history is lost."""
    if weights is None:
        return None
    card = weights.with_suffix(".json")
    if card.is_file():
        return json.loads(card.read_text())
    return {"sha256": sha256_of(weights)}
