"""Losses of several runs, one beside the other, as a figure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jinv.report.axes import (
    make_logarithmic,
    new_figure,
    save_figure,
    tidy,
    write_title,
)
from jinv.report.palette import COLOURS, INK

Row = Mapping[str, Any]

_WIDEST = 4
"""Panels in a row at most."""


def plot_losses(
    path: Path,
    runs: Mapping[str, Sequence[Row]],
    terms: Sequence[str] | None = None,
) -> None:
    """Plot what runs are optimised for: a panel for each term, a line for each run.

    Terms are shown before their weights, which may differ between the runs; of several
    batches the mean is shown, at the steps of a batch. Phases follow each other.

    Args:
        path: Path of the .png to write; nothing is written where the logs are empty.
        runs: Rows of `metrics.jsonl`, by names of the runs.
        terms: Names of the terms to show; by default all that any run has.
    """
    found = [name for rows in runs.values() for row in rows for name in row["terms"]]
    names = list(dict.fromkeys(found)) if terms is None else list(terms)
    if not found or not names:
        return
    columns = min(len(names), _WIDEST)
    rows = -(-len(names) // columns)
    figure = new_figure(max(6.5, 3.9 * columns), 3.4 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.axis("off")
    for axes, name in zip(panels, names, strict=False):
        tidy(axes)
        write_title(axes, name.replace("_", " "))
        for place, (run, log) in enumerate(runs.items()):
            colour = COLOURS[place % len(COLOURS)]
            # Beyond eight, colours come again, paler.
            alpha = 1.0 if place < len(COLOURS) else 0.45
            steps, values = _line(log, name)
            marker = "." if len(steps) == 1 else ""  # a single point makes no line
            look = {"color": colour, "alpha": alpha, "marker": marker, "lw": 1.5}
            axes.plot(steps, values, label=run, **look)
        make_logarithmic(axes)
        axes.set_xlabel("step", color=INK)
    handles, labels = panels[0].get_legend_handles_labels()
    legend = figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=min(len(labels), 2 * columns),
        frameon=False,
        labelcolor=INK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    save_figure(figure, path)


def _line(rows: Sequence[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and the mean over the batches of what a term was there."""
    lengths: dict[int, int] = defaultdict(int)
    for row in rows:
        lengths[row["phase"]] = max(lengths[row["phase"]], row["step"])
    before = {phase: sum(lengths[p] for p in lengths if p < phase) for phase in lengths}
    values = defaultdict(list)
    for row in rows:
        if name in row["terms"]:
            step = before[row["phase"]] + row["step"]
            values[step].append(row["terms"][name]["raw"])
    steps = sorted(values)
    return np.array(steps), np.array([np.mean(values[step]) for step in steps])
