"""What the folder of a student that has learnt says of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinv.errors import FolderError
from jinv.folders import CONFIG
from jinv.json_text import parse_json
from jinv.metrics_log import METRICS, measured_on, metrics_log
from jinv.report.arm import Arm
from jinv.report.facts import number, text


class StudentRecord(NamedTuple):
    """What the card of a student and its log say, as far as they do.

    Attributes:
        card: Content of the card beside the weights.
        arm: The log, as it is plotted.
    """

    card: Mapping[str, Any]
    arm: Arm

    @property
    def accuracy(self) -> float | None:
        """Test accuracy (%) of the student as it was left."""
        return number(self.card, "test_accuracy")

    @property
    def best(self) -> tuple[float, int] | None:
        """Best test accuracy (%) on the way, and its round or epoch."""
        unit = self.arm.unit
        tests = [
            (accuracy, int(when))
            for row in self.arm.rows
            if (accuracy := number(row, "test_accuracy")) is not None
            and (when := number(row, unit)) is not None
        ]
        return max(tests, key=lambda test: test[0], default=None)

    @property
    def seconds(self) -> float | None:
        """Seconds in all, or of the steps alone where the card tells no others."""
        total = number(self.card, "budget", "seconds_total")
        if total is not None or not self.arm.rows:
            return total
        return float(self.arm.seconds[-1])


def record_of(card: Mapping[str, Any], folder: Path) -> StudentRecord:
    """Put a card together with the log in its folder, which may be missing.

    Tests on other images than those of the card are left out.
    """
    steps, rows = int(number(card, "round_steps") or 1), metrics_log(folder).rows()
    for role in ("test", "real"):
        if name := text(card, f"{role}_set"):
            for row in rows:
                if not measured_on(row, role, name):
                    row.pop(f"{role}_accuracy", None)
    return StudentRecord(card, Arm(rows, steps))


def read_record(folder: Path) -> StudentRecord:
    """Read what a distillation or a training left in a folder.

    Args:
        folder: Folder with one card, MODEL.json, and `metrics.jsonl`.

    Raises:
        FolderError: There is no such folder, or it holds no card or several, or no log.
    """
    if not folder.is_dir():
        raise _refused(folder, "no folder")
    cards = {
        path.name: card
        for path in sorted(folder.glob("*.json"))
        if path.name != CONFIG and (card := _card(path)) is not None
    }
    if len(cards) != 1:
        raise _refused(folder, " and ".join(cards) or "no card")
    (card,) = cards.values()
    try:
        record = record_of(card, folder)
    except OSError as error:
        raise _refused(folder, f"{METRICS}: {error.strerror}") from error
    if not record.arm.measured(record.arm.unit):
        raise _refused(folder, f"no rounds or epochs in {METRICS}")
    return record


def _card(path: Path) -> dict[str, Any] | None:
    """A card of weights; None where a file is anything else."""
    try:
        found = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if text(found, "model") else None


def _refused(folder: Path, found: str) -> FolderError:
    return FolderError(
        f"{folder}: expected the folder of a student or of a training that is done, "
        f"with its card MODEL.json and {METRICS}, found {found}"
    )
