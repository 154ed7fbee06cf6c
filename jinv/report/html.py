"""Parts that pages are made of: each page is one file that needs nothing else."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from jinv.atomic import replacing
from jinv.former import renewed
from jinv.json_text import parse_json


def write_html(path: Path, title: str, sections: Iterable[str]) -> Path:
    """Write a page with the common style inside.

    Args:
        path: Path of the .html to write or to replace.
        title: Title as plain text.
        sections: Sections as HTML, from top to bottom; an empty one leaves no trace.

    Returns:
        The same path.
    """
    style = resources.files("jinv.report").joinpath("page.css").read_text("utf-8")
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n"
        f"</head>\n<body>\n<main>\n{''.join(sections)}</main>\n</body>\n</html>\n"
    )
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")
    return path


def card(title: str, value: str, note: str = "") -> str:
    """Show a number in large type, between its title and a note; all are HTML."""
    return (
        f'<div class="card">{title}<b>{value}</b><span class="pale">{note}</span></div>'
        "\n"
    )


def card_row(cards: Iterable[str]) -> str:
    """Set cards side by side; nothing where there are none."""
    inside = "".join(cards)
    return f'<section class="cards">\n{inside}</section>\n' if inside else ""


def picture(
    path: Path, title: str, description: str, note: str = "", kind: str = "sheet"
) -> str:
    """Make a section with a picture embedded; nothing where there is no such file.

    Args:
        path: Path of the .png or .webp.
        title: Title of the section, as HTML.
        description: Description for those who cannot see the picture, as HTML.
        note: Note on how to read the picture, as HTML.
        kind: Kinds of its box, as classes in `page.css`.
    """
    if not path.is_file():
        return ""
    aid = f'<p class="pale">{note}</p>\n' if note else ""
    return (
        f'<section>\n<h2>{title}</h2>\n{aid}<div class="{kind}">'
        f'<img src="{data_uri(path)}" alt="{description}"></div>\n</section>\n'
    )


def wide_table(
    header: Iterable[str], rows: Iterable[Iterable[str]], *, led: bool = False
) -> str:
    """A table that scrolls inside its box; cells are HTML, each row's first a name.

    Args:
        header: Names of the columns.
        rows: Rows of cells.
        led: Whether the first row is what the others are read against.
    """
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"
        for name, *cells in rows
    )
    kinds = "numbers sets led" if led else "numbers sets"
    return (
        f'<div class="scroll"><table class="{kinds}">\n<tr>{head}</tr>\n{body}'
        "</table></div>\n"
    )


def name_table(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and what belongs to them, both HTML."""
    body = "".join(
        f"<tr><th>{name}</th><td>{value}</td></tr>\n" for name, value in rows
    )
    return f'<table class="settings">\n{body}</table>\n'


def command(words: str) -> str:
    """Write the command that made what a page shows, as a section; "" where unknown."""
    if not words:
        return ""
    return (
        "<section>\n<h2>Command</h2>\n"
        f'<p class="command"><code>{escape(words)}</code></p>\n</section>\n'
    )


def configuration(settings: Mapping[str, Any]) -> str:
    """Nested settings as a table that unfolds; nothing where there are none."""
    if not settings:
        return ""
    table = name_table(
        (escape(name), f'<code class="value">{escape(value)}</code>')
        for name, value in _flatten(settings)
    )
    return f"<details>\n<summary><h2>Configuration</h2></summary>\n{table}</details>\n"


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested mappings as dotted names with their values as text."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{prefix}{name}", text


def read_json(path: Path) -> dict[str, Any]:
    """Read the mapping in a file, by today's names; empty without such a file."""
    found = parse_json(path.read_text("utf-8")) if path.is_file() else {}
    return renewed(found, path.name)


def data_uri(path: Path) -> str:
    """Write a picture as text that can stand for its address."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:image/{path.suffix[1:]};base64,{content}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number of things, as in `1 class` and `2,000 classes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Write a share in 0..1 as per cent."""
    return f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Write a time span in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
