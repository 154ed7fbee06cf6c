"""A figure of hidden networks' accuracy, by how much of the random one they keep."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from jinv.report.axes import (
    mark_level,
    new_figure,
    save_figure,
    tidy,
    write_title,
)
from jinv.report.palette import COLOURS, INK

_DENSE = "0.55"


def plot_fractions(
    path: Path,
    hidden: Mapping[float, float],
    dense: float,
    random: float,
    losses: Mapping[float, Sequence[float]],
    dense_losses: Sequence[float],
) -> None:
    """Plot accuracy by the fraction kept, and how the losses fell.

    Args:
        path: Path of the .png to write.
        hidden: Test accuracy of hidden networks in percent, by the fraction kept.
        dense: Test accuracy of the same network with all its weights trained.
        random: Test accuracy of the random network before the search.
        losses: Training losses of the epochs, by the same fraction.
        dense_losses: Training losses of the dense network.
    """
    figure = new_figure(11, 4.2)
    accuracy, loss = figure.subplots(1, 2)
    for axes, title in (
        (accuracy, "Test accuracy by the fraction of weights kept"),
        (loss, "Training loss"),
    ):
        tidy(axes)
        write_title(axes, title)
    fractions = sorted(hidden)
    values = [hidden[fraction] for fraction in fractions]
    accuracy.plot(fractions, values, "o-", color=COLOURS[0], lw=1.8)
    for fraction, value in zip(fractions, values, strict=True):
        accuracy.annotate(
            f"{value:.1f}",
            (fraction, value),
            (0, -16),
            textcoords="offset points",
            ha="center",
            color=INK,
            fontsize=9,
        )
    mark_level(accuracy, dense, f"all weights trained: {dense:.1f} %")
    mark_level(accuracy, random, f"random, nothing trained: {random:.1f} %")
    accuracy.set_xlim(0, 1)
    accuracy.set_ylim(0, 100)
    accuracy.set_xlabel("keep_fraction", color=INK)
    accuracy.set_ylabel("%", color=INK)

    def fall(rows: Sequence[float], label: str, colour: str, style: str) -> None:
        epochs = range(1, len(rows) + 1)
        loss.plot(epochs, rows, style, marker=".", color=colour, label=label)

    for fraction, colour in zip(fractions, cycle(COLOURS), strict=False):
        fall(losses[fraction], f"keep {fraction:g}", colour, "-")
    fall(dense_losses, "all trained", _DENSE, "--")
    loss.xaxis.get_major_locator().set_params(integer=True)
    loss.set_xlabel("epoch", color=INK)
    loss.set_ylabel("cross-entropy", color=INK)
    loss.legend(frameon=False, fontsize=9)
    save_figure(figure, path)
