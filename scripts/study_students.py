#!/usr/bin/env python3
"""Which images teach a student, and what else does: arms at equal lessons.

Every arm is a `jinv distill` of the same student, teacher and number of steps, in a
folder of its own; sets are made once, by `jinv synthesize`. Leaves a table (table.md)
and a figure (curves.png) of the arms that are done. Can be interrupted, and goes on
where it was when it is called again.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from studying import (
    begin,
    call,
    claim,
    draw_noise,
    quoted,
    save_unlabelled,
    write_table,
)

from jinv.engine.rounds import whole_rounds
from jinv.images.dead_leaves import dead_leaves
from jinv.models.zoo import classifier_spec
from jinv.report.student_curves import plot_students
from jinv.report.student_record import StudentRecord, read_record
from jinv.transfer.distill_config import DistillConfig
from jinv.values import Count, Seed

SETS = {
    "fast-2000": "--method fast --images 2000",
    "fast-10000": "--method fast --images 10000",
    "natural-500": "--method natural --images 500 --steps 350",
}
"""Sets without data, and how they are made."""

LEAVES = "--leaves 10000"
SMALL = (
    f"{LEAVES} --batch-size 64 --images-at-once 50 --round-steps 200 --temperature 4 "
    "--w-hints 1 --max-norm 2 --collage 6"
)
PIXELS = f"{SMALL} --preset adaptive-deepinversion --synthesis.steps 150"
NATURAL = f"{SMALL} --preset adaptive-natural --synthesis.steps 350"

ARMS = {
    "real": "--data {real}",
    "adaptive-fast": "--preset default",
    "plain-fast": "--preset default --synthesis.w-adversarial 0",
    "adaptive-pixels": PIXELS,
    "plain-pixels": f"{PIXELS} --synthesis.w-disagreement 0",
    "adaptive-natural": NATURAL,
    "plain-natural": f"{NATURAL} --synthesis.w-disagreement 0",
    "fast-2000": f"--data {{fast-2000}} {LEAVES}",
    "fast-10000": f"--data {{fast-10000}} {LEAVES}",
    "natural-500": f"--data {{natural-500}} {LEAVES}",
    # Games, at the budget of the others: what they ask for is as published.
    "dafl": "--preset dafl --batch-size 64 --round-steps 50",
    "dfad": "--preset dfad --batch-size 64 --round-steps 50",
    "leaves": "--data {leaves}",
    "noise": "--data {noise}",
    # What helps: each part left out, and all of them.
    "no-leaves": "--data {fast-2000}",
    "no-hints": f"--data {{fast-2000}} {LEAVES} --w-hints 0",
    "no-collage": f"--data {{fast-2000}} {LEAVES} --collage 0",
    "answers-alone": "--data {fast-2000} --w-hints 0 --collage 0",
    "real-answers-alone": "--data {real} --w-hints 0 --collage 0",
}
"""Arms, by the words in which their commands differ."""


@dataclass(frozen=True)
class Study:
    """Which arms, and what they have in common."""

    data: str
    """Set of the real images: those of the control, and those of all tests."""
    arms: tuple[str, ...] = tuple(ARMS)
    student: str = "cifar10_wrn16_1"
    model: str = "cifar10_resnet20"
    steps: Count = 4000
    """Updates of each student, in whole rounds of every arm."""
    seed: Seed = 0
    out: Path = Path("runs/study")


def main(study: Study) -> None:
    if unknown := set(study.arms) - set(ARMS):
        sys.exit(f"unknown arms {sorted(unknown)}; there are {', '.join(ARMS)}")
    for arm in study.arms:  # what would only be found after hours
        rounds = re.search(r"--round-steps (\d+)", ARMS[arm])
        whole_rounds(
            study.steps, int(rounds[1]) if rounds else DistillConfig.round_steps
        )
    with claim(study, study.out, "arms"):
        carry_out(study)


def carry_out(study: Study) -> None:
    """Make the sets that are missing, and teach a student by each arm."""
    for arm in study.arms:
        sets = {name: f"{study.out}/sets/{name}" for name in SETS}
        drawn = {name: f"{study.out}/sets/{name}.npz" for name in DRAWN}
        for name in SETS:
            if f"{{{name}}}" in ARMS[arm]:
                make = f"--model {study.model} {SETS[name]} --form npz"
                out = quoted(sets[name])
                call("synthesize", f"{make} --seed {study.seed} --out {out}")
        for name, draw in DRAWN.items():
            if f"{{{name}}}" in ARMS[arm] and not Path(drawn[name]).exists():
                save_unlabelled(Path(drawn[name]), draw(study))
        files = {"real": study.data} | sets | drawn
        words = ARMS[arm].format(**{n: quoted(file) for n, file in files.items()})
        call(
            "distill",
            f"--student {study.student} --model {study.model} {words} "
            f"--test {quoted(study.data)} --steps {study.steps} --seed {study.seed} "
            f"--out {quoted(study.out / arm)}",
            study.out / arm / f"{study.student}.json",
        )
        tell(study)


def leaves(study: Study) -> np.ndarray:
    spec = classifier_spec(study.model)
    return dead_leaves(IMAGES, spec.input_size, spec.channels, study.seed)


def noise(study: Study) -> np.ndarray:
    return draw_noise(classifier_spec(study.model), IMAGES, study.seed)


IMAGES = 10_000
DRAWN = {"leaves": leaves, "noise": noise}
"""Sets that take no network either."""


def tell(study: Study) -> None:
    """Write the table and the figure of the arms that are done."""
    folders = {arm: study.out / arm for arm in ARMS}
    students = {
        arm: read_record(folder)
        for arm, folder in folders.items()
        if (folder / f"{study.student}.json").exists()
    }
    teacher = next(iter(students.values())).card["teacher"]
    plot_students(
        study.out / "curves.png",
        {arm: student.arm for arm, student in students.items()},
        (teacher["name"], teacher["test_accuracy"]),
    )
    columns = (
        "arm",
        "images",
        "passes",
        "s of images",
        "s of steps",
        "agreement",
        "test",
    )
    rows = [[arm, *row(student)] for arm, student in students.items()]
    write_table(study.out, columns, rows)


def row(student: StudentRecord) -> list[str]:
    card, budget = student.card, student.card["budget"]
    return [
        f"{budget['images']:,}",
        f"{budget['image_passes']:,}",
        f"{budget['seconds_images']:.0f}" if budget["seconds_images"] else "",
        f"{budget['seconds_student']:.0f}",
        f"{card['agreement']:.1f} %",
        f"{card['test_accuracy']:.2f} %",
    ]


if __name__ == "__main__":
    begin(main, Study)
