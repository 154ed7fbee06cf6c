"""The log of all long work, `metrics.jsonl`: a row for each of its measurements."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinv.atomic import JsonLines
from jinv.former import renewed

METRICS = "metrics.jsonl"


def metrics_log(folder: Path) -> JsonLines:
    """The rows that work leaves in its folder, by today's names."""
    return JsonLines(folder / METRICS, partial(renewed, kind=METRICS))


def measured_on(row: Mapping[str, Any], role: str, name: str) -> bool:
    """Whether an accuracy in a row of the log, if any, is that on one set.

    Args:
        row: Row of the log; one that does not name the set, as once none did, is of the
            set at hand.
        role: Which accuracy: "test" or "real".
        name: Name of the set.
    """
    return row.get(f"{role}_set", name) == name
