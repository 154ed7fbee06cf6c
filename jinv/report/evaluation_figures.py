"""Figures of how a set of synthetic images compares with real ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jinv.report.axes import new_figure, save_figure, tidy, write_title
from jinv.report.palette import CLASS_COLOURS, COLOURS, INK

_MOST_ON_MAP, _MOST_WITH_NUMBERS = 40, 20  # classes
_MOST_PAIRS, _LEAST_BARS = 25, 8
_PALE = "#9aa0a6"


def plot_confusion(
    path: Path, matrix: ArrayLike, classes: Sequence[str], title: str
) -> None:
    """Plot what a judge saw in the images of each class.

    Up to 40 classes are a heat map of the shares of each row, up to 20 with numbers; of
    more, only the 25 pairs that were confused most often are shown, as bars. Classes
    without images have no row.

    Args:
        path: Path of the .png to write.
        matrix: Numbers of images by class asked for and class seen (classes, classes).
        classes: Names of the classes.
        title: Heading of the figure.

    Raises:
        ValueError: The matrix does not fit the classes.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(classes),) * 2:
        raise ValueError(f"{len(classes)} classes need no matrix of {counts.shape}")
    plot = _heat_map if len(classes) <= _MOST_ON_MAP else _confused_pairs
    figure, axes = plot(counts, classes)
    write_title(axes, title)
    save_figure(figure, path)


def _heat_map(counts: np.ndarray, classes: Sequence[str]) -> tuple[Any, Any]:
    asked = np.flatnonzero(counts.sum(1)).tolist()
    percents = 100 * counts[asked] / counts[asked].sum(1, keepdims=True)
    with_numbers = len(classes) <= _MOST_WITH_NUMBERS
    cell = 0.52 if with_numbers else 0.26
    figure = new_figure(2 + cell * len(classes), 1.7 + cell * len(asked))
    axes = figure.subplots()
    # White is for none at all: a few must look different.
    shown = np.ma.masked_equal(percents, 0)
    image = axes.imshow(shown, cmap="Blues", vmin=-8, vmax=100)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(asked)), [classes[row] for row in asked])
    axes.set_xticks(np.arange(1, len(classes)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(asked)) - 0.5, minor=True)
    axes.grid(which="minor", color="0.93", linewidth=0.8)
    axes.tick_params(which="both", length=0, colors=INK)
    axes.spines[:].set_color("0.85")
    axes.set_xlabel("class seen by the judge (% of the class asked for)", color=INK)
    axes.set_ylabel("class asked for", color=INK)
    if not with_numbers:
        bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=range(0, 101, 20))
        bar.ax.set_ylim(0, 100)
        bar.outline.set_visible(False)
        return figure, axes
    for row, column in np.argwhere(percents):
        value = percents[row, column]
        axes.text(
            column,
            row,
            f"{round(value, 1):g}",
            ha="center",
            va="center",
            color="white" if value > 45 else INK,
            fontsize=9,
        )
    return figure, axes


def _confused_pairs(counts: np.ndarray, classes: Sequence[str]) -> tuple[Any, Any]:
    asked = counts.sum(1)
    wrong = counts * (1 - np.eye(len(classes), dtype=counts.dtype))
    pairs = np.argwhere(wrong)
    often = wrong[tuple(pairs.T)]
    # Of pairs that are equally frequent, the one that takes more of its class is first.
    order = np.lexsort((-often / asked[pairs[:, 0]], -often))[:_MOST_PAIRS]
    shown, often = pairs[order], often[order].astype(int)

    # Room for at least so many, or the labels of the axes are longer than the axes.
    bars = max(_LEAST_BARS, len(shown))

    figure = new_figure(10, 1.2 + 0.27 * bars)
    axes = figure.subplots()
    tidy(axes)
    plotted = axes.barh(range(len(shown)), often, color=COLOURS[0], height=0.7)
    notes = [
        f"{count} of {int(asked[row])}"
        for count, (row, _) in zip(often, shown, strict=True)
    ]
    axes.bar_label(plotted, notes, padding=4, fontsize=9, color=INK)
    short = [name if len(name) <= 30 else f"{name[:29]}…" for name in classes]
    names = [f"{short[row]} → {short[column]}" for row, column in shown.tolist()]
    axes.set_yticks(range(len(shown)), names)
    axes.set_ylim(bars - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(often, default=1))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", visible=False)
    axes.set_ylabel("class asked for → class seen", color=INK)
    right = 100 * np.trace(counts) / max(1, asked.sum())
    axes.set_xlabel(
        f"images (the {len(shown)} commonest of {len(pairs):,} confusions; "
        f"{right:.1f} % of all images are seen as asked)",
        color=INK,
    )
    return figure, axes


def plot_embedding(
    path: Path,
    panels: Mapping[str, ArrayLike],
    labels: ArrayLike,
    origin: ArrayLike,
    classes: Sequence[str],
) -> None:
    """Plot points of real and of synthetic images, a panel for each feature.

    Up to 10 classes have a colour each; of more, only real and synthetic differ.

    Args:
        path: Path of the .png to write.
        panels: Points of the images (images, 2) by the name of a feature.
        labels: Indices into `classes` (images,).
        origin: Origin of the images, true for a real one (images,).
        classes: Names of the classes.
    """
    from matplotlib.lines import Line2D

    labels, real = np.asarray(labels), np.asarray(origin, bool)
    found, index = np.unique(labels, return_inverse=True)
    by_class = len(found) <= len(CLASS_COLOURS)
    colours = np.asarray(CLASS_COLOURS)[index] if by_class else None

    def mark(colour: str, is_real: bool, name: str) -> Line2D:
        look = (
            {"marker": "o", "alpha": 0.4, "mew": 0}
            if is_real
            else {"marker": "D", "mec": "black", "mew": 0.6}
        )
        return Line2D([], [], ls="", ms=7, color=colour, label=name, **look)

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(3.6 * columns + 1.7, 3.8 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes, (name, values) in zip(grid, panels.items(), strict=False):
        points = np.asarray(values)
        write_title(axes, name)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color("0.85")
        axes.set_box_aspect(1)
        axes.scatter(
            *points[real].T,
            s=14,
            c=_PALE if colours is None else colours[real],
            alpha=0.3,
            linewidths=0,
        )
        axes.scatter(
            *points[~real].T,
            s=16,
            c=COLOURS[1] if colours is None else colours[~real],
            marker="D",
            edgecolors="black",
            linewidths=0.5,
        )
    handles = [
        mark(_PALE, True, "real"),
        mark("white" if by_class else COLOURS[1], False, "synthetic"),
    ]
    if by_class:
        handles += [
            Line2D([], [], ls="", marker="s", ms=8, color=colour, label=classes[label])
            for colour, label in zip(CLASS_COLOURS, found, strict=False)
        ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    save_figure(figure, path)


def plot_precision_recall(
    path: Path, curves: Mapping[str, tuple[ArrayLike, ArrayLike]]
) -> None:
    """Plot precision over recall, a line for each set (Sajjadi et al. 2018).

    Args:
        path: Path of the .png to write.
        curves: Recall and precision, in 0..1 and of equal length, by name of the set.
    """
    figure = new_figure(7.2, 5)
    axes = figure.subplots()
    tidy(axes)
    for number, (name, (recall, precision)) in enumerate(curves.items()):
        axes.plot(
            np.asarray(recall),
            np.asarray(precision),
            color=COLOURS[number % len(COLOURS)],
            # The colours come again after eight sets.
            linestyle=("-", "--", ":")[number // len(COLOURS) % 3],
            linewidth=2,
            label=name,
            # Curves along an edge would lose half of their width.
            clip_on=False,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("recall (share of the real images that is covered)", color=INK)
    axes.set_ylabel("precision (share of the set that looks real)", color=INK)
    figure.legend(loc="outside right upper", frameon=False)
    save_figure(figure, path)
