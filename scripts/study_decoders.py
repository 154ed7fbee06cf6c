#!/usr/bin/env python3
"""How decoders should learn: regimes, losses and architectures, by layer and seed.

Every arm is a `jinv decoder` with the same photographs, crops and updates, in a folder
of its own. Leaves a table (table.md) of means and deviations over the seeds, a page,
and a sheet of what the arms make of the same photographs. Can be interrupted, and goes
on where it was when it is called again.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import tyro
from studying import begin, call, claim, quoted, write_table

from jinv.data.photographs import Photographs
from jinv.decoders.crops import as_taken, middles
from jinv.decoders.decoder import load_decoder
from jinv.metrics.measures import LPIPS, MEASURES
from jinv.models.classifier import Classifier
from jinv.models.features import check_layers, features_of
from jinv.models.loading import load_classifier
from jinv.report.html import duration, picture, wide_table, write_html
from jinv.report.layer_sheet import layer_sheet
from jinv.report.pictures import save_picture

ARMS = {
    "stacked": "--regime stacked",
    "joint": "--regime joint",
    "end": "--regime end",
    # What else differs, each from `joint`.
    "resize": "--regime joint --upwards resize",
    "features": "--regime joint --w-image 0 --w-features 1",
    "both": "--regime joint --w-features 1",
    "monolithic": "--architecture monolithic",
}
"""Arms, by the words in which their commands differ."""

CARD = "decoder.json"
"""What a decoder leaves last."""
ERRORS = "psnr", "ssim", LPIPS, "relative_squared_error"


@dataclass(frozen=True)
class Study:
    """Which arms, of which layers, from which photographs."""

    photographs: tyro.conf.Positional[tuple[Path, ...]]
    """Files or folders to learn from."""
    test: tuple[Path, ...]
    """Files or folders to test by."""
    model: str = "vgg16_features"
    weights: Path | None = None
    layers: tuple[str, ...] = ("pool2",)
    arms: tuple[str, ...] = ("stacked", "joint", "end")
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 1000
    batch_size: int = 8
    crop: int = 64
    more: str = ""
    """Further words for every `jinv decoder`, as --more="--lr 1e-3"."""
    shown: int = 8
    """Photographs on the sheets."""
    out: Path = Path("runs/decoders")

    @property
    def folder(self) -> Path:
        """Folder of all that the study leaves of one network."""
        return self.out / self.model


@dataclass(frozen=True)
class Run:
    """A `jinv decoder`, and what it left."""

    layer: str
    arm: str
    seed: int
    folder: Path

    def carry_out(self, study: Study) -> None:
        """Do it, unless it is done."""
        weights = f"--weights {quoted(study.weights)}" if study.weights else ""
        call(
            "decoder",
            f"{quoted(*study.photographs)} --test {quoted(*study.test)} "
            f"--model {study.model} {weights} --layer {self.layer} "
            f"{ARMS[self.arm]} --seed {self.seed} --steps {study.steps} "
            f"--batch-size {study.batch_size} --crop {study.crop} {study.more} "
            f"--out {quoted(self.folder)}",
            self.folder / CARD,
        )


def main(study: Study) -> None:
    if unknown := set(study.arms) - set(ARMS):
        sys.exit(f"unknown arms {sorted(unknown)}; there are {', '.join(ARMS)}")
    network = load_classifier(study.model, study.weights)
    check_layers(network, study.layers)
    with claim(study, study.folder, "layers", "arms", "seeds", "shown"):
        # Seed by seed: what is interrupted has all arms of the seeds that are done.
        for seed in study.seeds:
            for layer in study.layers:
                for arm in study.arms:
                    run_of(study, layer, arm, seed).carry_out(study)
                    write_table(study.folder, COLUMNS, rows(study))
        sheets(study, network)
        page(study)


def run_of(study: Study, layer: str, arm: str, seed: int) -> Run:
    return Run(layer, arm, seed, study.folder / layer / f"{arm}-{seed}")


def layers_of(study: Study) -> list[str]:
    """Layers that have an arm, those of earlier calls too."""
    found = (each.name for each in sorted(study.folder.iterdir()) if each.is_dir())
    return list(dict.fromkeys((*study.layers, *found)))


def rows(study: Study) -> Iterator[list[str]]:
    """A row for each layer and arm: means and deviations over the seeds done."""
    for layer in layers_of(study):
        for arm in ARMS:
            found = sorted((study.folder / layer).glob(f"{arm}-*/{CARD}"))
            cards = [json.loads(path.read_text("utf-8")) for path in found]
            if not cards:
                continue
            cells = [
                _spread([card["errors"].get(name) for card in cards]) for name in ERRORS
            ]
            seconds = [card["budget"]["seconds"] for card in cards]
            yield [
                f"{layer}, {arm}",
                *cells,
                f"{cards[0]['parameters']:,}",
                f"{cards[0]['budget']['crops']:,}",
                duration(float(np.mean(seconds))),
                str(len(cards)),
            ]  # fmt: skip


COLUMNS = (
    "", *(MEASURES[name].title for name in ERRORS),
    "parameters", "crops", "time", "seeds",
)  # fmt: skip


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    deviation = f" ± {np.std(known, ddof=1):.2g}" if len(known) > 1 else ""
    return f"{np.mean(known):.4g}{deviation}"


def sheets(study: Study, network: Classifier) -> None:
    """For each layer, what the first seed's arms make of the same photographs."""
    channels = network.spec.channels
    images = Photographs(study.test, channels)[: study.shown]
    for layer in study.layers:
        runs = {arm: run_of(study, layer, arm, study.seeds[0]) for arm in study.arms}
        decoders = {
            arm: load_decoder(run.folder / "decoder.safetensors", network)
            for arm, run in runs.items()
        }
        (size,) = {decoder.about.crop for decoder in decoders.values()}
        targets = middles(as_taken(images, channels, size), size)
        known = features_of(network, [layer], targets)[layer]
        made = {arm: each.images(known, (size, size)) for arm, each in decoders.items()}
        save_picture(study.folder / f"{layer}.png", layer_sheet(targets, made))


def page(study: Study) -> None:
    cells = [[*map(escape, row)] for row in rows(study)]
    note = (
        f"{study.model}, {study.steps * study.batch_size:,} random crops an arm; means "
        "and deviations over seeds."
    )
    sections = [
        f"<header>\n<h1>Decoders</h1>\n<p>{escape(note)}</p>\n</header>\n",
        f"<section>\n{wide_table(map(escape, COLUMNS), cells)}</section>\n",
        *(
            picture(path, escape(path.stem), escape(f"By {path.stem}"))
            for path in sorted(study.folder.glob("*.png"))
        ),
    ]
    write_html(study.folder / "index.html", "Decoders", sections)


if __name__ == "__main__":
    begin(main, Study)
