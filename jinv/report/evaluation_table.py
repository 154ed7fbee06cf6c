"""The numbers of an evaluation as text, for pages and terminals."""

import math
from collections.abc import Mapping
from typing import Any

MISSING = "–"
"""Stands for a number that was not measured."""


def table_rows(evaluation: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    r"""Compare sets in a table: a row for each set, a column for each metric.

    A cell has up to two lines: what matters, then what is better, how many images were
    evaluated, or the interval of the value.

    Args:
        evaluation: Content of `evaluation.json`.

    Returns:
        The header, and the rows, each starting with the name of its set.

    Example:
        >>> table_rows({
        ...     "metrics": {"fid": {"title": "FID", "better": "lower", "unit": ""}},
        ...     "rows": {"noise": {"fid": {"value": 412.3, "images": 2000}}},
        ... })
        (['set', 'FID\nlower is better'], [['noise\n2,000 images', '412']])
    """
    metrics = evaluation.get("metrics", {})
    header = [
        f"{metric['title']}\n{metric['better']} is better"
        for metric in metrics.values()
    ]
    rows = []
    for name, measured in evaluation.get("rows", {}).items():
        cells = [
            _cell(measured.get(metric), about["unit"])
            for metric, about in metrics.items()
        ]
        rows.append(["\n".join(filter(None, (name, _images(measured)))), *cells])
    return ["set", *header], rows


def value_text(entry: Mapping[str, Any], unit: str) -> str:
    """Write a measured value to three digits, or a share as per cent to one decimal."""
    return _with_unit(_digits(entry["value"], entry["value"], unit), unit)


def spread(entry: Mapping[str, Any], unit: str) -> str:
    """Write the interval of a value, as precise as the value; empty without one."""
    ends = entry.get("low"), entry.get("high")
    if None in ends:
        return ""
    low, high = (_digits(end, entry["value"], unit) for end in ends)
    return _with_unit(f"{low} – {high}", unit)


def _cell(entry: Mapping[str, Any] | None, unit: str) -> str:
    if entry is None:
        return MISSING
    return "\n".join(filter(None, (value_text(entry, unit), spread(entry, unit))))


def _images(measured: Mapping[str, Any]) -> str:
    """How many images the values of a set come from."""
    numbers = [entry["images"] for entry in measured.values() if "images" in entry]
    if not numbers:
        return ""
    fewest, most = min(numbers), max(numbers)
    return f"{fewest:,} images" if fewest == most else f"{fewest:,} – {most:,} images"


def _digits(number: float | None, scale: float | None, unit: str) -> str:
    """A number with as many decimals as show three digits of the scale, at most 4."""
    if number is None or not math.isfinite(number):
        return MISSING
    if unit == "%":
        return f"{100 * number:.1f}"
    if not scale or not math.isfinite(scale):
        return f"{number:.3g}"
    decimals = 2 - math.floor(math.log10(abs(scale)))
    return f"{number:,.{min(4, max(0, decimals))}f}"


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit and text != MISSING else text
