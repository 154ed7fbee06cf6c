#!/usr/bin/env python3
"""What networks learn from images and their labels alone: synthetic against real ones.

Every arm is a `jinv train` of a new network for the same number of updates, in a folder
of its own, tested on the real test images; the synthetic images are made once, by `jinv
synthesize`, and smaller sets are the first of them. Leaves a table (table.md). Can be
interrupted, and goes on where it was when it is called again.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from studying import begin, call, claim, quoted, save_real, save_set, write_table

from jinv.models.zoo import classifier_spec

BATCH = 100
SOURCES = "real", "fast"


@dataclass(frozen=True)
class Study:
    """Which arms, and what they have in common."""

    data: str
    """Set of the real images: those of the control, and those of all tests."""
    model: str = "cifar10_resnet20"
    """Network whose images are made."""
    students: tuple[str, ...] = ("cifar10_wrn16_1",)
    """Networks that learn."""
    images: tuple[int, ...] = (5000, 20_000)
    """Sizes of the sets."""
    updates: int = 2000
    """Updates of each arm, by 100 images each."""
    seed: int = 0
    out: Path = Path("runs/scratch")


def main(study: Study) -> None:
    with claim(study, study.out, "students"):
        carry_out(study)


def carry_out(study: Study) -> None:
    """Make the sets that are missing, and train a network on each."""
    data, rows = quoted(study.data), []
    for student in study.students:
        for count in study.images:
            for source in SOURCES:
                folder = study.out / student / f"{source}-{count}"
                call(
                    "train",
                    f"--model {student} --data {quoted(given(study, source, count))} "
                    f"--test {data} --real {data} --batch-size {BATCH} "
                    f"--epochs {max(1, study.updates * BATCH // count)} "
                    f"--seed {study.seed} --out {quoted(folder)}",
                    folder / f"{student}.json",
                )
                rows.append([student, f"{count:,} {source}", *measured(folder)])
                write_table(study.out, COLUMNS, rows)


COLUMNS = "network", "images", "of the set", "of real training images", "test"


def measured(folder: Path) -> list[str]:
    """Accuracies after the last epoch."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    last = [row for row in map(json.loads, lines) if "test_accuracy" in row][-1]
    names = "accuracy", "real_accuracy", "test_accuracy"
    found = map(last.get, names)
    return ["" if value is None else f"{value:.2f} %" for value in found]


def given(study: Study, source: str, count: int) -> Path:
    """A set of so many images: drawn from the real ones, or the first that are made."""
    path = study.out / "sets" / f"{source}-{count}.npz"
    if source == "real":
        spec = classifier_spec(study.model)
        return save_real(path, study.data, spec, count, study.seed)
    if path.exists():
        return path
    most = max(study.images)
    whole = study.out / "sets" / "fast"
    call(
        "synthesize",
        f"--model {study.model} --method fast --images {most} --form npz "
        f"--seed {study.seed} --out {quoted(whole)}",
    )
    with np.load(whole / "set.npz") as found:
        save_set(path, found["x_train"][:count], found["y_train"][:count])
    return path


if __name__ == "__main__":
    begin(main, Study)
