#!/usr/bin/env python3
"""How good is what a random network hides, by the fraction of it that is kept?

Searches one architecture at several fractions, trains it densely at the same budget,
and leaves the accuracies (sweep.json) and a figure (sweep.png). Can be interrupted, and
goes on where it was when it is called again.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro
from rich.console import Console

from jinv.atomic import write_json
from jinv.cli.training import epoch_progress, load_splits
from jinv.data.labelled import LabelledImages
from jinv.engine.compilation import keep_compiled_programs
from jinv.models.classifier import Classifier
from jinv.models.loading import make_classifier
from jinv.models.zoo import classifier_spec
from jinv.report.supermask_figure import plot_fractions
from jinv.supermask.hidden import Supermask, hide
from jinv.supermask.search import find_subnetwork
from jinv.transfer.accuracy import accuracy
from jinv.transfer.population import population_statistics
from jinv.transfer.train import train
from jinv.transfer.train_config import TrainConfig


@dataclass(frozen=True)
class Sweep:
    """Fractions to keep, and everything else as for `jinv supermask`."""

    data: str
    model: str = "cifar10_resnet8x2"
    fractions: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    out: Path = Path("runs/sweep")
    devices: int = 0
    dense_lr: float = 0.1
    """Highest learning rate of the dense training; --lr is that of the scores."""
    mask: tyro.conf.OmitArgPrefixes[Supermask] = field(default_factory=Supermask)
    config: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


def main(options: Sweep) -> None:
    keep_compiled_programs()
    console = Console(stderr=True)
    spec = classifier_spec(options.model)
    splits = load_splits(options.data, spec)

    def place(name: str) -> Path:
        console.print(f"[bold]{name}[/bold]")
        (options.out / name).mkdir(parents=True, exist_ok=True)
        return options.out / name

    hidden: dict[float, float] = {}
    for fraction in options.fractions:
        mask = replace(options.mask, keep_fraction=fraction)
        folder = place(f"keep-{fraction}")
        with epoch_progress(console, options.config.epochs) as progress:
            found = find_subnetwork(
                spec,
                *splits,
                mask,
                options.config,
                folder,
                devices=options.devices,
                on_event=progress.on_event,
            )
        hidden[fraction] = found.achieved["test_accuracy"]
    config = replace(options.config, lr=options.dense_lr)
    network = make_classifier(spec, config.seed)
    folder = place("dense")
    with epoch_progress(console, config.epochs) as progress:
        trained = train(
            network,
            *splits,
            config,
            folder,
            devices=options.devices,
            on_event=progress.on_event,
        )
    dense = trained.achieved["test_accuracy"]
    random = untrained(network, options.mask, *splits)

    accuracies = {"hidden": hidden, "dense": dense, "random": random}
    write_json(options.out / "sweep.json", accuracies)
    losses = {kept: losses_of(options.out / f"keep-{kept}") for kept in hidden}
    dense_losses = losses_of(options.out / "dense")
    path = options.out / "sweep.png"
    plot_fractions(path, hidden, dense, random, losses, dense_losses)
    console.print(accuracies)


def untrained(
    network: Classifier,
    mask: Supermask,
    training: LabelledImages,
    test: LabelledImages,
) -> float:
    """Accuracy of the random network with the mask that the search starts from."""
    start = hide(network.spec, mask).trainable
    params = start.params(start.trained, start.frozen, None)
    variables = {**network.variables, "params": params}
    variables |= population_statistics(network, variables, training)
    return accuracy(network, variables, test)


def losses_of(folder: Path) -> list[float]:
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(row)["loss"] for row in rows]


if __name__ == "__main__":
    main(tyro.cli(Sweep))
