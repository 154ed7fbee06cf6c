"""What the commands that train a network have in common."""

import platform
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from jinv.atomic import write_json
from jinv.data.labelled import LabelledImages, load_labelled
from jinv.engine.precision import activation_type
from jinv.models.zoo import ClassifierSpec
from jinv.transfer.supervised import TrainConfig


def load_splits(
    source: str, spec: ClassifierSpec
) -> tuple[LabelledImages, LabelledImages]:
    """The training and the test images of a labelled set, as a network takes them."""
    training, test = (
        load_labelled(source, split, spec.classes, spec.input_size, spec.channels)
        for split in ("train", "test")
    )
    return training, test


def epoch_printer(
    console: Console, config: TrainConfig
) -> Callable[[dict[str, float]], None]:
    """Prints a line after every epoch, with the time that is left."""

    def report(row: dict[str, float]) -> None:
        left = timedelta(seconds=round(row["seconds"] * (config.epochs - row["epoch"])))
        console.print(
            f"epoch {row['epoch']:>3}/{config.epochs}  loss {row['loss']:.4f}  "
            f"test {row['test_accuracy']:.2f} %  {row['seconds']:.0f} s  "
            f"about {left} left"
        )

    return report


def write_card(
    weights: Path,
    command: str,
    model: str,
    data: str,
    splits: tuple[LabelledImages, LabelledImages],
    config: TrainConfig,
    more: Mapping[str, Any],
) -> None:
    """Write the card beside a file of weights: where they come from, what they do.

    Args:
        weights: The file.
        command: Name of the sub-command that wrote it.
        model: Its architecture.
        data: Where the images came from.
        splits: The training and the test images.
        config: How it was trained.
        more: What else there is to say.
    """
    training, test = splits
    card = {
        "model": model,
        "data": f"{data} ({len(training)} training, {len(test)} test images)",
        "recipe": asdict(config),
        "precision": np.dtype(activation_type(config.precision)).name,
        "command": command_line(command),
        **more,
        "platform": f"{platform.machine()} {jax.default_backend()}",
        "jax": jax.__version__,
    }
    write_json(weights.with_suffix(".json"), card)


def command_line(command: str) -> str:
    """The words with which this process was started, as `jinv` takes them."""
    words = sys.argv[1:]
    # A script has no name of a sub-command.
    words = words[1:] if words[:1] == [command] else words
    return shlex.join(["jinv", command, *words])
