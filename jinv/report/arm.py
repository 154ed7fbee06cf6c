"""A student among others, by its log."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jinv.report.facts import number


class Arm(NamedTuple):
    """A student among others, by its log.

    Attributes:
        rows: Rows of `metrics.jsonl`, in order: of rounds, or of epochs.
        round_steps: Updates in a round; epochs are counted as they are.
    """

    rows: Sequence[Mapping[str, Any]]
    round_steps: int = 1

    @property
    def unit(self) -> str:
        """What the rows count: "epoch" or "round"."""
        return "epoch" if any("epoch" in row for row in self.rows) else "round"

    @property
    def seconds(self) -> np.ndarray:
        """Seconds until the end of each row (rows,), those of all images with them."""
        return np.cumsum(self._column("seconds", 0.0)) + self._column("making", 0.0)

    def measured(self, name: str) -> bool:
        """Whether any row has a number of this name."""
        return bool(np.isfinite(self._column(name)).any())

    def line(self, name: str, by_time: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Find where something was measured, and its values there.

        Args:
            name: Name of what was measured, as in the log.
            by_time: Whether places are seconds; else they are steps, or epochs.

        Example:
            >>> rows = [{"round": 1}, {"round": 2, "test_accuracy": 31.5}]
            >>> Arm(rows, round_steps=50).line("test_accuracy")
            (array([100.]), array([31.5]))
        """
        step = 1 if self.unit == "epoch" else self.round_steps
        places = self.seconds if by_time else self._column(self.unit) * step
        values = self._column(name)
        known = np.isfinite(places) & np.isfinite(values)
        return places[known], values[known]

    def _column(self, name: str, otherwise: float = np.nan) -> np.ndarray:
        found = (number(row, name) for row in self.rows)
        return np.asarray([otherwise if x is None else x for x in found], float)
