"""Distillation as one call: a student, its weights, its card and its page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.data.labelled import JoinedImages, LabelledImages
from jinv.engine.events import Cost, Event, LessonEvent
from jinv.engine.execution import Execution
from jinv.engine.phase import STUDENT
from jinv.errors import ConfigError
from jinv.folders import Folder
from jinv.images.dead_leaves import dead_leaves
from jinv.inversion.make_job import make_job
from jinv.inversion.method import Method
from jinv.inversion.settings import with_given
from jinv.models.classifier import Classifier
from jinv.models.weights.writing import write_variables
from jinv.report.student_page import read_others, write_student_page
from jinv.suggest import check_options
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.distillations import Distillation, find_distillation, learning_of
from jinv.transfer.examples import check_examples
from jinv.transfer.game import Game
from jinv.transfer.hints import find_hints
from jinv.transfer.pool import Pool
from jinv.transfer.student_card import student_card
from jinv.transfer.supply import GivenImages, Supply
from jinv.transfer.teaching import Teaching, check_pair, distillation_kind
from jinv.values import Count, Natural


class Distilled(NamedTuple):
    """What comes out of a distillation.

    Attributes:
        classifier: The student, with its new weights and statistics.
        path: File of its weights; its card lies beside it, as .json.
        achieved: Numbers by name: `test_accuracy` in percent, where there is a test
            set, and `agreement` with the teacher in the last round.
    """

    classifier: Classifier
    path: Path
    achieved: dict[str, float]


@checked
def distill(
    teacher: Classifier,
    student: Classifier,
    folder: Path | str,
    data: LabelledImages | None = None,
    test: LabelledImages | None = None,
    *,
    preset: str | None = None,
    synthesis: Method | Mapping[str, Any] | None = None,
    images_at_once: Count | None = None,
    warmup_batches: Natural | None = None,
    start: LabelledImages | None = None,
    leaves: Natural | None = None,
    turns: Count | None = None,
    cost: Cost | None = None,
    devices: Natural = 1,
    overwrite: bool = False,
    beside: Mapping[str, Path | str] | None = None,
    about: Mapping[str, Any] | None = None,
    on_start: Callable[[], None] = lambda: None,
    on_event: Callable[[Event | LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    **learning: Any,
) -> Distilled:
    """Teach a student what a teacher knows, from a set or without any data.

    Without `data`, images are made while the student learns: a batch for each round,
    against the student as it is then. Writes MODEL.safetensors (the student as the last
    round left it), MODEL.json (its card), index.html and curves.png to `folder`, where
    a later call with the same arguments goes on, to the same bytes.

    Args:
        teacher: Network whose answers are learnt.
        student: Network that learns, with its initial weights.
        folder: Folder of the distillation.
        data: Images to learn from; None to make them.
        test: Images on which the student is tested.
        preset: Name from `DISTILLATIONS`; "default" where images are made. With `data`
            only its way of learning counts.
        synthesis: Settings of the method by which images are made, or those that differ
            from the preset's, by name.
        images_at_once: Images of a batch that is made for a round.
        warmup_batches: Batches that are made before the first update.
        start: Images that are in the pool from the start.
        leaves: Number of `dead_leaves` to learn from beside the other images; they
            have no labels. By default the preset's, and none beside `data`.
        turns: Updates of the student for each of the generator, where the preset is a
            game ("dafl", "dfad").
        cost: Cost of `data`, or of `start`, to be told with that of the student.
        devices: Devices that each batch of the student is spread over; 0 for as many as
            share it evenly.
        overwrite: Whether to remove the distillation that the folder holds.
        beside: Folders of other distillations, by names, to be shown on the page.
        about: What else the card is to say.
        on_start: Called once, when everything is checked and the folder taken.
        on_event: Called with each event, of the lesson and of the making of images.
        should_stop: Asked after every step.
        **learning: Fields of `DistillConfig` that differ from the preset's.

    Raises:
        ConfigError: Teacher and student do not fit each other, or an option cannot be.
        DataError: Images are not such as the teacher takes.
        FolderError: The folder holds something else, e.g. a distillation of another
            configuration.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: A loss became NaN or infinite.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from jinv.data.labelled import ArrayImages
        >>> from jinv import classifier_spec, make_classifier
        >>> teacher, student = (
        ...     make_classifier(classifier_spec("mnist_fc"), seed) for seed in (0, 1)
        ... )
        >>> noise = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
        >>> data = ArrayImages(noise, np.arange(12) % 10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     distilled = distill(
        ...         teacher, student, Path(folder) / "run", data, steps=2, batch_size=6
        ...     )
        >>> list(distilled.achieved)
        ['agreement']
    """
    check_pair(teacher, student)
    for role, images in {"data": data, "start": start, "test": test}.items():
        if images is not None:
            check_examples(role, images, teacher.spec, labelled=role == "test")
    others = {name: Path(other) for name, other in (beside or {}).items()}
    read_others(others, "round")  # refuses what the page could not show
    way = find_distillation(preset or "default")
    usual = learning_of(preset, data is not None)
    check_options(learning, [field.name for field in fields(usual)])
    config = replace(usual, **learning).whole()
    pooled = {
        "images_at_once": images_at_once,
        "warmup_batches": warmup_batches,
        "start": start,
    }
    if data is None and way.turns:
        _refuse(
            "is for a pool, and a game keeps no images",
            **pooled,
            leaves=leaves,
            cost=cost,
        )
        leaves, method = 0, _method(teacher, way, synthesis)
        supply: Supply = Game(method, config, turns or way.turns)
    else:
        _refuse("is for games, such as the preset dfad", turns=turns)
        if leaves is None:
            leaves = way.leaves if data is None else 0
        fallen = _DeadLeaves(teacher, leaves, config.seed) if leaves else None
        if data is None:
            pooled["start"] = _joined(start, fallen)
            supply = make_pool(
                teacher, student, way, config, synthesis=synthesis, cost=cost, **pooled
            )
        else:
            _refuse(
                "is for images that are made, and data are given",
                synthesis=synthesis,
                **pooled,
            )
            supply = GivenImages(_joined(data, fallen), cost)
    lessons = Teaching(teacher, student, supply, config, test, devices)
    name = student.spec.name
    folder = Path(folder)
    path = folder / f"{name}.safetensors"
    with Folder(
        folder, distillation_kind(name), lessons.described, overwrite=overwrite
    ) as held:
        taught = lessons.carry_out(held, on_start, on_event, should_stop)
        sha256 = write_variables(path, student.spec, taught.classifier.variables)
        hints = find_hints(teacher, student) if config.w_hints else {}
        facts = {"hints": hints, "leaves": leaves, "sha256": sha256}
        card = student_card(teacher, taught, supply, config, test)
        card |= {**(about or {}), **facts}
        write_json(path.with_suffix(".json"), card)
        write_student_page(folder, card, others)
    achieved = {
        name: card[name]
        for name in ("test_accuracy", "agreement")
        if card[name] is not None
    }
    return Distilled(replace(taught.classifier, sha256=sha256), path, achieved)


def make_pool(
    teacher: Classifier,
    student: Classifier,
    way: Distillation,
    config: DistillConfig,
    *,
    synthesis: Method | Mapping[str, Any] | None = None,
    images_at_once: int | None = None,
    warmup_batches: int | None = None,
    start: LabelledImages | None = None,
    cost: Cost | None = None,
) -> Pool:
    """Plan the pool of a student without data; nothing is made yet.

    Args:
        teacher: Network whose answers are learnt.
        student: Network that learns, with its initial weights.
        way: Way from `DISTILLATIONS`, of which the other arguments say what differs.
        config: How the student learns.
        synthesis: Settings of the method, or those that differ; see `distill`.
        images_at_once: Images of a batch.
        warmup_batches: Batches before the first update.
        start: Images that are in the pool from the start.
        cost: What those have cost.

    Raises:
        ConfigError: The method cannot work with the teacher, or has no such setting.
    """
    at_once = images_at_once or way.images_at_once
    warmup = way.warmup_batches if warmup_batches is None else warmup_batches
    method = _method(teacher, way, synthesis)
    job = make_job(
        teacher,
        "all",
        images=at_once * (warmup + config.rounds),
        batch_size=at_once,
        method=method,
        student=student if STUDENT in method.procedure(teacher).cast else None,
        seed=config.seed,
        execution=Execution(frames=0),
    )
    return Pool(job, warmup, start, cost)


def _method(
    teacher: Classifier,
    way: Distillation,
    synthesis: Method | Mapping[str, Any] | None,
) -> Method:
    """The settings by which images are made: a preset's, and what differs."""
    if isinstance(synthesis, Method):
        return synthesis
    return with_given(way.fitted(teacher.spec), synthesis or {})


def _refuse(why: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name} {why}: leave it out")


class _DeadLeaves:
    """Dead leaves as a teacher takes them, without labels: drawn when they are read.

    What is refused, or done already, need not wait for them.
    """

    def __init__(self, teacher: Classifier, count: int, seed: int):
        self.labels = np.full(count, -1, np.int32)
        spec = teacher.spec
        self._draw = partial(
            dead_leaves, size=spec.input_size, channels=spec.channels, seed=seed
        )

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""
        indices = np.asarray(indices)
        first = len(indices) == 1 and indices[0] == 0  # by which a set is known
        images = self._draw(1) if first else self._all[indices]
        return images, self.labels[indices]

    @cached_property
    def _all(self) -> np.ndarray:
        return self._draw(len(self))


def _joined(*parts: LabelledImages | None) -> Any:
    """One set of those that there are; None of none."""
    there = [part for part in parts if part is not None]
    return JoinedImages(*there) if len(there) > 1 else next(iter(there), None)
