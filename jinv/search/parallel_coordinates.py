"""Trials of a search, plotted as lines across an axis for each field."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

from jinv.report.axes import new_figure, save_figure
from jinv.report.palette import COLOURS, INK
from jinv.search.results import Results, Trial, setting_text
from jinv.search.space import Choice, Span

_PALE = "0.8"
_COLOUR_MAP = "viridis_r"


@dataclass(frozen=True)
class _Axis:
    """Places of values from the bottom (0) to the top (1) of an axis, and its ticks."""

    title: str
    place: Callable[[Any], float]
    ticks: Sequence[tuple[float, str]]


def plot_parallel_coordinates(path: Path, results: Results) -> None:
    """Plot a line for each trial, from field to field, to the objective.

    The better the objective, the darker the line, and the higher it ends. The best
    trial is thick, the one that the search started from dashed and black; trials
    without a value are pale, and end before the objective.

    Args:
        path: Path of the .png to write; nothing is written where no trial is complete.
        results: Results so far.
    """
    if not results.complete:
        return
    # Matplotlib takes longer to import than all the rest together.
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    axes_of_fields = [_axis(field, results) for field in results.space.fields]
    goal = _goal(results)
    places = [*axes_of_fields, goal]
    colours = colormaps[_COLOUR_MAP]

    figure = new_figure(2.6 + 1.9 * len(places), 5.4)
    axes = figure.subplots()
    axes.set(xlim=(-0.45, len(places) - 0.6), ylim=(-0.04, 1.04))
    axes.axis("off")
    for x, axis in enumerate(axes_of_fields):
        _plot_axis(axes, x, axis, side=-1)
    _plot_axis(axes, len(axes_of_fields), goal, side=1)

    def plot(trial: Trial, **look: Any) -> None:
        heights = [
            axis.place(trial.settings[field.name])
            for axis, field in zip(axes_of_fields, results.space.fields, strict=True)
        ]
        if trial.value is not None:
            heights.append(goal.place(trial.value))
        axes.plot(range(len(heights)), heights, solid_capstyle="round", **look)

    handles = []
    for trial in reversed(results.ranked):
        if trial.value is None:
            plot(trial, color=_PALE, linewidth=1.1, zorder=1)
        elif trial not in (results.best, results.baseline):
            # The palest colours would vanish on white.
            shade = colours(0.12 + 0.88 * goal.place(trial.value))
            plot(trial, color=shade, linewidth=1.6, alpha=0.85, zorder=2)
    best, baseline = results.best, results.baseline
    if best is not None and best is not baseline:
        look = {"color": COLOURS[1], "linewidth": 3.4}
        plot(best, zorder=4, **look)
        name = f"best: trial {best.number}, {results.text(best)}"
        handles.append(Line2D([], [], label=name, **look))
    if baseline is not None:
        look = {"color": "black", "linewidth": 2.2, "linestyle": "--"}
        plot(baseline, zorder=5, **look)
        also = ", and the best" if baseline is best else ""
        name = f"start: trial {baseline.number}, {results.text(baseline)}{also}"
        handles.append(Line2D([], [], label=name, **look))
    if len(results.complete) > len(handles):
        handles.append(
            Line2D([], [], color=colours(0.6), lw=1.6, label="other trials, by value")
        )
    if without := len(results.trials) - len(results.complete):
        name = f"pruned or failed ({without})"
        handles.append(Line2D([], [], color=_PALE, lw=1.1, label=name))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
    )
    save_figure(figure, path)


def _plot_axis(axes: Any, x: int, axis: _Axis, side: int) -> None:
    """Plot an axis with its ticks on the left (-1) or on the right (1)."""
    axes.plot([x, x], [0, 1], color="0.45", linewidth=1, zorder=3)
    axes.annotate(
        axis.title,
        (x, 1),
        (0, 14),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=INK,
        weight="bold",
        fontsize=10,
        annotation_clip=False,
    )
    for height, text in axis.ticks:
        axes.plot(
            [x, x + 0.015 * side], [height] * 2, color="0.45", linewidth=1, zorder=3
        )
        axes.annotate(
            text,
            (x, height),
            (5 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            color=INK,
            fontsize=9,
            zorder=6,
            bbox={
                "boxstyle": "round,pad=0.12",
                "fc": "white",
                "ec": "none",
                "alpha": 0.8,
            },
        )


def _axis(field: Span | Choice, results: Results) -> _Axis:
    values = [trial.settings[field.name] for trial in results.trials]
    if isinstance(field, Span):
        # The search may have started outside of the range.
        low, high = min(field.low, *values), max(field.high, *values)
        return _scale(field.name, low, high, field.log and low > 0, field.whole)
    options = list(dict.fromkeys([*field.options.values(), *values]))
    places = {v: (i + 0.5) / len(options) for i, v in enumerate(options)}
    ticks = [(place, setting_text(value)) for value, place in places.items()]
    return _Axis(field.name, places.__getitem__, ticks)


def _goal(results: Results) -> _Axis:
    """The objective's axis, with what is better at the top."""
    values = [trial.value for trial in results.complete if trial.value is not None]
    metric = results.objective.metric
    scale = 100 if metric.unit == "%" else 1
    low, high = scale * min(values), scale * max(values)
    if low == high:
        low, high = low - 1, high + 1
    title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
    axis = _scale(title.replace(" of ", "\nof "), low, high, False, False)
    if metric.better == "higher":
        return _Axis(axis.title, lambda value: axis.place(scale * value), axis.ticks)
    turned = [(1 - place, text) for place, text in axis.ticks]
    return _Axis(axis.title, lambda value: 1 - axis.place(scale * value), turned)


def _scale(title: str, low: float, high: float, log: bool, whole: bool) -> _Axis:
    """A linear or logarithmic axis with round ticks, and its ends."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    def place(value: float) -> float:
        if log:
            return (log10(value) - log10(low)) / (log10(high) - log10(low))
        return (value - low) / (high - low)

    if log:
        locator = LogLocator(subs=(1, 2, 5) if high / low < 1000 else (1,))
    else:
        locator = MaxNLocator(6, integer=whole)
    inside = [tick for tick in locator.tick_values(low, high) if low < tick < high]
    # Neither end is written over by a tick beside it.
    ticks = [tick for tick in inside if 0.06 < place(tick) < 0.94]
    return _Axis(title, place, [(place(t), f"{t:.3g}") for t in (low, *ticks, high)])
