"""Figures and axes that all plots of jinv have in common."""

from pathlib import Path
from typing import Any

from jinv.atomic import replacing
from jinv.report.palette import INK


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


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as .png, whole or not at all."""
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
