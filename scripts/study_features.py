#!/usr/bin/env python3
"""What layers keep, by preset, rate, prior, layer and network: studies of inversions.

`papers` inverts each layer of a network by each preset at the passes that it has, and
leaves a table of errors and a sheet layer x image for each preset. `coursework` answers
the four questions of a coursework: which learning rate and schedule, how much total
variation, what layers of several depths keep, and how a residual network compares with
VGG. Every run is a `jinv reconstruct` in a folder of its own, whose page has its
images on the way. Can be interrupted, and goes on where it was when it is called again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from studying import call, write_page

from jinv.cli.reconstruct import photographs_in, read_photographs
from jinv.metrics.means import mean_of
from jinv.metrics.measures import LPIPS, MEASURES
from jinv.models.loading import load_classifier
from jinv.models.weights.finding import local_weights
from jinv.models.zoo import classifier_spec
from jinv.report.layer_sheet import layer_sheet
from jinv.report.loss_curves import plot_losses
from jinv.report.metrics_log import metrics_log
from jinv.report.pictures import read_picture, save_picture, saved_images

PRESETS = "mahendran-2015", "mahendran-2016", "default"
ERRORS = (
    "relative_squared_error", "relative_error", "distance_over_pairwise",
    "psnr", "ssim", LPIPS,
)  # fmt: skip

VGG, RESIDUAL = ("vgg16_bn", "vgg16_features"), ("resnet18", "efficientnet_lite0")
"""Networks of the coursework, and those whose convolutions stand in where their weights
are not there."""
LAYERS = {
    "vgg16_bn": ("conv3_1", "conv1_1", "pool5", "conv3_1,fc6"),
    "vgg16_features": ("conv3_1", "conv1_1", "pool5", "conv3_1,pool5"),
    "resnet18": ("res2", "middle1"),
    "efficientnet_lite0": ("stage2", "res1"),
}


@dataclass(frozen=True)
class Study:
    """Which study, of which photographs."""

    what: tyro.conf.Positional[Literal["papers", "coursework"]]
    photographs: tyro.conf.Positional[tuple[Path, ...]]
    """Files or folders."""
    most: int = 4
    """Photographs that are taken, the first by name."""
    model: str = "alexnet_features"
    """Network of `papers`."""
    layers: tuple[str, ...] = ("conv1", "conv2", "conv3", "conv4", "pool5")
    """Layers of `papers`, a row each."""
    presets: tuple[str, ...] = PRESETS
    """Presets of `papers`."""
    steps: int = 500
    """Steps of the runs of `coursework`; presets have their own."""
    seed: int = 0
    out: Path = Path("runs/features")


@dataclass(frozen=True)
class Run:
    """A `jinv reconstruct`, and what it left."""

    model: str
    layers: str
    options: str
    folder: Path

    def done(self, study: Study) -> "Run":
        """Carry it out, unless it is done."""
        chosen = photographs_in(study.photographs)[: study.most]
        words = (
            f"--model {self.model} --layers {self.layers} {self.options} "
            f"--seed {study.seed} --out {self.folder}"
        )
        call("reconstruct", words, chosen)
        return self

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def errors(self) -> list[dict[str, float | None]]:
        """Errors of each image; those of features are means over the layers."""
        rows = []
        for row in self.summary["reconstruction"]["images"].values():
            features = row["features"].values()
            means = {
                name: mean_of(layer[name] for layer in features).value
                for name in ERRORS[:3]
            }
            rows.append({**row, **means})
        return rows

    @property
    def images(self) -> np.ndarray:
        found = saved_images(self.folder / "images")
        return np.stack([read_picture(found[number][0]) for number in sorted(found)])

    def cells(self) -> list[str]:
        means = (mean_of(row.get(name) for row in self.errors) for name in ERRORS)
        seconds = self.summary["seconds"]
        passes = self.summary["classifier_passes"] / self.summary["images"]
        return [
            *map(str, means),
            f"{passes:.0f}",
            f"{seconds['running']:.0f}",
            f"{seconds['total']:.0f}",
        ]


COLUMNS = (
    *(MEASURES[name].title for name in ERRORS),
    "passes", "s running", "s in all",
)  # fmt: skip


def papers(study: Study) -> None:
    """A table preset x layer, and for each preset a sheet of the images."""
    rows: dict[str, list[str]] = {}
    for preset in study.presets:
        runs = {}
        for layer in study.layers:
            folder = study.out / study.model / preset / layer
            run = Run(study.model, layer, f"--preset {preset}", folder).done(study)
            runs[layer], rows[f"{layer}, {preset}"] = run, run.cells()
        notes = {
            layer: [f"{row['relative_squared_error']:.3f}" for row in run.errors]
            for layer, run in runs.items()
        }
        sheet = layer_sheet(
            targets(study, study.model),
            {layer: run.images for layer, run in runs.items()},
            notes,
        )
        save_picture(study.out / study.model / f"{preset}.png", sheet)
    order = [f"{layer}, {preset}" for layer in study.layers for preset in study.presets]
    table = [[name, *rows[name]] for name in order]
    write_page(study.out / study.model, "Layers by preset", ["", *COLUMNS], table)


def coursework(study: Study) -> None:
    """The four questions, a table and the losses' curves for each."""
    vgg, residual = (
        next(name for name in names if local_weights(classifier_spec(name)))
        for names in (VGG, RESIDUAL)
    )
    first, *others = LAYERS[vgg]
    common = f"--preset coursework --steps {study.steps} --frames {study.steps // 10}"
    rates = {f"rate {lr}": f"--lr {lr}" for lr in ("1e-3", "1e-2", "1e-1")}
    schedules = ("cosine", "step", "exponential", "plateau")
    rates |= {f"1e-2, {each}": f"--lr 1e-2 --schedule {each}" for each in schedules}
    questions = {
        "Rates and schedules": {
            name: (vgg, first, words) for name, words in rates.items()
        },
        "Total variation": {
            f"weight {weight}": (vgg, first, f"--w-tv-squares {weight}")
            for weight in ("0", "0.1", "1", "10")
        },
        "Layers": {layer: (vgg, layer, "") for layer in (first, *others)},
        "A residual network": {
            f"{model}, {layer}": (model, layer, "")
            for model, layers in ((residual, LAYERS[residual]), (vgg, (first,)))
            for layer in layers
        },
    }
    for question, arms in questions.items():
        folder = study.out / "coursework" / question.lower().replace(" ", "-")
        runs = {
            name: Run(
                model, layers, f"{common} {words}", folder / name.replace(" ", "")
            ).done(study)
            for name, (model, layers, words) in arms.items()
        }
        logs = {name: metrics_log(run.folder).rows() for name, run in runs.items()}
        plot_losses(folder / "losses.png", logs, ["features"])
        sheet = layer_sheet(
            targets(study, vgg), {name: run.images for name, run in runs.items()}
        )
        save_picture(folder / "images.png", sheet)
        table = [[name, *run.cells()] for name, run in runs.items()]
        write_page(folder, question, ["", *COLUMNS], table)


def targets(study: Study, model: str) -> np.ndarray:
    paths = photographs_in(study.photographs)[: study.most]
    return read_photographs(paths, load_classifier(model))


if __name__ == "__main__":
    chosen = tyro.cli(Study)
    {"papers": papers, "coursework": coursework}[chosen.what](chosen)
