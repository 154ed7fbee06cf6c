"""The loop of everything that learns: epochs in a folder, stopped and gone on with."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import jax
import numpy as np

from jinv.atomic import JsonLines
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import Begun, Compiled, Far, Learning, LessonEvent, Measured
from jinv.engine.hosts import agreed
from jinv.engine.lesson import Learner, Learnt, Lesson
from jinv.engine.placement import Placement
from jinv.errors import DataError, Diverged, Interrupted
from jinv.folders import Folder
from jinv.former import FORMER, renewed
from jinv.metrics_log import metrics_log

_LOOK_SECONDS = 1.0
"""Between two looks at the losses, each of which waits for the steps sent off."""
_AHEAD = 2
"""Steps sent off beside the one at work: devices never wait, nor does who stops."""


@dataclass(frozen=True, eq=False)
class Course:
    """What a lesson learns from, epoch after epoch, and how that is measured.

    Attributes:
        epochs: Number of epochs.
        steps: Batches in each epoch.
        batches: (epoch, first) → the epoch's batches from the given number on: trees of
            host arrays whose first axis counts examples. Each is made while the one
            before is used.
        measure: (epoch, trained, state) → what the log's row of an epoch is to say too.
        prepare: Called with the same before an epoch's first step, to see to its
            batches; again if the work was stopped before a step of it was kept.
        unit: What an epoch is called, in logs and messages.
    """

    epochs: int
    steps: int
    batches: Callable[[int, int], Iterator[Any]]
    measure: Callable[[int, Any, Any], dict[str, Any]] = lambda *_: {}
    prepare: Callable[[int, Any, Any], None] = lambda *_: None
    unit: str = "epoch"


def fit(
    lesson: Lesson,
    course: Course,
    placement: Placement,
    folder: Folder,
    *,
    on_event: Callable[[LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = 60.0,
) -> Learnt:
    """Teach a lesson, in a folder where a later call goes on.

    What is learnt is kept after every epoch, now and then within it, and when the work
    is stopped. A lesson that was stopped or killed ends with the same bytes as another.
    `metrics.jsonl` has a row for every epoch.

    Args:
        lesson: What learns.
        course: What it learns from.
        placement: Devices over which each batch is spread.
        folder: Where the checkpoint and the log are written, taken for a work that owns
            `checkpoint` and `metrics.jsonl`. Whoever took it holds it until all that is
            made of what was learnt is written too.
        on_event: Called with each event, in order.
        should_stop: Asked after every step.
        checkpoint_seconds: Seconds between checkpoints within an epoch.

    Raises:
        FolderError: The checkpoint is not that of a lesson.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: The loss, or what is trained, became NaN or infinite; what the folder
            keeps is from before.
    """
    with closing(Checkpoints(folder.path / "checkpoint")) as checkpoints:
        return _Fit(
            lesson,
            placement,
            course,
            checkpoints,
            metrics_log(folder.path),
            on_event,
            should_stop,
            checkpoint_seconds,
        ).all()


@dataclass
class _Notes:
    """How far a lesson is: noted beside every checkpoint.

    Attributes:
        epoch: Epochs that are done.
        step: Steps of the one at work that are done.
        seconds: Seconds that those steps have taken.
        sums: Sums of what they measured, by name.
        counts: How many of them measured it.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, seen: Mapping[str, list[float]]) -> None:
        """Add what some steps measured, by name."""
        for name, values in seen.items():
            self.sums[name] = self.sums.get(name, 0.0) + sum(values)
            self.counts[name] = self.counts.get(name, 0) + len(values)

    def means(self) -> dict[str, float]:
        """Means over the steps that measured it."""
        return {name: total / self.counts[name] for name, total in self.sums.items()}


class _Fit:
    def __init__(
        self,
        lesson: Lesson,
        placement: Placement,
        course: Course,
        checkpoints: Checkpoints,
        log: JsonLines,
        on_event: Callable[[LessonEvent], None],
        should_stop: Callable[[], bool],
        checkpoint_seconds: float,
    ):
        self.learner = Learner(lesson, placement, self._compiled)
        self.course = course
        self.checkpoints, self.log = checkpoints, log
        self.on_event, self.should_stop = on_event, should_stop
        self.checkpoint_seconds = checkpoint_seconds
        self.now, self.learnt = self._begin()
        self.pending: list[Any] = []
        """What the steps measured at which nobody has looked yet."""
        self.looked = self.saved = time.monotonic()

    def all(self) -> Learnt:
        done = self.now.epoch
        self.log.keep(lambda row: row.get(self.course.unit, done + 1) <= done)
        self.on_event(Begun(self._far()))
        for epoch in range(done, self.course.epochs):
            if self.now.step == 0:
                self.course.prepare(epoch, self.learnt.trained, self.learnt.state)
            self._steps()
            self._measure()
        return self.learnt

    def _begin(self) -> tuple[_Notes, Learnt]:
        """Go to where the work is, by the checkpoint if there is one."""
        learnt = self.learner.begin()
        notes = self.checkpoints.notes()
        if notes is None:
            return _Notes(), learnt
        try:
            now = _Notes(**notes)
            sound = now.epoch >= 0 and 0 <= now.step <= self.course.steps
            sound &= bool(np.isfinite(now.seconds))
            # What a step measures may be NaN.
            sound &= all(isinstance(total, float) for total in now.sums.values())
            # Who noted no counts measured everything in each step.
            now.counts = now.counts or dict.fromkeys(now.sums, now.step)
            sound &= all(0 < now.counts[name] <= now.step for name in now.sums)
        except (TypeError, AttributeError, KeyError):
            sound = False
        if not sound:
            raise self.checkpoints.unreadable("its notes are not those of a lesson")
        # Who noted no step used the former names of the arrays.
        names = {} if "step" in notes else FORMER["learnt"]
        former = {today: name for name, today in names.items()}
        like = self.learner.placement.get(learnt)._asdict()
        found = self.checkpoints.restore(
            {former.get(name, name): tree for name, tree in like.items()}
        )
        return now, self.learner.placement.put(Learnt(**renewed(found, "learnt")))

    def _steps(self) -> None:
        """What is left of an epoch."""
        now, steps = self.now, self.course.steps
        self.looked = time.monotonic()
        source = islice(self.course.batches(now.epoch, now.step), steps - now.step)
        with closing(_ahead(source)) as batches:
            for batch in batches:
                number = now.epoch * steps + now.step
                self.learnt, seen = self.learner.step(self.learnt, batch, number)
                self.pending.append(seen)
                now.step += 1
                if len(self.pending) > _AHEAD:
                    jax.block_until_ready(self.pending[-1 - _AHEAD])
                stopped = agreed(self.should_stop())
                due = time.monotonic() - self.saved >= self.checkpoint_seconds
                if stopped or (agreed(due) and now.step < steps):
                    self._look()
                    self._save(self._arrays())
                elif time.monotonic() - self.looked >= _LOOK_SECONDS:
                    self._look()
                if stopped:
                    raise Interrupted(
                        f"stopped in {self.course.unit} {now.epoch + 1} of "
                        f"{self.course.epochs}; the {now.step} of its {steps} steps "
                        "that are done are kept"
                    )

        if now.step < steps:
            raise DataError(
                f"{self.course.unit} {now.epoch + 1}: expected {steps} batches, found "
                f"{now.step}"
            )

    def _measure(self) -> None:
        """End an epoch: measure, log and keep it."""
        if self.pending:
            self._look()
        now, arrays = self.now, self._arrays()
        row: dict[str, Any] = {self.course.unit: now.epoch + 1}
        row |= now.means()
        row |= {"seconds": now.seconds}
        row |= self.course.measure(now.epoch, self.learnt.trained, self.learnt.state)
        self.now = _Notes(now.epoch + 1)
        # In this order: of the log, what is too much can be told.
        self.log.append(row)
        self._save(arrays)
        self.on_event(Measured(row, self._far()))

    def _compiled(self, seconds: float) -> None:
        # An epoch's seconds are those of its steps.
        self.looked += seconds
        self.on_event(Compiled(seconds))

    def _look(self) -> None:
        """Wait for the steps sent off, and add up what they measured."""
        rows, self.pending = jax.device_get(self.pending), []
        before, self.looked = self.looked, time.monotonic()
        self.now.seconds += self.looked - before
        seen: dict[str, list[float]] = {}
        for row in rows:
            for name, value in row.items():
                if value is not None:
                    seen.setdefault(name, []).append(float(value))
        for loss in seen.get("loss", ()):
            if not np.isfinite(loss):
                raise self._diverged(f"the loss became {loss}")
        self.now.add(seen)
        # Of what no step measured since the last look, the mean so far.
        means = {name: float(np.mean(values)) for name, values in seen.items()}
        self.on_event(Learning(self.now.means() | means, self._far()))

    def _arrays(self) -> dict[str, Any]:
        """What a checkpoint is to hold, whole and finite."""
        arrays = self.learner.placement.get(self.learnt)._asdict()
        for leaf in jax.tree.leaves((arrays["trained"], arrays["state"])):
            if not np.all(np.isfinite(leaf)):
                raise self._diverged("what it learnt became infinite")
        return arrays

    def _save(self, arrays: dict[str, Any]) -> None:
        self.checkpoints.save(arrays, asdict(self.now))
        self.saved = time.monotonic()

    def _far(self) -> Far:
        now, steps = self.now, self.course.steps
        return Far(now.epoch * steps + now.step, self.course.epochs * steps)

    def _diverged(self, what: str) -> Diverged:
        return Diverged(
            f"{what} in {self.course.unit} {self.now.epoch + 1}: "
            f"{self.learner.lesson.advice}, with --overwrite or another folder"
        )


def _ahead(source: Iterator[Any]) -> Generator[Any]:
    """Yield the same items, each made while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, source, None)
        while (item := pending.result()) is not None:
            pending = pool.submit(next, source, None)
            yield item
