"""Rows of a run's log, as `metrics.jsonl` holds them."""

from typing import Any

from jinv.engine.notes import Notes
from jinv.engine.phase import Numbers, Phase
from jinv.engine.step import Metrics, weight_of


def make_row(
    phase: Phase,
    numbers: Numbers,
    now: Notes,
    size: int,
    metrics: Metrics,
    speed: float,
) -> dict[str, Any]:
    """Make a row of the log.

    Args:
        phase: The phase at work.
        numbers: Loss weights and learning rates, by name.
        now: How far the run is.
        size: Images of a batch, company included.
        metrics: Measurements of the last step, each a float.
        speed: Images that went through the teacher a second.
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
