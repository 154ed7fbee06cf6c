"""The log of a run, as a figure."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jinv.report.axes import make_logarithmic, save_figure, tidy, write_title
from jinv.report.palette import COLOURS, INK

Row = Mapping[str, Any]


def plot_curves(path: Path, rows: Sequence[Row], joined: bool = False) -> None:
    """Plot loss, terms, learning rate and accuracy over the steps.

    Phases follow each other from left to right; each batch is a line of its own.

    Args:
        path: Path of the .png to write; nothing is written where the log is empty.
        rows: Rows of `metrics.jsonl`, in order.
        joined: Whether each batch goes on where the last one ended; all are one line
            then.
    """
    if not rows:
        return
    if joined:
        rows = [
            {**row, "batch": 0, "phase": 0, "step": row["total_step"]} for row in rows
        ]
    # Matplotlib takes longer to import than all the rest together.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D

    starts, end = _phase_starts(rows)
    names = list(dict.fromkeys(name for row in rows for name in row["terms"]))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}

    spacing = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(13, 7), layout=spacing)
    loss, weighted, raw, rate, fifth, sixth = figure.subplots(2, 3).ravel()
    # Where nothing was asked of the images, there is nothing to recognise.
    asked = any(row.get("top1") is not None for row in rows)
    key, spare = (sixth, fifth) if asked else (fifth, sixth)
    _panel(loss, "Total loss", "loss (weighted sum of the terms)", starts, end)
    _panel(weighted, "Terms, weighted", "contribution to the loss", starts, end)
    _panel(raw, "Terms, raw", "value before its weight", starts, end)
    _panel(rate, "Learning rate", "learning rate", starts, end)

    _lines(loss, rows, starts, lambda row: row["loss"], INK)
    for name, colour in colours.items():
        for panel, kind in ((weighted, "weighted"), (raw, "raw")):
            _lines(panel, rows, starts, _term(name, kind), colour)
    _lines(rate, rows, starts, lambda row: row["learning_rate"], INK)
    for panel in (loss, weighted, raw):
        make_logarithmic(panel)
    rate.set_ylim(bottom=0)
    if asked:
        _panel(spare, "Teacher accuracy", "images recognised (%)", starts, end)
        _lines(spare, rows, starts, _accuracy, INK)
        spare.set_ylim(-3, 103)
    else:
        spare.axis("off")
    key.axis("off")
    handles = [Line2D([], [], color=c, lw=2, label=n) for n, c in colours.items()]
    if len(starts) > 1:
        handles.append(
            Line2D([], [], color="0.75", lw=1, ls="--", label="start of a phase")
        )
    batches = len({row["batch"] for row in rows})
    title = "Terms" if batches == 1 else f"Terms ({batches} batches, a line each)"
    key.legend(
        handles=handles, title=title, loc="upper left", frameon=False, alignment="left"
    )
    save_figure(figure, path)


def _phase_starts(rows: Sequence[Row]) -> tuple[dict[int, int], int]:
    """Steps on the common axis where each phase begins, and where the last one ends."""
    lengths: dict[int, int] = defaultdict(int)
    for row in rows:
        lengths[row["phase"]] = max(lengths[row["phase"]], row["step"])
    starts, end = {}, 0
    for phase in sorted(lengths):
        starts[phase] = end
        end += lengths[phase]
    return starts, end


def _term(name: str, kind: str) -> Callable[[Row], float]:
    return lambda row: row["terms"].get(name, {}).get(kind, np.nan)


def _accuracy(row: Row) -> float:
    share = row.get("top1")
    return np.nan if share is None else 100 * share


def _panel(
    axes: Any, title: str, unit: str, starts: Mapping[int, int], end: int
) -> None:
    """Set up axes that all look alike."""
    write_title(axes, title)
    tidy(axes)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel(unit, color=INK)
    axes.set_xlim(0, max(1, end))
    for start in list(starts.values())[1:]:
        axes.axvline(start, color="0.75", linewidth=1, linestyle="--", zorder=0)


def _lines(
    axes: Any,
    rows: Sequence[Row],
    starts: Mapping[int, int],
    value: Callable[[Row], float],
    colour: str,
) -> None:
    """Plot one quantity, a thin line for each batch, broken between phases."""
    parts: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        parts[row["batch"], row["phase"]].append(row)
    batches = len({batch for batch, _ in parts})
    alpha = max(0.25, batches**-0.5)
    for part in parts.values():
        x = [starts[row["phase"]] + row["step"] for row in part]
        y = [value(row) for row in part]
        # A single point makes no line.
        marker = "." if len(part) == 1 else ""
        axes.plot(x, y, color=colour, linewidth=1.3, alpha=alpha, marker=marker)
