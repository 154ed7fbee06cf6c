"""The page about a run: one file that needs nothing else."""

from collections.abc import Mapping
from html import escape
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from jinv.metrics_log import metrics_log
from jinv.report.findings import FINDINGS, pictures_of, tables_of
from jinv.report.html import (
    card,
    card_row,
    configuration,
    count,
    data_uri,
    duration,
    percent,
    picture,
    read_json,
    write_html,
)
from jinv.report.pictures import magnification, read_picture, saved_images

_MOST_IMAGES = 200
_MOST_CLASSES = 40


def write_page(
    folder: Path,
    summary: Mapping[str, Any] | None = None,
    names: Mapping[int, str] | None = None,
) -> Path:
    """Write `index.html` from what lies in a run's folder.

    Pictures are embedded, so that the page can be sent around alone. What is missing is
    left out.

    Args:
        folder: Folder with any of `config.json`, `summary.json`, `metrics.jsonl`,
            `grid.png`, `evolution.webp`, `curves.png` and `images/*.png`.
        summary: Content of `summary.json`, where it is not there yet.
        names: Names of what images show, by number; by default as files are called.

    Returns:
        Path of the page.
    """
    if summary is None:
        summary = read_json(folder / "summary.json")
    sections = (
        _headline(summary),
        _cards(summary, _speed(folder)),
        pictures_of(folder, summary)
        or picture(folder / "grid.png", "Images", "Images by class"),
        tables_of(summary),
        picture(
            folder / "evolution.webp", "Evolution", "Images of the first batch, by step"
        ),
        picture(folder / "curves.png", "Curves", "Losses and accuracy by step"),
        _terms(summary),
        _images(folder / "images", names or {}),
        configuration(read_json(folder / "config.json")),
    )
    return write_html(folder / "index.html", _title(summary), sections)


def _title(summary: Mapping[str, Any]) -> str:
    return f"Images from {summary['model']}" if "model" in summary else "Images"


def _headline(summary: Mapping[str, Any]) -> str:
    facts = []
    classes = summary.get("classes", [])
    if "images" in summary:
        facts.append(count(summary["images"], "image"))
    if classes:
        facts.append(count(len(classes), "class", "classes"))
    if "method" in summary:
        facts.append(escape(summary["method"]))
    if status := summary.get("status"):
        kind = "status" if status == "finished" else "status stopped"
        facts.append(f'<span class="{kind}">{escape(status)}</span>')
    named = ", ".join(classes[:_MOST_CLASSES])
    if len(classes) > _MOST_CLASSES:
        named += f" and {len(classes) - _MOST_CLASSES} more"
    return (
        f"<header>\n<h1>{escape(_title(summary))}</h1>\n<p>{' · '.join(facts)}</p>\n"
        f'<p class="pale">{escape(named)}</p>\n</header>\n'
    )


def _cards(summary: Mapping[str, Any], speed: float | None) -> str:
    cards = []
    if teacher := summary.get("teacher"):
        cards.append(_verdict("Teacher recognises", teacher))
    if judge := summary.get("judge"):
        cards.append(_verdict("Judge recognises", judge))
    elif summary and not set(FINDINGS) & set(summary):
        hint = "for an independent one: <code>--judge MODEL</code>"
        cards.append(card("Judge", "none", hint))
    seconds = summary.get("seconds", {})
    others = " · ".join(
        f"{name} {duration(seconds[name])}"
        for name in ("compiling", "total")
        if name in seconds
    )
    if "running" in seconds:
        cards.append(card("Running", duration(seconds["running"]), others))
    elif "total" in seconds:
        cards.append(card("Total time", duration(seconds["total"])))
    if "classifier_passes" in summary:
        passes = summary["classifier_passes"]
        each = passes / max(1, summary.get("images", 1))
        cards.append(card("Classifier passes", f"{passes:,}", f"{each:,.0f} an image"))
    if speed is not None:
        cards.append(card("Speed", f"{speed:,.0f}", "image steps a second (median)"))
    if summary.get("peak_memory_mib"):
        memory = f"{summary['peak_memory_mib']:,.0f} MiB"
        cards.append(card("Peak memory", memory, escape(summary.get("device", ""))))
    return card_row(cards)


def _verdict(title: str, verdict: Mapping[str, Any]) -> str:
    note = escape(verdict["name"])
    if verdict.get("top5") is not None:
        note += f" · top-5 {percent(verdict['top5'])}"
    return card(title, percent(verdict["top1"]), note)


def _terms(summary: Mapping[str, Any]) -> str:
    if not summary.get("terms"):
        return ""
    rows = [
        f"<tr><th>{escape(name)}</th>"
        + "".join(
            f"<td>{_number(term.get(kind))}</td>"
            for kind in ("raw", "weight", "weighted")
        )
        + "</tr>\n"
        for name, term in summary["terms"].items()
    ]
    if "loss" in summary:
        rows.append(
            '<tr class="total"><th>loss</th><td></td><td></td>'
            f"<td>{_number(summary['loss'])}</td></tr>\n"
        )
    return (
        '<section>\n<h2>Loss at the end</h2>\n<table class="numbers">\n'
        "<tr><th>term</th><th>raw</th><th>weight</th><th>weighted</th></tr>\n"
        f"{''.join(rows)}</table>\n</section>\n"
    )


def _images(folder: Path, names: Mapping[int, str]) -> str:
    saved = sorted(saved_images(folder).items())
    readable = (
        (number, paths[0], image)
        for number, paths in saved
        if (image := read_picture(paths[0])) is not None
    )
    figures = []
    for number, path, image in islice(readable, _MOST_IMAGES):
        height, width = image.shape[:2]
        factor = magnification(height, width)
        name = escape(names.get(number, path.stem.partition("_")[2]))
        pixelated = ' class="pixelated"' if factor > 1 else ""
        figures.append(
            f'<figure style="width:{factor * width}px" title="{escape(path.name)}">'
            f'<img src="{data_uri(path)}" width="{factor * width}" alt="{name}"'
            f"{pixelated}><figcaption>{name}</figcaption></figure>\n"
        )
    if not figures:
        return ""
    left_out = len(saved) - len(figures) if len(figures) == _MOST_IMAGES else 0
    more = f'<p class="pale">and {left_out:,} more in <code>images/</code></p>\n'
    return (
        f'<section>\n<h2>One by one</h2>\n<div class="images">\n{"".join(figures)}'
        f"</div>\n{more if left_out else ''}</section>\n"
    )


def _speed(folder: Path) -> float | None:
    """The usual number of image steps a second; robust to a slow first step."""
    speeds = [
        row["image_steps_per_second"]
        for row in metrics_log(folder).rows()
        if "image_steps_per_second" in row
    ]
    return median(speeds) if speeds else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
