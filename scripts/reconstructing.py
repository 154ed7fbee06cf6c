"""What studies of reconstructions share: a run, what it left, its row of a table."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from studying import call, quoted

from jinv.cli.reconstruct import read_photographs
from jinv.errors import Diverged
from jinv.metrics.means import mean_of
from jinv.metrics.measures import LPIPS, MEASURES
from jinv.models.loading import load_classifier, outline_classifier
from jinv.models.zoo import classifier_spec
from jinv.reconstruction.presets import depth_of
from jinv.report.layer_sheet import layer_sheet
from jinv.report.pictures import read_picture, saved_images

OF_FEATURES = "relative_squared_error", "relative_error", "distance_over_pairwise"
ERRORS = *OF_FEATURES, "mse", "psnr", "ssim", LPIPS


@dataclass(frozen=True)
class Run:
    """A `jinv reconstruct`, and what it left."""

    model: str
    layers: str
    options: str
    folder: Path

    def done(self, photographs: Sequence[Path]) -> "Run":
        """Carry it out, unless it is done; it may diverge."""
        words = (
            f"{quoted(*photographs)} --model {self.model} --layers {self.layers} "
            f"{self.options} --out {quoted(self.folder)}"
        )
        call("reconstruct", words, allowed=(Diverged.exit_status,))
        return self

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def diverged(self) -> bool:
        return self.summary["status"] == "diverged"

    @property
    def errors(self) -> list[dict[str, float | None]]:
        """Errors of each image; those of features are means over the layers."""
        rows = []
        for row in self.summary["reconstruction"]["images"].values():
            features = row["features"].values()
            means = {
                name: mean_of(layer[name] for layer in features).value
                for name in OF_FEATURES
            }
            rows.append({**row, **means})
        return rows

    def images(self, targets: np.ndarray) -> np.ndarray:
        """Images of all targets; grey ones where it diverged."""
        if self.diverged:
            return np.full_like(targets, 128)
        found = saved_images(self.folder / "images")
        return np.stack([read_picture(found[number][0]) for number in sorted(found)])

    def notes(self, targets: np.ndarray) -> list[str]:
        """A line under each image: what of it is right, as features and as an image."""
        if self.diverged:
            return ["diverged"] * len(targets)
        return [
            f"{_number(row['relative_squared_error'], '.3f')}, "
            f"{_number(row.get('psnr'), '.1f')} dB"
            for row in self.errors
        ]

    def cells(self) -> list[str]:
        """Its row of the table."""
        if self.diverged:
            return ["diverged", *[""] * (len(COLUMNS) - 1)]
        means = (mean_of(row.get(name) for row in self.errors) for name in ERRORS)
        seconds = self.summary["seconds"]
        passes = self.summary["classifier_passes"] / self.summary["images"]
        return [
            *map(str, means),
            f"{passes:.0f}",
            f"{seconds['running']:.1f}",
            f"{seconds['compiling']:.1f}",
        ]


COLUMNS = (
    *(MEASURES[name].title for name in ERRORS),
    "passes", "s running", "s compiling",
)  # fmt: skip


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def by_layer(layers: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """Weights by layer: one for all, or one for each; the study ends with others."""
    if len(weights) == 1:
        return dict.fromkeys(layers, weights[0])
    if len(weights) != len(layers):
        sys.exit(f"error: {weights}: expected one weight, or {len(layers)}, by layer")
    return dict(zip(layers, weights, strict=True))


def up_to(model: str, layer: str, layers: Sequence[str]) -> list[str]:
    """Those of some layers that are no deeper than one, the shallowest first."""
    network = outline_classifier(classifier_spec(model))
    fields = {name: depth_of(network, [name]).field for name in (layer, *layers)}
    found = (name for name in layers if fields[name] <= fields[layer])
    return sorted(found, key=fields.__getitem__)


def targets(photographs: Sequence[Path], model: str) -> np.ndarray:
    """Photographs as a network takes them."""
    return read_photographs(photographs, load_classifier(model))


def sheet_of(targets: np.ndarray, runs: Mapping[str, Run]) -> Image.Image:
    """Compose the targets and what each run made of them, a row each."""
    images = {name: run.images(targets) for name, run in runs.items()}
    notes = {name: run.notes(targets) for name, run in runs.items()}
    return layer_sheet(targets, images, notes)
