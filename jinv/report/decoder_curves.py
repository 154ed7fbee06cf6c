"""How a decoder learns, as a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinv.report.axes import (
    make_logarithmic,
    new_figure,
    save_figure,
    tidy,
    write_title,
)
from jinv.report.facts import number
from jinv.report.palette import COLOURS, INK

_OTHERS = ("round", "seconds", "loss", "test_psnr", "test_error")
"""What a row has beside the errors of stations."""


def plot_decoder(
    path: Path, rows: Sequence[Mapping[str, Any]], round_steps: int
) -> None:
    """Plot the error of each station, and errors of what was held out, by update.

    Args:
        path: Path of the .png to write; nothing is written where the log is empty.
        rows: Rows of `metrics.jsonl`, in order.
        round_steps: Updates of a round.
    """
    if not rows:
        return
    stations = [name for name in rows[0] if name not in _OTHERS][::-1]
    panels: list[tuple[str, str, list[str]]] = [("Learning", "error", stations)]
    if "test_psnr" in rows[-1]:
        panels.append(("Held out: image", "PSNR (dB)", ["test_psnr"]))
    if "test_error" in rows[-1]:
        panels.append(("Held out: features", "‖Φ - Φ₀‖² / ‖Φ₀‖²", ["test_error"]))
    figure = new_figure(5 * len(panels), 4.4)
    steps = [row["round"] * round_steps for row in rows]
    for axes, (title, label, names) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
    ):
        tidy(axes)
        write_title(axes, title)
        several = len(names) > 1
        for place, name in enumerate(names):
            values = [number(row, name) for row in rows]
            colour = COLOURS[place % len(COLOURS)] if several else INK
            marker = "." if len(rows) == 1 else ""
            style = "-" if place < len(COLOURS) else "--"
            known = [float("nan") if value is None else value for value in values]
            axes.plot(
                steps, known, lw=1.8, color=colour, marker=marker, ls=style, label=name
            )
        if label != "PSNR (dB)":
            make_logarithmic(axes)
        axes.set_xlabel("update")
        axes.set_ylabel(label)
        axes.set_xlim(left=0)
        if several:
            axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)
