#!/usr/bin/env python3
"""What layers keep, by preset, rate, prior, layer and network: studies of inversions.

`papers` inverts each layer of a network by each preset at equal passes, and leaves a
table of errors and a sheet layer x image for each preset. `coursework` answers the four
questions of a coursework: which learning rate and schedule, how much total
variation, what layers of several depths keep, and how a residual network compares with
VGG. Every run is a `jinv reconstruct` in a folder of its own, whose page has its
images on the way; where a preset diverges, its rate is halved, which the table tells.
Can be interrupted, and goes on where it was when it is called again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from reconstructing import COLUMNS, Run, sheet_of, targets
from studying import begin, claim, write_page

from jinv.data.photographs import photographs_in
from jinv.metrics_log import metrics_log
from jinv.models.loading import outline_classifier
from jinv.models.weights.finding import local_weights
from jinv.models.zoo import classifier_spec
from jinv.reconstruction.presets import find_reconstruction
from jinv.report.loss_curves import plot_losses
from jinv.report.pictures import save_picture

PRESETS = "mahendran-2015", "mahendran-2016", "default"

VGG, RESIDUAL = ("vgg16_bn", "vgg16_features"), ("resnet18", "efficientnet_lite0")
"""Networks of the coursework, and those whose convolutions stand in where their weights
are not there."""
AS_IT_IS = ""
"""Words of a run of the preset with nothing changed."""
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
    steps: int | None = None
    """Steps of every run: by default 400 in `papers`, as the preset of 2015 has them,
    and 500 in `coursework`."""
    seed: int = 0
    out: Path = Path("runs/features")

    @property
    def chosen(self) -> list[Path]:
        """Photographs that are taken."""
        return photographs_in(self.photographs)[: self.most]

    def run(self, model: str, layers: str, options: str, folder: Path) -> Run:
        """Carry a run out, unless it is done."""
        options = f"{options} --seed {self.seed}"
        return Run(model, layers, options, folder).done(self.chosen)


def papers(study: Study) -> None:
    """A table preset x layer, and for each preset a sheet of the images."""
    out, known = study.out / study.model, targets(study.chosen, study.model)
    rows: dict[tuple[str, str], list[str]] = {}
    for preset in study.presets:
        runs = {}
        for layer in study.layers:
            name, runs[layer] = carried_out(study, preset, layer, out / preset)
            rows[layer, preset] = [f"{layer}, {name}", *runs[layer].cells()]
        save_picture(out / f"{preset}.png", sheet_of(known, runs))
        table = [
            rows[layer, preset]
            for layer in study.layers
            for preset in study.presets
            if (layer, preset) in rows
        ]
        write_page(out, "Layers by preset", ["", *COLUMNS], table)


def carried_out(study: Study, preset: str, layer: str, out: Path) -> tuple[str, Run]:
    """A run, by half of the preset's rate for as long as it diverges; and its name."""
    network = outline_classifier(classifier_spec(study.model))
    rate = find_reconstruction(preset).fitted(network, [layer]).lr
    words = f"--preset {preset} --steps {study.steps or 400}"
    name, run = preset, study.run(study.model, layer, words, out / layer)
    for share in (2, 4, 8):
        if not run.diverged:
            break
        halved, folder = f"{words} --lr {rate / share!r}", out / f"{layer}-{share}"
        name = f"{preset}, rate / {share}"
        run = study.run(study.model, layer, halved, folder)
    return name, run


def coursework(study: Study) -> None:
    """The four questions, a table and the losses' curves for each.

    What several of them ask for, the preset as it is, is done once.
    """
    vgg, residual = (
        next(name for name in names if local_weights(classifier_spec(name)))
        for names in (VGG, RESIDUAL)
    )
    first, *others = LAYERS[vgg]
    steps = study.steps or 500
    common = f"--preset coursework --steps {steps} --frames {steps // 10}"
    rates = {f"rate {lr}": f"--lr {lr}" for lr in ("1e-3", "1e-2", "1e-1")}
    rates["rate 1e-2"] = AS_IT_IS
    schedules = ("cosine", "step", "exponential", "plateau")
    rates |= {f"1e-2, {each}": f"--schedule {each}" for each in schedules}
    variation = {f"weight {w}": f"--w-tv-squares {w}" for w in ("0", "0.1", "1", "10")}
    variation["weight 1"] = AS_IT_IS
    questions = {
        "Rates and schedules": {
            name: (vgg, first, words) for name, words in rates.items()
        },
        "Total variation": {
            name: (vgg, first, words) for name, words in variation.items()
        },
        "Layers": {layer: (vgg, layer, AS_IT_IS) for layer in (first, *others)},
        "A residual network": {
            f"{model}, {layer}": (model, layer, AS_IT_IS)
            for model, layers in ((residual, LAYERS[residual]), (vgg, (first,)))
            for layer in layers
        },
    }
    for question, arms in questions.items():
        folder = study.out / "coursework" / question.lower().replace(" ", "-")
        runs = {}
        for name, (model, layers, words) in arms.items():
            of_run = "-".join([model, layers, *words.split()]).replace("---", "-")
            place = folder.with_name("runs") / of_run
            runs[name] = study.run(model, layers, f"{common} {words}", place)
        folder.mkdir(exist_ok=True)
        logs = {name: metrics_log(run.folder).rows() for name, run in runs.items()}
        plot_losses(folder / "losses.png", logs, ["features"])
        sheet = sheet_of(targets(study.chosen, vgg), runs)
        save_picture(folder / "images.png", sheet)
        table = [[name, *run.cells()] for name, run in runs.items()]
        write_page(folder, question, ["", *COLUMNS], table)


def main(study: Study) -> None:
    folder = study.model if study.what == "papers" else study.what
    with claim(study, study.out / folder, "layers", "presets"):
        {"papers": papers, "coursework": coursework}[study.what](study)


if __name__ == "__main__":
    begin(main, Study)
