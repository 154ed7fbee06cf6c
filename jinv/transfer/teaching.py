"""Teaching a student, round by round, in a folder where a later call goes on."""

import glob
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.atomic import JsonLines
from jinv.data.labelled import LabelledImages
from jinv.engine.events import Cost, Event, LessonEvent
from jinv.engine.fit import Course, fit
from jinv.engine.placement import make_placement
from jinv.engine.precision import activation_type
from jinv.errors import ConfigError
from jinv.folders import Kind
from jinv.models.classifier import Classifier
from jinv.models.wrapping import check_training
from jinv.models.zoo import beyond_zoo
from jinv.transfer.accuracy import accuracy
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.lesson import student_variables
from jinv.transfer.supply import Supply

TESTS = 20
"""How often the student is tested, about evenly over its rounds."""


@dataclass(frozen=True, eq=False)
class Taught:
    """A student that has learnt.

    Attributes:
        classifier: The student, with its new weights and statistics.
        rows: A row for each round: its mean loss and agreement with the teacher, the
            number of images, seconds, and where it was tested `test_accuracy`.
        cost: Cost of the images.
    """

    classifier: Classifier
    rows: list[dict[str, Any]]
    cost: Cost


def distillation_kind(model: str) -> Kind:
    """Tell what the distillation of a model leaves in a folder."""
    name = glob.escape(model)
    pictures = "curves.png", "pool.png"
    owned = ("checkpoint", "metrics.jsonl", "pool", "index.html", *pictures)
    return Kind(
        "distillation",
        "distillation",
        owned=(*owned, f"{name}.safetensors", f"{name}.json"),
    )


def teach(
    teacher: Classifier,
    student: Classifier,
    supply: Supply,
    config: DistillConfig,
    folder: Path,
    test: LabelledImages | None = None,
    *,
    devices: int = 1,
    overwrite: bool = False,
    on_start: Callable[[], None] = lambda: None,
    on_event: Callable[[Event | LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Taught:
    """Teach a student, in rounds of new images and some updates.

    Args:
        teacher: Network whose answers are learnt.
        student: Network that learns, with its initial weights; `config` decides its
            precision.
        supply: What it learns from.
        config: How it learns.
        folder: Where the checkpoint, `metrics.jsonl` and the pool are kept.
        test: Images on which the student is tested.
        devices: Devices that each batch is spread over; 0 for as many as share it
            evenly.
        overwrite: Whether to remove the distillation that the folder holds.
        on_start: Called once, when everything is checked and the folder taken.
        on_event: Called with each event, of the lesson and of the making of images.
        should_stop: Asked after every step.

    Raises:
        ConfigError: Teacher and student do not fit each other, or the student cannot
            be trained, or the steps make no whole rounds.
        FolderError: The folder holds something else, e.g. a distillation of another
            configuration, or a pool by another teacher.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: A loss became NaN or infinite.
    """
    check_pair(teacher, student)
    config = config.whole()
    dtype = activation_type(config.precision)
    student = replace(student, module=student.spec.make_module(dtype=dtype))
    check_training(student)
    placement = make_placement("jit", devices, config.batch_size)
    lesson = supply.lesson(teacher, student, config)

    def measure(number: int, trained: Any, state: Any) -> dict[str, float]:
        row: dict[str, float] = {"images": supply.count(number)}
        row["making"] = supply.cost.seconds
        due = (number + 1) * TESTS // config.rounds > number * TESTS // config.rounds
        if test is not None and due:
            variables = student_variables(lesson, trained, state)
            row["test_accuracy"] = accuracy(student, variables, test)
        return row

    def prepare(number: int, trained: Any, state: Any) -> None:
        supply.see_to(number, student_variables(lesson, trained, state))

    with ExitStack() as stack:

        def begin() -> None:
            stack.enter_context(supply)
            supply.open(folder, on_event, should_stop)
            on_start()

        learnt = fit(
            lesson,
            Course(
                config.rounds,
                supply.steps(config),
                lambda number, first: supply.batches(number, first, config),
                measure,
                prepare,
                "round",
            ),
            placement,
            folder,
            distillation_kind(student.spec.name),
            _description(teacher, student, supply, config, dtype),
            overwrite=overwrite,
            on_start=begin,
            on_event=on_event,
            should_stop=should_stop,
        )
        supply.finish()
    variables = student_variables(lesson, learnt.trained, learnt.state)
    variables = jax.tree.map(jnp.asarray, placement.get(variables))
    return Taught(
        student.with_weights(variables),
        JsonLines(folder / "metrics.jsonl").rows(),
        supply.cost,
    )


def check_pair(teacher: Classifier, student: Classifier) -> None:
    """Refuse a student that cannot learn from a teacher.

    Raises:
        ConfigError: They tell other classes apart, or take other images.
    """
    one, other = teacher.spec, student.spec
    if one.classes != other.classes:
        raise ConfigError(
            f"teacher {one.name} and student {other.name} tell other classes apart: "
            f"{_several(one.classes)}; {_several(other.classes)}"
        )
    if (one.input_size, one.channels) != (other.input_size, other.channels):
        raise ConfigError(
            f"teacher {one.name} takes images of {one.input_size} pixels and "
            f"{one.channels} channels, student {other.name} of {other.input_size} and "
            f"{other.channels}: both have to see the same"
        )


def _several(classes: tuple[str, ...]) -> str:
    shown = ", ".join(classes[:3])
    return f"{len(classes)} ({shown}{', …' if len(classes) > 3 else ''})"


def _description(
    teacher: Classifier,
    student: Classifier,
    supply: Supply,
    config: DistillConfig,
    dtype: Any,
) -> dict[str, Any]:
    """All that the outcome of a distillation depends on, as JSON."""
    taught_in = np.dtype(teacher.dtype)
    return {
        "student": student.spec.name,
        **beyond_zoo(student.spec).to_json(),
        "initial_weights": student.origin,
        "teacher": teacher.spec.name,
        "teacher_weights": teacher.origin,
        **asdict(config),
        "precision": np.dtype(dtype).name,
        **({} if taught_in == dtype else {"teacher_precision": taught_in.name}),
        "images": supply.describe(),
    }
