"""Pictures of a prior: its filters, how it learnt, and what it makes of patches."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jinv.data.pictures import to_picture
from jinv.priors.form import Form
from jinv.priors.prior import Prior
from jinv.report.axes import new_figure, save_figure, tidy, write_title
from jinv.report.facts import number
from jinv.report.palette import COLOURS, INK
from jinv.report.pictures import magnified, save_picture

_MOST, _SIDE, _GAP = 512, 40, 4
"""Filters that are shown at most, about how large, and how far apart, in pixels."""
_CURVES = (("loss", "learnt from", "-"), ("held_out_loss", "held out", "--"))
_SHOWN = 4
"""Marginals that are plotted."""


def save_filters(path: Path, prior: Prior) -> None:
    """Write a picture of the filters of experts; nothing of a denoising network."""
    if prior.form.kind == "experts":
        picture = filter_picture(tiles(prior.form, prior.variables))
        save_picture(path, to_picture(picture))


def tiles(form: Form, variables: Mapping[str, Any]) -> np.ndarray:
    """The filters as images, each stretched by itself: grey is 0.

    Args:
        form: Form of a prior of experts.
        variables: Arrays of the prior.

    Returns:
        Images (filters, height, width, 1 or 3) in [0, 1]: filters of images as they
        are; of features their spatial part, or, where they have none, the channel
        that they look at most.
    """
    if form.layout == "separable":
        found = np.asarray(variables["spatial"])[..., None]
    else:
        found = np.asarray(variables["filters"])
        if form.subject.layer or found.shape[-1] not in (1, 3):
            most = np.square(found).sum((1, 2)).argmax(-1)
            found = np.take_along_axis(found, most[:, None, None, None], -1)
    largest = np.abs(found).max((1, 2, 3), keepdims=True)
    return 0.5 + found / np.maximum(2 * largest, 1e-12)


def filter_picture(images: np.ndarray) -> np.ndarray:
    """Lay filters out in rows, on white.

    Args:
        images: Filters (filters, height, width, channels) in [0, 1]; the first come
            first.

    Returns:
        A picture (height, width, 3), uint8.
    """
    images = images[:_MOST]
    factor = max(1, round(_SIDE / max(images.shape[1:3])))
    size = images.shape[1] * factor, images.shape[2] * factor
    images = np.broadcast_to(magnified(images, size), (len(images), *size, 3))
    columns = min(len(images), int(np.ceil(np.sqrt(2 * len(images)))))
    rows = -(-len(images) // columns)
    cell = size[0] + _GAP, size[1] + _GAP
    picture = np.ones((rows * cell[0] + _GAP, columns * cell[1] + _GAP, 3))
    for place, image in enumerate(images):
        top, left = _GAP + place // columns * cell[0], _GAP + place % columns * cell[1]
        picture[top : top + size[0], left : left + size[1]] = image
    return np.rint(255 * picture).astype(np.uint8)


def plot_prior(
    path: Path, card: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Plot how a prior learnt, its energies, and the marginals of its filters.

    Args:
        path: Path of the .png to write.
        card: Card of the prior.
        rows: Rows of its log.
    """
    measured = card.get("measured", {})
    panels: list[tuple[str, Callable[..., None], tuple[Any, ...]]]
    panels = [("What was learnt, by step", _plot_loss, (card, rows))]
    if "energies" in measured:
        panels.append(("Energy of patches", _plot_energies, (measured,)))
    if "marginals" in measured:
        panels.append(("Responses of filters", _plot_marginals, (measured,)))
    figure = new_figure(5 * len(panels), 4)
    for axes, (title, plot, given) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
    ):
        tidy(axes)
        write_title(axes, title)
        plot(axes, *given)
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_color(INK)
    save_figure(figure, path)


def _plot_loss(axes: Any, card: Any, rows: Any) -> None:
    steps = number(card, "recipe", "round_steps") or 1
    psnr = any("psnr" in row for row in rows) and not card["of"]["layer"]
    for place, (name, label, style) in enumerate(_CURVES):
        name = name.replace("loss", "psnr") if psnr else name
        known = [r for r in rows if number(r, "round") and number(r, name) is not None]
        places = [row["round"] * steps for row in known]
        values = [row[name] for row in known]
        axes.plot(places, values, style, marker=".", label=label, color=COLOURS[place])
    axes.set_xlabel("steps")
    axes.set_ylabel("PSNR of denoised crops (dB)" if psnr else "objective")


def _plot_energies(axes: Any, measured: Any) -> None:
    found = measured["energies"]
    for place, name in enumerate(("natural", "gaussian")):
        counts = np.asarray(found[name], float)
        low, high = found["edges"]
        edges = np.linspace(low, high, len(counts) + 1)
        label = {"natural": "natural", "gaussian": "Gaussian, equal covariance"}[name]
        share = counts / counts.sum()
        axes.stairs(share, edges, fill=True, alpha=0.25, color=COLOURS[place])
        axes.stairs(share, edges, label=label, color=COLOURS[place])
    axes.set_xlabel(f"energy; AUC {measured['auc']:.3f}")
    axes.set_ylabel("share of patches")


def _plot_marginals(axes: Any, measured: Any) -> None:
    found = measured["marginals"]
    for place, (index, counts) in enumerate(
        zip(found["filters"][:_SHOWN], found["counts"], strict=False)
    ):
        counts = np.asarray(counts, float)
        low, high = found["edges"]
        edges = np.linspace(low, high, len(counts) + 1)
        width = edges[1] - edges[0]
        label = f"filter {index}: kurtosis {measured['kurtosis'][index]:.1f}"
        density = np.where(counts, counts / counts.sum() / width, np.nan)
        middle = (edges[1:] + edges[:-1]) / 2
        axes.plot(middle, density, label=label, color=COLOURS[place], lw=1.4)
    gaussian = np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi)
    axes.plot(middle, gaussian, "--", color="0.5", lw=1.4, label="Gaussian")
    axes.set_yscale("log")
    axes.set_ylim(1e-4, 3)
    axes.set_xlabel("response, in deviations")
    axes.set_ylabel("density")
