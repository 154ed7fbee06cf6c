"""How students learn, one beside the other, as a figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jinv.report.arm import Arm
from jinv.report.axes import (
    make_logarithmic,
    mark_level,
    new_figure,
    save_figure,
    tidy,
    write_title,
)
from jinv.report.palette import COLOURS, INK

Arms = Mapping[str, Arm]
Looks = Mapping[str, Mapping[str, Any]]

_ACCURACIES = {
    "test_accuracy": ("test images", "-"),
    "accuracy": ("images learnt from", ":"),
    "real_accuracy": ("other images", "--"),
}
"""Accuracies of a log: of which images, and the style of their line."""
_MEANS = 40
"""About how many means a line of many points is smoothed to."""
_LINE, _NAME = 120, 60
"""Most characters of a line of the legend, and of a name in it."""


def plot_students(
    path: Path, arms: Arms, teacher: tuple[str, float] | None = None
) -> None:
    """Plot accuracy, agreement and loss of students by steps or epochs, and by time.

    A panel of what nobody measured is left out. Of rounds there are many, and short:
    lines are their moving means, over pale ones of the rounds themselves.

    Args:
        path: Path of the .png to write; nothing is written where the logs are empty.
        arms: Students by name; all of them count rounds, or all count epochs.
        teacher: Name of the teacher and its test accuracy (%), to compare with.
    """
    panels = [
        (title, plot)
        for title, names, plot in _PANELS
        if any(arm.measured(name) for arm in arms.values() for name in names)
    ]
    if not panels:
        return
    looks = {
        # Beyond eight, colours come again, paler.
        name: {
            "color": COLOURS[place % len(COLOURS)],
            "alpha": 1.0 if place < len(COLOURS) else 0.45,
        }
        for place, name in enumerate(arms)
    }
    columns = len(panels) if len(panels) < 4 else 2
    rows = len(panels) // columns
    figure = new_figure({1: 6.5, 2: 12, 3: 15}[columns], 4 * rows + 0.4)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    for axes, (title, plot) in zip(
        figure.subplots(rows, columns, squeeze=False).flat, panels, strict=True
    ):
        tidy(axes)
        write_title(axes, title)
        plot(axes, arms, looks)
        axes.set_xlim(left=0)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_color(INK)
        if teacher and plot in (_plot_accuracy, _plot_accuracy_by_time):
            name, accuracy = teacher
            mark_level(axes, accuracy, f"teacher {_shown(name)}: {accuracy:.2f} %")
    _add_legend(figure, arms, looks)
    save_figure(figure, path)


def _plot_accuracy(axes: Any, arms: Arms, looks: Looks) -> None:
    """Plot a line for each student and each kind of images that it was tested on."""
    from matplotlib.lines import Line2D

    kinds = [
        (name, kind, style)
        for name, (kind, style) in _ACCURACIES.items()
        if any(arm.measured(name) for arm in arms.values())
    ]
    for name, _, style in kinds:
        for arm, look in _each(arms, looks):
            # Tests are few: their points tell where they were.
            marker = "." if style == "-" else ""
            axes.plot(*arm.line(name), ls=style, marker=marker, lw=1.8, **look)
    axes.set_ylim(0, 100)
    _count(axes, arms)
    if len(kinds) == 1:
        axes.set_ylabel(f"{kinds[0][1]} recognised (%)")
        return
    axes.set_ylabel("images recognised (%)")
    handles = [Line2D([], [], color=INK, ls=style, label=of) for _, of, style in kinds]
    axes.legend(handles=handles, loc="lower right", frameon=False, fontsize=9)


def _plot_accuracy_by_time(axes: Any, arms: Arms, looks: Looks) -> None:
    longest = max(arm.seconds[-1] for arm in arms.values() if len(arm.rows))
    units = {"hours": 3600, "minutes": 60, "seconds": 1}
    unit = next(
        (unit for unit, length in units.items() if longest >= 2 * length), "seconds"
    )
    for arm, look in _each(arms, looks):
        seconds, values = arm.line("test_accuracy", by_time=True)
        axes.plot(seconds / units[unit], values, marker=".", lw=1.8, **look)
    making = any(arm.measured("making") for arm in arms.values())
    axes.set_xlabel(f"{unit}, of images and steps" if making else unit)
    axes.set_ylabel("test images recognised (%)")
    axes.set_ylim(0, 100)


def _plot_agreement(axes: Any, arms: Arms, looks: Looks) -> None:
    _plot_means(axes, "agreement", arms, looks)
    axes.set_ylim(0, 100)
    axes.set_ylabel("answers that are the teacher's (%)")


def _plot_loss(axes: Any, arms: Arms, looks: Looks) -> None:
    _plot_means(axes, "loss", arms, looks)
    make_logarithmic(axes)
    axes.set_ylabel("loss")


_PANELS = (
    ("Accuracy", tuple(_ACCURACIES), _plot_accuracy),
    ("Accuracy by time", ("test_accuracy",), _plot_accuracy_by_time),
    ("Agreement with the teacher", ("agreement",), _plot_agreement),
    ("Loss", ("loss",), _plot_loss),
)
"""Panels: title, what any of it shows, and the function that plots it."""


def _plot_means(axes: Any, name: str, arms: Arms, looks: Looks) -> None:
    """Plot what each round measured, and over it the moving mean."""
    for arm, look in _each(arms, looks):
        places, values = arm.line(name)
        width = -(-len(values) // _MEANS)
        if width > 1:
            pale = {**look, "alpha": 0.2 * look["alpha"]}
            axes.plot(places, values, lw=0.8, **pale)
        # A single point makes no line.
        marker = "." if len(values) == 1 else ""
        axes.plot(places, _moving_mean(values, width), marker=marker, lw=1.8, **look)
    _count(axes, arms)


def _moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Means over so many values around each, fewer at the ends."""
    if width <= 1:
        return values
    window = np.ones(width)
    counts = np.convolve(np.ones(len(values)), window, "same")
    return np.convolve(values, window, "same") / counts


def _each(arms: Arms, looks: Looks) -> list[tuple[Arm, Mapping[str, Any]]]:
    return [(arm, looks[name]) for name, arm in arms.items()]


def _count(axes: Any, arms: Arms) -> None:
    """Name what is counted from left to right: epochs, of which there are no halves."""
    if any(arm.unit == "epoch" for arm in arms.values()):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    else:
        axes.set_xlabel("student's steps")


def _add_legend(figure: Any, arms: Arms, looks: Looks) -> None:
    """Name the lines over the panels, the most accurate student first."""
    from matplotlib.lines import Line2D

    def last(name: str) -> float:
        values = arms[name].line("test_accuracy")[1]
        return values[-1] if values.size else -1

    names = sorted(arms, key=last, reverse=True)
    texts = [
        _shown(name) + (f"  {last(name):.1f} %" if last(name) >= 0 else "")
        for name in names
    ]
    legend = figure.legend(
        [Line2D([], [], lw=2.4, **looks[name]) for name in names],
        texts,
        loc="outside upper left",
        ncols=max(1, min(len(texts), _LINE // (max(map(len, texts)) + 6))),
        frameon=False,
        labelcolor=INK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _shown(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"
