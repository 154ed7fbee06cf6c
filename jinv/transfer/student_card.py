"""The card of a student: from whom it learnt, from which images, at which budget."""

from dataclasses import asdict
from typing import Any

from jinv.data.labelled import LabelledImages
from jinv.devices import peak_memory_mib, provenance
from jinv.models.classifier import Classifier
from jinv.models.facts import Facts
from jinv.transfer.accuracy import accuracy, tests_on
from jinv.transfer.description import set_name
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.supply import Supply
from jinv.transfer.teaching import Taught


def student_card(
    teacher: Classifier,
    taught: Taught,
    supply: Supply,
    config: DistillConfig,
    test: LabelledImages | None,
) -> dict[str, Any]:
    """Tell where a student comes from and what it does, as JSON.

    Accuracies and the agreement are in percent; the best accuracy is that of the rounds
    in which the student was tested on the same images, the other that of the last,
    whose weights are kept. Where it was not tested on them, it is now.

    Args:
        teacher: Network from which it learnt.
        taught: Student, with the log of its rounds.
        supply: Images from which it learnt.
        config: How it learnt.
        test: Images on which both are tested, if any.
    """
    rows, cost, student = taught.rows, taught.cost, taught.classifier
    tested, test_set = [], None
    if test is not None:
        test_set = set_name(test)
        tested = tests_on(rows, test_set)
        if not tested or tested[-1]["round"] != config.rounds:
            found = accuracy(student, student.variables, test)
            tested.append({"round": config.rounds, "test_accuracy": found})
    best = max(tested, key=lambda row: row["test_accuracy"], default=None)
    learning = sum(row["seconds"] for row in rows)
    # config.json has all of it; labels are a line for each image.
    images = {name: x for name, x in supply.describe().items() if name != "labels"}
    known = None if test is None else accuracy(teacher, teacher.variables, test)
    return {
        "model": student.spec.name,
        **Facts.of(student.spec).to_json(),
        "data": supply.about(),
        "teacher": {
            "name": teacher.spec.name,
            "sha256": teacher.checksum,
            "test_accuracy": known,
        },
        "recipe": asdict(config),
        "images": images,
        "budget": {
            "images": supply.count(config.rounds - 1),
            "image_passes": cost.passes,
            "teacher_passes": config.steps * config.batch_size,
            "student_steps": config.steps,
            # In a game they are made in the student's own steps.
            "seconds_images": round(cost.seconds, 1) if cost.seconds else None,
            "seconds_student": round(learning, 1),
            "seconds_total": round(cost.seconds + learning, 1),
            "peak_memory_mib": round(peak_memory_mib()),
        },
        "test_images": 0 if test is None else len(test),
        "test_set": test_set,
        "test_accuracy": tested[-1]["test_accuracy"] if tested else None,
        "best": best and {name: best[name] for name in ("round", "test_accuracy")},
        "agreement": rows[-1]["agreement"] if rows else None,
        "seed": config.seed,
        "round_steps": config.round_steps,
        **provenance(),
    }
