"""Rows of a run's log, as `metrics.jsonl` holds them."""

from typing import Any

from jinv.engine.events import Position
from jinv.engine.notes import Notes
from jinv.engine.phase import Numbers, Phase
from jinv.engine.step import Metrics, weight_of

ROW = (
    *Position._fields,
    *("total_step", "learning_rate", "loss", "terms"),
    *("image_steps_per_second", "finite"),
)
"""What every row has, beside what is watched."""


def make_row(
    phase: Phase,
    numbers: Numbers,
    now: Notes,
    size: int,
    metrics: Metrics,
    speed: float,
) -> dict[str, Any]:
    """Make a row of the log of the last step's measurements, each a float.

    A batch has `size` images, company included; `speed` counts those a second.
    """
    terms = {
        term.name: {
            "raw": metrics["terms"][term.name],
            "weighted": weight_of(term, numbers) * metrics["terms"][term.name],
        }
        for term in phase.wanted
    }
    return {
        **now.position._asdict(),
        "total_step": now.passes // size,
        "learning_rate": metrics["learning_rate"],
        "loss": metrics["loss"],
        "terms": terms,
        **metrics["watched"],
        "image_steps_per_second": speed,
        "finite": bool(metrics["finite"]),
    }
