"""The log of a run, `metrics.jsonl`."""

from functools import partial
from pathlib import Path

from jinv.atomic import JsonLines
from jinv.former import renewed

METRICS = "metrics.jsonl"


def metrics_log(folder: Path) -> JsonLines:
    """The rows that a run leaves in its folder, by today's names."""
    return JsonLines(folder / METRICS, partial(renewed, kind=METRICS))
