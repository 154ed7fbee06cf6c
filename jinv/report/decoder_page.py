"""The page about a decoder: one file that needs nothing else."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from jinv.metrics.measures import MEASURES
from jinv.metrics_log import metrics_log
from jinv.report.decoder_curves import plot_decoder
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
from jinv.report.reconstruction import DIFFERENCES, errors_table

_CURVES = (
    "How to read this: an error of 1 is that of saying nothing. Each station on the "
    "way has a line; stacked modules are fed with what the network says."
)
_DIGITS = 16


def write_decoder_page(
    folder: Path, found: Mapping[str, Any], errors: Mapping[str, Any] | None = None
) -> Path:
    """Write `index.html` and its curves from what a decoder's folder holds.

    Args:
        folder: Folder with any of `config.json`, `metrics.jsonl` and
            `differences.png`.
        found: Content of the decoder's card.
        errors: Errors of photographs that were held out; see `reconstruction_errors`.

    Returns:
        Path of the page.
    """
    plot_decoder(
        folder / "curves.png",
        metrics_log(folder).rows(),
        int(number(found, "recipe", "round_steps") or 1),
    )
    title = f"Decoder of {text(found, 'layer')} of {text(found, 'network')}"
    sections = (
        _headline(title, found),
        card_row(_cards(found)),
        picture(
            folder / DIFFERENCES,
            "Photographs held out, and what the decoder makes of their features",
            "Each photograph, the decoded image, and how they differ",
        ),
        errors_table(errors) if errors else "",
        picture(
            folder / "curves.png",
            "Learning",
            "Errors by update",
            _CURVES,
            kind="sheet figure",
        ),
        command(text(found, "command")),
        configuration(read_json(folder / "config.json")),
    )
    return write_html(folder / "index.html", title, sections)


def _headline(title: str, found: Mapping[str, Any]) -> str:
    recipe = found.get("recipe", {})
    regime = text(recipe, "regime")
    facts = [
        text(recipe, "architecture"),
        f"{regime} modules" if len(found.get("modules", ())) > 1 else "",
        count(int(number(found, "parameters") or 0), "parameter"),
        count(int(number(found, "budget", "updates") or 0), "update"),
        duration(number(found, "budget", "seconds") or 0),
    ]
    stations = " → ".join([*found.get("modules", [])[::-1]])
    return (
        f"<header>\n<h1>{escape(title)}</h1>\n"
        f"<p>{' · '.join(escape(fact) for fact in facts if fact)}</p>\n"
        f'<p class="pale">{escape(text(found, "layer"))} → {escape(stations)}</p>\n'
        "</header>\n"
    )


def _cards(found: Mapping[str, Any]) -> Iterator[str]:
    tested = int(number(found, "held_out") or 0)
    for name, value in found.get("errors", {}).items():
        if value is not None:
            measure = MEASURES[name]
            unit = f" {measure.unit}" if measure.unit else ""
            note = f"mean of {count(tested, 'photograph')} held out"
            yield card(escape(measure.title), f"{value:.4g}{unit}", note)
    if not tested:
        yield card("Errors", "not measured", "<code>--test PHOTOGRAPHS</code> does")
    crop = int(number(found, "crop") or 0)
    crops = int(number(found, "budget", "crops") or 0)
    note = f"of {crop}x{crop} pixels, from {number(found, 'photographs')} photographs"
    yield card("Crops", f"{crops:,}", note)
    network = text(found, "network_sha256")[:_DIGITS]
    note = f"sha256 <code>{escape(network)}…</code>"
    yield card("Network", escape(text(found, "network")), note)
    if (memory := number(found, "budget", "peak_memory_mib")) is not None:
        yield card("Peak memory", f"{memory:,.0f} MiB", escape(text(found, "platform")))
