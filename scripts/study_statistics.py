#!/usr/bin/env python3
"""How a network's features go together: a figure and a table, by layer.

Of each layer: the covariance of what it says at two places and its inverse, that of two
channels, the Gram matrix, how far both covariances over places are from those of a
convolution (Toeplitz), and how few features are awake. Of large layers only the middle
is looked at.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import tyro
from studying import begin, write_table

from jinv.cli.reconstruct import read_photographs
from jinv.data.photographs import photographs_in
from jinv.metrics.feature_maps import (
    channel_covariance,
    gram_matrix,
    inverse_of,
    place_covariance,
    sparsity,
    toeplitz_deviation,
)
from jinv.models.features import check_layers, features_of
from jinv.models.loading import load_classifier
from jinv.report.axes import new_figure, save_figure, write_title
from jinv.report.html import picture, wide_table, write_html

AT_ONCE = 8
COLUMNS = (
    "layer", "places", "channels", "silent, %", "Hoyer's sparsity",
    "Toeplitz deviation of the covariance", "of its inverse",
    "rank of the channels, 99 %",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """Which layers, on which photographs."""

    photographs: tyro.conf.Positional[tuple[Path, ...]]
    """Files or folders."""
    most: int = 200
    """Photographs that are taken, the first by name."""
    model: str = "alexnet_features"
    layers: tuple[str, ...] = ("pool5",)
    window: int = 14
    """Most places along each side: of larger layers the middle is looked at."""
    channels: int = 96
    """Channels that are shown, those of the largest variance first."""
    ridge: float = 1e-3
    """Share of the mean variance that is added before a covariance is inverted."""
    out: Path = Path("runs/statistics")

    @property
    def folder(self) -> Path:
        """Folder of all that is left of one network."""
        return self.out / self.model


def main(study: Study) -> None:
    network = load_classifier(study.model)
    check_layers(network, study.layers)
    paths = photographs_in(study.photographs)[: study.most]
    parts = []
    for first in range(0, len(paths), AT_ONCE):
        images = read_photographs(paths[first : first + AT_ONCE], network)
        found = features_of(network, study.layers, images)
        parts.append({name: middle(found[name], study.window) for name in found})
        print(f"{min(first + AT_ONCE, len(paths))} of {len(paths)}", flush=True)
    study.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for layer in study.layers:
        maps = np.concatenate([part[layer] for part in parts])
        rows.append(look(study, layer, maps))
    write_table(study.folder, COLUMNS, rows)
    page(study, len(paths), rows)


def middle(maps: np.ndarray, most: int) -> np.ndarray:
    if maps.ndim != 4:
        return maps
    rows, columns = (max(0, length - most) // 2 for length in maps.shape[1:3])
    return maps[:, rows : rows + most, columns : columns + most]


def look(study: Study, layer: str, maps: np.ndarray) -> list[str]:
    """Plot what goes together in a layer; returns its row of the table."""
    sparse = sparsity(maps)
    if maps.ndim != 4:
        maps = maps[:, None, None]
    places = place_covariance(maps)
    inverse = inverse_of(places, study.ridge)
    channels, gram = channel_covariance(maps), gram_matrix(maps)
    height, width = maps.shape[1:3]
    shown = np.argsort(-np.diag(channels))[: study.channels]
    plot(
        study.folder / f"{layer}.png",
        {
            "Covariance of places": places,
            "Its inverse": inverse,
            "Covariance of channels": channels[np.ix_(shown, shown)],
            "Gram matrix": gram[np.ix_(shown, shown)],
        },
    )
    variances = np.linalg.eigvalsh(channels)[::-1].clip(0)
    rank = int(np.searchsorted(np.cumsum(variances) / variances.sum(), 0.99)) + 1
    return [
        layer,
        f"{height}x{width}",
        str(maps.shape[-1]),
        f"{100 * sparse.silent:.1f}",
        f"{sparse.hoyer:.3f}",
        f"{toeplitz_deviation(places, height, width):.4f}",
        f"{toeplitz_deviation(inverse, height, width):.4f}",
        str(rank),
    ]


def plot(path: Path, matrices: dict[str, np.ndarray]) -> None:
    """Matrices side by side: red above 0, blue below, white where they are 0."""
    figure = new_figure(4.6 * len(matrices), 4.4)
    for axes, (title, matrix) in zip(
        figure.subplots(1, len(matrices)), matrices.items(), strict=True
    ):
        # A few large ones, as on the diagonal, must not pale all others.
        most = np.quantile(np.abs(matrix), 0.995) or 1.0
        shown = axes.imshow(
            matrix, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest"
        )
        write_title(axes, title)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(shown, ax=axes, shrink=0.75)
    save_figure(figure, path)


def page(study: Study, count: int, rows: list[list[str]]) -> None:
    note = (
        f"{study.model}, {count} photographs. Places are listed row by row, channels "
        "by their variance. A linear inverse of a convolution is a convolution only "
        "where borders meet (circular padding): with zeros around the image it depends "
        "on the place, and the deviation says by how much."
    )
    sections = [
        "<header>\n<h1>How features go together</h1>\n"
        f"<p>{escape(note)}</p>\n</header>\n",
        f"<section>\n{wide_table(map(escape, COLUMNS), rows)}</section>\n",
        *(
            picture(
                study.folder / f"{layer}.png",
                escape(layer),
                escape(f"Matrices of {layer}"),
                kind="sheet figure",
            )
            for layer in study.layers
        ),
    ]
    write_html(study.folder / "index.html", "How features go together", sections)


if __name__ == "__main__":
    begin(main, Study)
