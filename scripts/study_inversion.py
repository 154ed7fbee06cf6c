#!/usr/bin/env python3
"""Ways back from features to images, compared: by layer, error and seconds.

Every arm is a `jinv reconstruct` of the same photographs and layer, in a folder of its
own. Arms with decoders need those that `jinv decoder` left, as --decoders
FOLDER/MODEL/LAYER/WHICH/decoder.safetensors; arms with learned priors those of
`jinv prior`, as --priors FOLDER/NAME/prior.safetensors, of images ("experts" and
"denoiser") and of feature maps (called as their layers; those up to the one at hand are
used). Leaves a table (table.md), a page, and a sheet layer by layer. Can be
interrupted, and goes on where it was when it is called again.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tyro
from reconstructing import COLUMNS, Run, by_layer, sheet_of, targets, up_to
from studying import begin, claim, quoted, write_page

from jinv.data.photographs import photographs_in
from jinv.decoders.decoder import load_decoder
from jinv.models.features import check_layers, features_of
from jinv.models.loading import load_classifier
from jinv.report.pictures import save_picture

DECODER, IMAGES, FEATURES = "{decoder}", "{images}", "{features}"
DENOISER = "{denoiser}"
ARMS = {
    "2015": "--preset mahendran-2015",
    "2016": "--preset mahendran-2016",
    "default": "--preset default",
    "prior of images": f"--w-tv 0 {IMAGES}",
    "priors of images and features": f"--w-tv 0 {IMAGES} {FEATURES}",
    "denoiser": f"--w-tv 0 {DENOISER}",
    "decoder": f"--decoder {DECODER}",
    "decoder, then default": f"--decoder {DECODER} --preset default --steps 100",
    "decoder, then denoiser": f"--decoder {DECODER} --w-tv 0 {DENOISER} --steps 100",
}
"""Arms, by the words in which their commands differ; those that need a file which is
not there are left out."""

Weights = Mapping[str, Mapping[str, float]]
"""Weights of priors, by what these are of, and by layer."""


@dataclass(frozen=True)
class Study:
    """Which arms, of which layers, on which photographs."""

    photographs: tyro.conf.Positional[tuple[Path, ...]]
    """Files or folders."""
    most: int = 8
    """Photographs that are taken, the first by name."""
    model: str = "alexnet_features"
    layers: tuple[str, ...] = ("relu1", "relu2", "relu4", "pool5")
    """Layers that are inverted."""
    arms: tuple[str, ...] = tuple(ARMS)
    decoders: tuple[Path, ...] = (Path("runs/decoders"),)
    """Folders of the decoders, such as `study_decoders.py` leaves; the first that has
    one of the layer is asked."""
    which: str = ""
    """Folder of the decoder in that of its layer, e.g. joint-0."""
    priors: Path = Path("runs/priors/learnt")
    """Folder of the learned priors, such as `study_priors.py` leaves."""
    weights: tuple[float, ...] = (0.01,)
    """Weight of the prior of images: one, or one for each of `layers`."""
    denoiser_weights: tuple[float, ...] = (0.01,)
    """Weight of the denoiser, likewise."""
    feature_weights: tuple[float, ...] = (0.001,)
    """Weight of priors of feature maps, likewise."""
    seed: int = 0
    more: str = ""
    """Further words for every `jinv reconstruct`, as --more="--batch-size 8"."""
    out: Path = Path("runs/inversion")

    @property
    def chosen(self) -> list[Path]:
        """Photographs that are taken."""
        return photographs_in(self.photographs)[: self.most]


def main(study: Study) -> None:
    if unknown := set(study.arms) - set(ARMS):
        sys.exit(f"unknown arms {sorted(unknown)}; there are {', '.join(ARMS)}")
    check_layers(load_classifier(study.model), study.layers)
    weights = {
        IMAGES: by_layer(study.layers, study.weights),
        DENOISER: by_layer(study.layers, study.denoiser_weights),
        FEATURES: by_layer(study.layers, study.feature_weights),
    }
    free = "layers", "arms", "weights", "denoiser_weights", "feature_weights"
    with claim(study, study.out / study.model, *free):
        carry_out(study, weights)


def carry_out(study: Study, weights: Weights) -> None:
    """Reconstruct from every layer in every way whose files are there."""
    known = targets(study.chosen, study.model)
    out, rows = study.out / study.model, []
    for layer in study.layers:
        runs = {}
        for arm in study.arms:
            words = words_of(study, weights, layer, arm)
            if words is None:
                print(f"{layer}, {arm}: left out, as its file is not there", flush=True)
                continue
            folder = out / layer / arm.replace(",", "").replace(" ", "-")
            options = f"{words} --seed {study.seed} {study.more}"
            run = Run(study.model, layer, options, folder).done(study.chosen)
            decoding = seconds_of(study, layer) if DECODER in ARMS[arm] else 0.0
            rows.append([f"{layer}, {arm}", *run.cells(), f"{decoding:.2f}"])
            runs[arm] = run
        if runs:
            save_picture(out / f"{layer}.png", sheet_of(known, runs))
        columns = ["", *COLUMNS, "s decoding an image"]
        write_page(out, "Ways back from features", columns, rows)


def words_of(study: Study, weights: Weights, layer: str, arm: str) -> str | None:
    """The words of an arm; None where a file that it needs is not there."""
    below = up_to(study.model, layer, study.layers)
    files = {
        DECODER: [decoder_of(study, layer)],
        IMAGES: [study.priors / "experts" / "prior.safetensors"],
        DENOISER: [study.priors / "denoiser" / "prior.safetensors"],
        FEATURES: [study.priors / name / "prior.safetensors" for name in below],
    }
    there = {name: [p for p in paths if p.is_file()] for name, paths in files.items()}
    if not all(found for name, found in there.items() if name in ARMS[arm]):
        return None
    words = ARMS[arm]
    for name, found in there.items():
        prior = f"--prior {{}}:{weights[name][layer]!r}" if name in weights else "{}"
        given = " ".join(prior.format(quoted(path)) for path in found)
        words = words.replace(name, given)
    return words


def decoder_of(study: Study, layer: str) -> Path:
    """Where the decoder of a layer lies, or would lie."""
    place = Path(study.model, layer, study.which, "decoder.safetensors")
    found = (folder / place for folder in study.decoders if (folder / place).is_file())
    return next(found, study.decoders[0] / place)


@cache
def seconds_of(study: Study, layer: str) -> float:
    """Seconds that a decoder takes for an image, the network's pass included."""
    network = load_classifier(study.model)
    decoder = load_decoder(decoder_of(study, layer), network)
    known = targets(study.chosen, study.model)
    taken = []
    for _ in range(2):  # the first compiles
        began = time.monotonic()
        decoder.images(features_of(network, [layer], known)[layer])
        taken.append(time.monotonic() - began)
    return taken[-1] / len(known)


if __name__ == "__main__":
    begin(main, Study)
