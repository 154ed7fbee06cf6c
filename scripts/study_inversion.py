#!/usr/bin/env python3
"""Ways back from features to images, compared: by layer, error and seconds.

Every arm is a `jinv reconstruct` of the same photographs and layer, in a folder of its
own; arms with decoders need those that `jinv decoder` left, as --decoders
FOLDER/MODEL/LAYER/WHICH/decoder.safetensors. Leaves a table (table.md), a page, and a
sheet layer by layer. Can be interrupted, and goes on where it was when it is called
again.
"""

import json
import sys
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from studying import call, write_table

from jinv.cli.reconstruct import photographs_in, read_photographs
from jinv.decoders.decoder import load_decoder
from jinv.inversion.photographs import features_of
from jinv.metrics.means import mean_of
from jinv.metrics.measures import LPIPS, MEASURES
from jinv.models.loading import load_classifier
from jinv.report.html import picture, wide_table, write_html
from jinv.report.layer_sheet import layer_sheet
from jinv.report.pictures import read_picture, save_picture, saved_images

ARMS = {
    "2015": "--preset mahendran-2015",
    "2016": "--preset mahendran-2016",
    "default": "--preset default",
    "decoder": "--decoder {decoder}",
    "decoder, then 50 steps": "--decoder {decoder} --preset default --steps 50",
    "decoder, then 300 steps": "--decoder {decoder} --preset default --steps 300",
}
"""Arms, by the words in which their commands differ; those that need a file which is
not there are left out."""

IMAGE = "mse", "psnr", "ssim", LPIPS
FEATURES = "relative_squared_error", "relative_error"
COLUMNS = (
    "layer, arm",
    *(MEASURES[name].title for name in (*IMAGE, *FEATURES)),
    "passes an image", "s an image", "s in all",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """Which arms, of which layers, on which photographs."""

    photographs: tyro.conf.Positional[tuple[Path, ...]]
    """Files or folders."""
    most: int = 8
    """Photographs that are taken, the first by name."""
    model: str = "alexnet_features"
    layers: tuple[str, ...] = ("relu1", "relu2", "relu4", "pool5")
    arms: tuple[str, ...] = tuple(ARMS)
    decoders: Path = Path("runs/decoders")
    """Folder of the decoders, such as `study_decoders.py` leaves."""
    which: str = ""
    """Folder of the decoder in that of its layer, e.g. joint-0."""
    seed: int = 0
    more: str = ""
    """Further words for every `jinv reconstruct`, as --more="--batch-size 8"."""
    out: Path = Path("runs/inversion")


@dataclass(frozen=True)
class Run:
    """A `jinv reconstruct`, and what it left."""

    layer: str
    arm: str
    folder: Path

    def done(self, study: Study, words: str) -> "Run":
        """Carry it out, unless it is done."""
        if not (self.folder / "summary.json").is_file():
            words = (
                f"--model {study.model} --layers {self.layer} {words} --seed "
                f"{study.seed} {study.more} --out {self.folder}"
            )
            call("reconstruct", words, targets(study))
        return self

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Errors of each image, of pixels and of features."""
        rows = self.summary["reconstruction"]["images"].values()
        return [{**row, **row["features"][self.layer]} for row in rows]

    @property
    def images(self) -> np.ndarray:
        found = saved_images(self.folder / "images")
        return np.stack([read_picture(found[number][0]) for number in sorted(found)])

    def cells(self, decoding: float) -> list[str]:
        """Its row of the table, given the seconds of a decoder's pass for an image."""
        summary, rows = self.summary, self.errors
        count, seconds = summary["images"], summary["seconds"]
        # What a decoder takes is in no step.
        taken = seconds["running"] / count
        taken += decoding if "{decoder}" in ARMS[self.arm] else 0
        return [
            *(str(mean_of(row.get(n) for row in rows)) for n in (*IMAGE, *FEATURES)),
            f"{summary['classifier_passes'] / count:.0f}",
            f"{taken:.2f}",
            f"{seconds['total']:.0f}",
        ]

    def notes(self) -> list[str]:
        """A line under each image: what of it is right, as an image and as features."""
        return [
            f"{_number(row.get('psnr'), '.1f')} dB, "
            f"{_number(row.get('relative_squared_error'), '.3f')}"
            for row in self.errors
        ]


def main(study: Study) -> None:
    if unknown := set(study.arms) - set(ARMS):
        sys.exit(f"unknown arms {sorted(unknown)}; there are {', '.join(ARMS)}")
    runs: dict[str, dict[str, Run]] = {}
    for layer in study.layers:
        runs[layer] = {}
        for arm in study.arms:
            words = words_of(study, layer, arm)
            if words is None:
                print(f"{layer}, {arm}: left out, as its file is not there", flush=True)
                continue
            folder = study.out / study.model / layer / arm.replace(", ", "-")
            run = Run(layer, arm, Path(str(folder).replace(" ", "-")))
            runs[layer][arm] = run.done(study, words)
        write(study, {name: found for name, found in runs.items() if found})


def words_of(study: Study, layer: str, arm: str) -> str | None:
    """The words of an arm; None where a file that it needs is not there."""
    files = {"decoder": decoder_of(study, layer)}
    needed = [path for name, path in files.items() if f"{{{name}}}" in ARMS[arm]]
    if not all(path.is_file() for path in needed):
        return None
    return ARMS[arm].format(**files)


def decoder_of(study: Study, layer: str) -> Path:
    folder = study.decoders / study.model / layer / study.which
    return folder / "decoder.safetensors"


def seconds_of(study: Study, layer: str) -> float:
    """Seconds that a decoder takes for an image, the network's pass included."""
    path = decoder_of(study, layer)
    if not path.is_file():
        return 0.0
    network = load_classifier(study.model)
    decoder = load_decoder(path, network)
    known = read_photographs(targets(study), network)
    taken = []
    for _ in range(2):  # the first compiles
        began = time.monotonic()
        decoder.images(features_of(network, [layer], known)[layer])
        taken.append(time.monotonic() - began)
    return taken[-1] / len(known)


def targets(study: Study) -> list[Path]:
    return photographs_in(study.photographs)[: study.most]


def write(study: Study, runs: dict[str, dict[str, Run]]) -> None:
    """Write table, sheets and page of what is done."""
    rows = []
    for layer, found in runs.items():
        decoding = seconds_of(study, layer)
        rows += [[f"{layer}, {arm}", *r.cells(decoding)] for arm, r in found.items()]
    write_table(study.out, COLUMNS, rows)
    network = load_classifier(study.model)
    known = read_photographs(targets(study), network)
    for layer, found in runs.items():
        sheet = layer_sheet(
            known,
            {arm: run.images for arm, run in found.items()},
            {arm: run.notes() for arm, run in found.items()},
        )
        save_picture(study.out / f"{study.model}-{layer}.png", sheet)
    cells = [[*map(escape, row)] for row in rows]
    note = (
        "Under each image: its PSNR, and ‖Φ - Φ₀‖² / ‖Φ₀‖² of the layer. Nobody is "
        "told more of a photograph than the layer's features."
    )
    sections = [
        "<header>\n<h1>Ways back from features</h1>\n"
        f"<p>{escape(study.model)}, {len(known)} photographs</p>\n"
        f'<p class="pale">{escape(note)}</p>\n</header>\n',
        f"<section>\n{wide_table(map(escape, COLUMNS), cells)}</section>\n",
        *(
            picture(
                study.out / f"{study.model}-{layer}.png",
                escape(layer),
                escape(f"Photographs, and what came of {layer}"),
            )
            for layer in runs
        ),
    ]
    write_html(study.out / "index.html", "Ways back from features", sections)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


if __name__ == "__main__":
    main(tyro.cli(Study))
