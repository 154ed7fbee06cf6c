"""The page about a prior: one file that needs nothing else."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jinv.metrics_log import metrics_log
from jinv.priors.prior import Prior
from jinv.report.facts import number, text
from jinv.report.html import (
    card,
    card_row,
    command,
    configuration,
    count,
    duration,
    picture,
    read_json,
    write_html,
)
from jinv.report.prior_figures import plot_prior, save_filters

_FILTERS = (
    "How to read this: those that weigh most come first; each is stretched by itself, "
    "and grey is 0. Filters are shown as they meet the values, not as they were in "
    "whitened space."
)
_MEASURED = (
    "How to read this: energies are of patches by themselves, of images that were held "
    "out. Gaussian patches have the same mean and covariance; AUC is how often such a "
    "patch has more energy than a natural one. Heavy tails, of a kurtosis over 0, are "
    "what experts look for."
)


def write_prior_page(folder: Path, prior: Prior) -> Path:
    """Write `index.html` and its pictures from what learning a prior left.

    Args:
        folder: Folder with any of `config.json` and `metrics.jsonl`.
        prior: Prior that was learnt.

    Returns:
        Path of the page.
    """
    found = prior.card
    save_filters(folder / "filters.png", prior)
    plot_prior(folder / "curves.png", found, metrics_log(folder).rows())
    sections = (
        _headline(prior),
        card_row(_cards(prior)),
        picture(folder / "filters.png", "Filters", "The filters", _FILTERS),
        picture(
            folder / "curves.png",
            "Measured",
            "Loss, energies of patches, and marginals",
            _MEASURED,
            kind="sheet figure",
        ),
        command(text(found, "command")),
        configuration(read_json(folder / "config.json") | _origins(found)),
    )
    return write_html(folder / "index.html", _title(found), sections)


def _title(found: Mapping[str, Any]) -> str:
    return f"Prior: {text(found, 'prior')}"


def _headline(prior: Prior) -> str:
    found, facts = prior.card, []
    if prior.form.kind == "experts":
        facts.append(count(len(prior.variables["alphas"]), "filter"))
    facts.append(escape(text(found, "recipe", "objective")))
    if (images := number(found, "images")) is not None:
        facts.append(count(int(images), "image"))
    if (seconds := number(found, "seconds")) is not None:
        facts.append(f"{duration(seconds)} of steps")
    return (
        f"<header>\n<h1>{escape(_title(found))}</h1>\n<p>{' · '.join(facts)}</p>\n"
        f'<p class="pale">{escape(text(found, "data"))}</p>\n</header>\n'
    )


def _cards(prior: Prior) -> Iterator[str]:
    found = prior.card
    if (auc := number(found, "measured", "auc")) is not None:
        note = "of Gaussian patches have more energy than natural ones"
        yield card("AUC", f"{auc:.3f}", note)
    mean, deviation = (number(found, "measured", n) for n in ("mean", "deviation"))
    if mean is not None and deviation is not None:
        note = f"deviation {deviation:.3g}, of natural patches"
        yield card("Energy", f"{mean:.3g}", note)
    if values := found.get("measured", {}).get("kurtosis"):
        note = f"from {min(values):.1f} to {max(values):.1f}; a Gaussian has 0"
        yield card("Median kurtosis", f"{np.median(values):.1f}", note)
    if (weight := number(found, "denoising", "weight")) is not None:
        steps = count(len(found["denoising"]["rates"]), "step")
        yield card("Denoising", steps, f"weight of the prior {weight:.2g}")
    held = number(found, "held_out")
    yield card("Held out", f"{held}" if held else "none", "images to measure on")
    if (memory := number(found, "peak_memory_mib")) is not None:
        yield card("Peak memory", f"{memory:,.0f} MiB", escape(text(found, "platform")))
    if (seed := number(found, "recipe", "seed")) is not None:
        yield card("Seed", f"{seed}")


def _origins(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration does not tell: which file, and on what it was made."""
    names = ("sha256", "platform", "jax")
    return {name: found[name] for name in names if name in found}
