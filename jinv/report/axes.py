"""Figures and axes that all plots of jinv have in common."""

from pathlib import Path
from typing import Any

import numpy as np

from jinv.atomic import replacing
from jinv.report.palette import INK

_DECADES = 6
"""Values further under a panel's highest one are cut off: they explain nothing."""
_LEVEL = "0.55"


def new_figure(width: float, height: float) -> Any:
    """Make an empty figure, measured in inches."""
    # Matplotlib takes longer to import than all the rest together.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def write_title(axes: Any, title: str) -> None:
    """Put a title over the left end of a panel."""
    axes.set_title(title, fontsize=11, loc="left", color=INK, fontweight="bold")


def tidy(axes: Any) -> None:
    """Give axes a pale grid, two pale spines, and small numbers."""
    axes.grid(color="0.93", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.7")
    axes.tick_params(which="both", colors=INK, labelsize=9)


def make_logarithmic(axes: Any) -> None:
    """Make a logarithmic axis of values; linear around 0 where some are negative.

    Args:
        axes: Panel on which all solid lines are plotted already.
    """
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        """Writes 0.05 where others write a power of ten."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines])
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:
        return
    if values.min() < 0:
        axes.set_yscale("symlog", linthresh=1)
        return
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_formatter(Plain())
    axes.yaxis.set_minor_formatter(Plain(minor_thresholds=(1.5, 0.5)))
    floor = values.max() * 10.0**-_DECADES
    if values.min() < floor:
        axes.set_ylim(bottom=floor)


def mark_level(axes: Any, value: float, text: str) -> None:
    """Mark a value with which lines are compared: dashed, its text at the right end."""
    axes.axhline(value, color=_LEVEL, lw=1.2, ls="--")
    axes.annotate(
        text,
        (0.98, value),
        (0, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        color=INK,
        fontsize=9,
    )


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as .png, whole or not at all; a `$` in it is a `$`."""
    from matplotlib.text import Text

    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    curved = [axis for axis in axes if axis.get_scale() != "linear"]
    powers = {id(x) for axis in curved for x in axis.get_ticklabels(which="both")}
    for text in figure.findobj(Text):
        text.set_parse_math(id(text) in powers)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
