#!/usr/bin/env python3
"""Do learned priors invert a network better than V^β? By layer, at equal passes.

Priors of images and of feature maps are learnt first, by `jinv prior`, where they are
not there yet. Then photographs are reconstructed from each layer: without any prior, by
V^β alone, by each learned prior alone, by V^β and a prior of images, and with priors of
feature maps added to these one by one, the deepest first and the shallowest first; of
layers up to the one asked for, as others would have to be computed for them. Leaves a
table of errors, and a picture layer by layer. Every run is a `jinv reconstruct` in a
folder of its own. Can be interrupted, and goes on where it was when it is called again.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconstructing import COLUMNS, Run, by_layer, sheet_of, targets, up_to
from studying import begin, call, claim, quoted, write_page

from jinv.data.photographs import photographs_in
from jinv.models.features import check_layers
from jinv.models.loading import load_classifier
from jinv.report.pictures import save_picture

OF_IMAGES = {
    "components": "--expert logistic",
    "experts": "",
    "denoiser": "--preset denoiser",
}
"""Priors of images, by the words in which the commands that learn them differ."""
OF_FEATURES = "--layout separable"
NOTHING = "--w-tv 0"
VARIATION = "variation"


@dataclass(frozen=True)
class Study:
    """Of which photographs, by priors of which images."""

    images: Path
    """Folder of images that priors are learnt from."""
    photographs: tuple[Path, ...]
    """Photographs to reconstruct, files or folders."""
    most: int = 8
    """Photographs that are taken, the first by name."""
    model: str = "alexnet_features"
    layers: tuple[str, ...] = ("relu1", "relu2", "relu4", "pool5")
    """Layers that are inverted."""
    features: tuple[str, ...] = ("relu1", "relu2", "relu4")
    """Layers of whose feature maps priors are learnt."""
    added: str = "experts"
    """Prior of images that is added to V^β."""
    weights: tuple[float, ...] = (0.01,)
    """Weight of priors of images: one, or one for each of `layers`."""
    feature_weights: tuple[float, ...] = (0.001,)
    """Weight of priors of feature maps, likewise."""
    learning: str = ""
    """Words for all commands that learn a prior, as --learning='--steps 1000'."""
    words: str = ""
    """Words for all commands that reconstruct, likewise."""
    learnt: Path | None = None
    """Folder of the learnt priors, by default one in --out."""
    seed: int = 0
    out: Path = Path("runs/priors")

    @property
    def chosen(self) -> list[Path]:
        """Photographs that are taken."""
        return photographs_in(self.photographs)[: self.most]


def main(study: Study) -> None:
    check_layers(load_classifier(study.model), (*study.layers, *study.features))
    by_layer(study.layers, study.weights)
    by_layer(study.layers, study.feature_weights)
    if study.added not in OF_IMAGES:
        sys.exit(f"--added {study.added}: expected one of {', '.join(OF_IMAGES)}")
    with claim(study, study.out, "layers", "features", "weights", "feature_weights"):
        carry_out(study)


def carry_out(study: Study) -> None:
    """Learn the priors that are missing, and reconstruct by all of them."""
    files = {name: learnt(study, name, words) for name, words in OF_IMAGES.items()}
    for layer in study.features:
        of_layer = f"--model {study.model} --layer {layer} {OF_FEATURES}"
        files[layer] = learnt(study, layer, of_layer)
    rows: dict[str, list[str]] = {}
    for layer in study.layers:
        runs = {}
        for name, words in arms(study, layer, files).items():
            folder = study.out / layer / name.replace(" ", "")
            options = f"{words} {study.words} --seed {study.seed}"
            run = Run(study.model, layer, options, folder).done(study.chosen)
            runs[name], rows[f"{layer}, {name}"] = run, run.cells()
        sheet = sheet_of(targets(study.chosen, study.model), runs)
        save_picture(study.out / f"{layer}.png", sheet)
        table = [[name, *cells] for name, cells in rows.items()]
        write_page(study.out, "Learned priors and V^β", ["", *COLUMNS], table)


def learnt(study: Study, name: str, words: str) -> Path:
    """Learn a prior, unless it is there."""
    folder = (study.learnt or study.out / "learnt") / name
    found = folder / "prior.safetensors"
    if not found.exists():
        call(
            "prior",
            f"{quoted(study.images)} {words} {study.learning} --out {quoted(folder)}",
        )
    return found


def arms(study: Study, layer: str, files: dict[str, Path]) -> dict[str, str]:
    """Words in which the runs of a layer differ, by the names of their priors."""
    below = up_to(study.model, layer, study.features)

    def prior(name: str) -> str:
        given = study.weights if name in OF_IMAGES else study.feature_weights
        weight = by_layer(study.layers, given)[layer]
        return f"--prior {quoted(files[name])}:{weight!r}"

    found = {"nothing": NOTHING, VARIATION: ""}
    found |= {n: f"{NOTHING} {prior(n)}" for n in (*OF_IMAGES, *below)}
    # Of those that are added in two orders, the last are the same.
    for order in ([], below[::-1], below):
        for count in range(len(order) + 1):
            added = in_order(below, order[:count])
            names = [study.added, *added]
            found[" + ".join([VARIATION, *names])] = " ".join(map(prior, names))
    return found


def in_order(every: Sequence[str], some: Sequence[str]) -> list[str]:
    """Some names, in the order in which all are listed."""
    return [name for name in every if name in some]


if __name__ == "__main__":
    begin(main, Study)
