"""Teaching a student, round by round, in a folder where a later call goes on."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.data.labelled import LabelledImages
from jinv.engine.events import Cost, Event, LessonEvent
from jinv.engine.fit import Course, fit
from jinv.engine.placement import make_placement
from jinv.engine.precision import activation_type
from jinv.errors import ConfigError
from jinv.folders import Folder, Kind, weights_kind
from jinv.metrics_log import METRICS, metrics_log
from jinv.models.classifier import Classifier
from jinv.models.wrapping import check_training
from jinv.models.zoo import beyond_zoo
from jinv.transfer.accuracy import accuracy
from jinv.transfer.description import set_name
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
    pictures = "curves.png", "pool.png"
    owned = "checkpoint", METRICS, "pool", "index.html", *pictures
    return weights_kind("distillation", model, *owned)


class Teaching:
    """A student that learns from a teacher, in rounds of new images and some updates.

    Where it cannot, nothing has begun yet.
    """

    def __init__(
        self,
        teacher: Classifier,
        student: Classifier,
        supply: Supply,
        config: DistillConfig,
        test: LabelledImages | None = None,
        devices: int = 1,
    ):
        """Check who teaches whom.

        Args:
            teacher: Network whose answers are learnt.
            student: Network that learns, with its initial weights; `config` decides its
                precision.
            supply: What it learns from.
            config: How it learns.
            test: Images on which the student is tested.
            devices: Devices that each batch is spread over; 0 for as many as share it
                evenly.

        Raises:
            ConfigError: Teacher and student do not fit each other, or the student
                cannot be trained, or the steps make no whole rounds.
        """
        check_pair(teacher, student)
        self.teacher, self.supply, self.test = teacher, supply, test
        self._tested_on = None if test is None else set_name(test)
        self.config = config = config.whole()
        self._dtype = activation_type(config.precision)
        self.student = student = student.with_activations(self._dtype)
        check_training(student)
        self._placement = make_placement("jit", devices, config.batch_size)
        self._lesson = supply.lesson(teacher, student, config)

    @property
    def described(self) -> dict[str, Any]:
        """All that the outcome depends on, as JSON."""
        teacher, student = self.teacher, self.student
        types = {"precision": np.dtype(self._dtype).name}
        if teacher.dtype != self._dtype:
            types["teacher_precision"] = np.dtype(teacher.dtype).name
        return {
            "student": student.spec.name,
            **beyond_zoo(student.spec).to_json(),
            "initial_weights": student.origin,
            "teacher": teacher.spec.name,
            "teacher_weights": teacher.origin,
            **asdict(self.config),
            **types,
            "images": self.supply.describe(),
        }

    def carry_out(
        self,
        folder: Folder,
        on_start: Callable[[], None],
        on_event: Callable[[Event | LessonEvent], None],
        should_stop: Callable[[], bool],
    ) -> Taught:
        """Teach the student, or go on with it.

        Args:
            folder: Where the checkpoint, `metrics.jsonl` and the pool are kept.
            on_start: Called once, when the pool is found to be this lesson's own.
            on_event: Called with each event, of the lesson and of the making of images.
            should_stop: Asked after every step.

        Raises:
            FolderError: The folder has a pool by another teacher.
            Interrupted: `should_stop` said so; every step so far is kept.
            Diverged: A loss became NaN or infinite.
        """
        supply, config = self.supply, self.config
        with supply:
            supply.open(folder.path, on_event, should_stop)
            on_start()
            learnt = fit(
                self._lesson,
                Course(
                    config.rounds,
                    supply.steps(config),
                    lambda number, first: supply.batches(number, first, config),
                    self._measure,
                    self._prepare,
                    "round",
                ),
                self._placement,
                folder,
                on_event=on_event,
                should_stop=should_stop,
            )
            supply.finish()
        variables = student_variables(self._lesson, learnt.trained, learnt.state)
        variables = jax.tree.map(jnp.asarray, self._placement.get(variables))
        return Taught(
            self.student.with_weights(variables),
            metrics_log(folder.path).rows(),
            supply.cost,
        )

    def _measure(self, number: int, trained: Any, state: Any) -> dict[str, Any]:
        row: dict[str, Any] = {"images": self.supply.count(number)}
        row["making"] = self.supply.cost.seconds
        rounds = self.config.rounds
        due = (number + 1) * TESTS // rounds > number * TESTS // rounds
        if self.test is not None and due:
            variables = student_variables(self._lesson, trained, state)
            row["test_accuracy"] = accuracy(self.student, variables, self.test)
            row["test_set"] = self._tested_on
        return row

    def _prepare(self, number: int, trained: Any, state: Any) -> None:
        self.supply.see_to(number, student_variables(self._lesson, trained, state))


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
