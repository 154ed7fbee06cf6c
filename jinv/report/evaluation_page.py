"""The page about an evaluation: one file that needs nothing else."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from jinv.report.evaluation_table import spread, table_rows, value_text
from jinv.report.html import (
    card,
    card_row,
    configuration,
    count,
    duration,
    name_table,
    percent,
    picture,
    read_json,
    wide_table,
    write_html,
)
from jinv.report.pictures import slug

_MOST_CARDS, _MOST_CLASSES, _WORST = 6, 40, 20

_CONFUSION = (
    "How to read this: rows, or the names before an arrow, are classes that were asked "
    "for; columns, or the names after it, are what the judge saw. All that is off "
    "the diagonal was taken for something else."
)
_EMBEDDING = (
    "How to read this: points that are close have similar features; good synthetic "
    "images (dark-edged) lie all over the real ones (pale) of their class, neither "
    "apart from them nor heaped in one spot. Distances between far groups mean nothing."
)
_NEIGHBOURS = (
    "How to read this: each synthetic image is followed by the real images with the "
    "nearest features and their distances; a near-copy would be a memorised image. The "
    "first half are the images closest of all to a real one, the rest are drawn at "
    "random."
)
_PRECISION_RECALL = (
    "How to read this: a line further up and right is better; one that is high but "
    "short belongs to realistic images without variety, the opposite to varied but "
    "unrealistic ones."
)


def write_evaluation_page(
    folder: Path, evaluation: Mapping[str, Any] | None = None
) -> Path:
    """Write `index.html` from what lies in an evaluation's folder.

    Pictures are embedded, so that the page can be sent around alone. What is missing is
    left out.

    Args:
        folder: Folder with any of `evaluation.json`, `grid.png`, `confusion_*.png` (one
            for each judge), `embedding.png`, `neighbours.png` and
            `precision_recall.png`.
        evaluation: Content of `evaluation.json`, where it is not there yet.

    Returns:
        Path of the page.
    """
    if evaluation is None:
        evaluation = read_json(folder / "evaluation.json")
    sections = (
        _headline(evaluation),
        _warnings(evaluation.get("warnings", [])),
        card_row(_cards(evaluation)),
        _comparison(evaluation),
        picture(folder / "grid.png", "Images", "Some images of the set by class"),
        _classes(evaluation.get("judges", [])),
        *_confusions(folder, evaluation.get("judges", [])),
        _figure(folder / "embedding.png", "Real and synthetic features", _EMBEDDING),
        _figure(folder / "neighbours.png", "Nearest real images", _NEIGHBOURS),
        _figure(
            folder / "precision_recall.png", "Precision and recall", _PRECISION_RECALL
        ),
        _meanings(evaluation.get("metrics", {})),
        configuration(_settings(evaluation)),
    )
    return write_html(folder / "index.html", _title(evaluation), sections)


def _title(evaluation: Mapping[str, Any]) -> str:
    source = evaluation.get("set", {}).get("source")
    return f"Evaluation of {source}" if source else "Evaluation"


def _headline(evaluation: Mapping[str, Any]) -> str:
    evaluated = evaluation.get("set", {})
    facts, names = [], ""
    if "images" in evaluated:
        facts.append(count(evaluated["images"], "image"))
    if classes := evaluated.get("classes"):
        facts.append(count(len(classes), "class", "classes"))
        fewest, most = min(classes.values()), max(classes.values())
        each = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        facts.append(f"{each} a class")
        names = ", ".join(list(classes)[:_MOST_CLASSES])
        if len(classes) > _MOST_CLASSES:
            names += f" and {len(classes) - _MOST_CLASSES} more"
    if evaluated.get("split"):
        facts.append(f"split {escape(evaluated['split'])}")
    if evaluated.get("skipped"):
        facts.append(
            f'<span class="status stopped">{evaluated["skipped"]:,} skipped</span>'
        )
    if "seconds" in evaluation:
        facts.append(f"evaluated in {duration(evaluation['seconds'])}")
    if memory := evaluation.get("peak_memory_mib"):
        facts.append(f"peak memory {memory:,.0f} MiB")
    return (
        f"<header>\n<h1>{escape(_title(evaluation))}</h1>\n<p>{' · '.join(facts)}</p>\n"
        f'<p class="pale">{escape(names)}</p>\n</header>\n'
    )


def _warnings(warnings: list[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>\n" for warning in warnings)
    return f'<div class="warnings"><b>Mind</b>\n<ul>\n{items}</ul></div>\n'


def _cards(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """The first metrics of the first row, which is the set that is evaluated."""
    metrics = evaluation.get("metrics", {})
    measured = next(iter(evaluation.get("rows", {}).values()), {})
    for name in [name for name in metrics if name in measured][:_MOST_CARDS]:
        metric, entry = metrics[name], measured[name]
        notes = [f"{metric['better']} is better", spread(entry, metric["unit"])]
        yield card(
            escape(metric["title"]),
            escape(value_text(entry, metric["unit"])),
            escape(" · ".join(filter(None, notes))),
        )


def _comparison(evaluation: Mapping[str, Any]) -> str:
    if not evaluation.get("rows"):
        return ""
    header, rows = table_rows(evaluation)
    table = wide_table(map(_cell, header), (map(_cell, row) for row in rows), led=True)
    return f"<section>\n<h2>Compared</h2>\n{_basis(evaluation)}{table}</section>\n"


def _basis(evaluation: Mapping[str, Any]) -> str:
    """What the numbers rest on, without which they cannot be compared."""
    sentences = []
    if extractor := evaluation.get("extractor"):
        sentences.append(
            f"Features: <b>{escape(extractor['feature'])}</b> of "
            f"<b>{escape(extractor['name'])}</b> ({extractor['dimensions']:,} "
            "dimensions). Numbers from another extractor cannot be compared with these."
        )
    if real := evaluation.get("real"):
        split = f" ({escape(real['split'])})" if real.get("split") else ""
        sentences.append(
            f"Real images: {real['images']:,} of {escape(real['source'])}{split}."
        )
    elif "real" in evaluation:
        sentences.append("There were no real images to compare with.")
    return f'<p class="pale">{" ".join(sentences)}</p>\n'


def _cell(text: str) -> str:
    """A cell's first line in full size, the others small."""
    first, *rest = map(escape, text.split("\n"))
    return first + "".join(f"<small>{line}</small>" for line in rest)


def _classes(judges: list[Mapping[str, Any]]) -> str:
    tables = [_class_table(judge) for judge in judges if judge["per_class"]]
    if not tables:
        return ""
    return (
        '<section>\n<h2>Class by class</h2>\n<p class="pale">Share of the images of '
        "each class that a judge gives this class.</p>\n"
        f'<div class="beside">\n{"".join(tables)}</div>\n</section>\n'
    )


def _class_table(judge: Mapping[str, Any]) -> str:
    classes = judge["per_class"]
    shown, which = list(classes.items()), ""
    if len(classes) > _MOST_CLASSES:
        shown = sorted(shown, key=lambda item: item[1]["top1"])[:_WORST]
        which = f"the {_WORST} worst of {len(classes):,} classes"
    kinds = {"top1": "top-1", "top5": "top-5"}
    if all(verdict.get("top5") is None for _, verdict in shown):
        del kinds["top5"]
    head = "".join(f"<th>{kind}</th>" for kind in kinds.values())
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{verdict['images']:,}</td>"
        + "".join(_share(verdict.get(kind)) for kind in kinds)
        + "</tr>\n"
        for name, verdict in shown
    )
    return (
        f"<div><h3>{escape(judge['name'])}</h3>\n<small>{which}</small>"
        '<table class="numbers">\n'
        f"<tr><th>class</th><th>images</th>{head}</tr>\n{rows}</table></div>\n"
    )


def _share(share: float | None) -> str:
    if share is None:
        return "<td>–</td>"
    style = f"--share:{100 * share:.1f}%"
    return f'<td class="share" style="{style}">{percent(share)}</td>'


def _confusions(folder: Path, judges: list[Mapping[str, Any]]) -> Iterator[str]:
    names = {slug(judge["name"]): judge["name"] for judge in judges}
    for path in sorted(folder.glob("confusion_*.png")):
        name = path.stem.removeprefix("confusion_")
        yield _figure(path, f"Confusions of {names.get(slug(name), name)}", _CONFUSION)


def _figure(path: Path, title: str, note: str) -> str:
    title = escape(title)
    return picture(path, title, title, note, kind="sheet figure")


def _meanings(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return ""
    table = name_table(
        (
            escape(metric["title"]),
            f"{escape(metric['about'])} "
            f'<span class="pale">{escape(metric["better"].capitalize())} is better.'
            "</span>",
        )
        for metric in metrics.values()
    )
    return f"<section>\n<h2>What the numbers mean</h2>\n{table}</section>\n"


def _settings(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and the files of the networks, by name."""
    networks = list(evaluation.get("judges", []))
    if extractor := evaluation.get("extractor"):
        networks.insert(0, extractor)
    hashes = {network["name"]: network["sha256"] for network in networks}
    settings = dict(evaluation.get("settings", {}))
    return settings | ({"sha256": hashes} if hashes else {})
