"""The page about a run: one file that needs nothing else."""

import base64
import json
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from jinv.atomic import replacing
from jinv.report.pictures import enlargement, slug

_MOST_IMAGES = 200
_MOST_CLASSES = 40


def write_page(folder: Path) -> Path:
    """Write `index.html` from what lies in a run's folder.

    Pictures are embedded, so that the page can be sent around alone. What is missing is
    left out.

    Args:
        folder: Holds any of `config.json`, `summary.json`, `metrics.jsonl`, `grid.png`,
            `evolution.webp`, `curves.png` and `images/*.png`.

    Returns:
        The page.
    """
    summary = _read_json(folder / "summary.json")
    sections = (
        _headline(summary),
        _cards(summary, _speed(folder / "metrics.jsonl")),
        _picture(folder / "grid.png", "Images", "Images by class"),
        _picture(
            folder / "evolution.webp", "Evolution", "Images of the first batch, by step"
        ),
        _picture(folder / "curves.png", "Curves", "Losses and accuracy by step"),
        _terms(summary),
        _images(folder / "images", summary.get("classes", [])),
        _config(_read_json(folder / "config.json")),
    )
    style = resources.files("jinv.report").joinpath("page.css").read_text("utf-8")
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(_title(summary))}</title>\n<style>\n{style}</style>\n"
        f"</head>\n<body>\n<main>\n{''.join(sections)}</main>\n</body>\n</html>\n"
    )
    path = folder / "index.html"
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")
    return path


def _title(summary: Mapping[str, Any]) -> str:
    return f"Images from {summary['model']}" if "model" in summary else "Images"


def _headline(summary: Mapping[str, Any]) -> str:
    facts = []
    classes = summary.get("classes", [])
    if "images" in summary:
        facts.append(_count(summary["images"], "image"))
    if classes:
        facts.append(_count(len(classes), "class", "classes"))
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
    if verifier := summary.get("verifier"):
        cards.append(_verdict("Verifier recognises", verifier))
    elif summary:
        hint = "for an independent judge: <code>--verifier MODEL</code>"
        cards.append(_card("Verifier", "none", hint))
    seconds = summary.get("seconds", {})
    others = " · ".join(
        f"{name} {_duration(seconds[name])}"
        for name in ("compiling", "total")
        if name in seconds
    )
    if "running" in seconds:
        cards.append(_card("Running", _duration(seconds["running"]), others))
    elif "total" in seconds:
        cards.append(_card("Total time", _duration(seconds["total"]), ""))
    if "classifier_passes" in summary:
        passes = summary["classifier_passes"]
        each = passes / max(1, summary.get("images", 1))
        cards.append(_card("Classifier passes", f"{passes:,}", f"{each:,.0f} an image"))
    if speed is not None:
        cards.append(_card("Speed", f"{speed:,.0f}", "image steps a second (median)"))
    if "peak_memory_mib" in summary:
        memory = f"{summary['peak_memory_mib']:,.0f} MiB"
        cards.append(_card("Peak memory", memory, escape(summary.get("device", ""))))
    return f'<section class="cards">\n{"".join(cards)}</section>\n' if cards else ""


def _verdict(title: str, verdict: Mapping[str, Any]) -> str:
    note = escape(verdict["name"])
    if verdict.get("top5") is not None:
        note += f" · top-5 {_percent(verdict['top5'])}"
    return _card(title, _percent(verdict["top1"]), note)


def _card(title: str, value: str, note: str) -> str:
    return (
        f'<div class="card">{title}<b>{value}</b><span class="pale">{note}</span></div>'
        "\n"
    )


def _picture(path: Path, title: str, description: str) -> str:
    if not path.is_file():
        return ""
    return (
        f'<section>\n<h2>{title}</h2>\n<div class="sheet"><img src="{_data_uri(path)}" '
        f'alt="{description}"></div>\n</section>\n'
    )


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


def _images(folder: Path, classes: list[str]) -> str:
    paths = sorted(folder.glob("*.png"))
    if not paths:
        return ""
    names = {slug(name): name for name in classes}
    figures = []
    for path in paths[:_MOST_IMAGES]:
        with Image.open(path) as image:
            width, height = image.size
        factor = enlargement(height, width)
        kind = path.stem.partition("_")[2]
        name = escape(names.get(kind, kind))
        pixelated = ' class="pixelated"' if factor > 1 else ""
        figures.append(
            f'<figure style="width:{factor * width}px" title="{escape(path.name)}">'
            f'<img src="{_data_uri(path)}" width="{factor * width}" alt="{name}"'
            f"{pixelated}><figcaption>{name}</figcaption></figure>\n"
        )
    left_out = len(paths) - len(figures)
    more = f'<p class="pale">and {left_out:,} more in <code>images/</code></p>\n'
    return (
        f'<section>\n<h2>One by one</h2>\n<div class="images">\n{"".join(figures)}'
        f"</div>\n{more if left_out else ''}</section>\n"
    )


def _config(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        f'<td><code class="value">{escape(value)}</code></td></tr>\n'
        for name, value in _flatten(config)
    )
    return (
        "<details>\n<summary><h2>Configuration</h2></summary>\n"
        f'<table class="settings">\n{rows}</table>\n</details>\n'
    )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested mappings as dotted names with their values as text."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{prefix}{name}", text


def _speed(path: Path) -> float | None:
    """The usual number of image steps a second; robust to a slow first step."""
    if not path.is_file():
        return None
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    speeds = [
        row["image_steps_per_second"] for row in rows if "image_steps_per_second" in row
    ]
    return median(speeds) if speeds else None


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _data_uri(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:image/{path.suffix[1:]};base64,{content}"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
