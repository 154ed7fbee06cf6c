"""The pool: images made against the student, round by round, that all stay in play."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from jinv.data.labelled import LabelledImages
from jinv.data.npz_set import NPZ
from jinv.engine.events import BatchDone, Cost, Event, Logged
from jinv.engine.phase import STUDENT
from jinv.engine.session import Session
from jinv.errors import FolderError
from jinv.formats.archives import read_npz
from jinv.inversion.job import Job
from jinv.synthesis.recipe import Recipe
from jinv.synthesis.synthetic_set import SyntheticSet, cost_of
from jinv.transfer.description import described_images
from jinv.transfer.supply import KeptImages


class Pool(KeptImages):
    """Images that are made while a student learns from those that there are already.

    A batch is made before each round, against the student as it is then, if the job's
    method looks at one. On disk the pool is a synthetic set that grows by a part for
    each batch, and which is finished when the student is.

    A batch is made again, to the same bytes, where the work was killed before a
    checkpoint was taken after it: the student that it was made against is in the
    checkpoint before.
    """

    def __init__(
        self,
        job: Job,
        warmup: int = 0,
        start: LabelledImages | None = None,
        cost: Cost | None = None,
    ):
        """Plan a pool; nothing is made yet.

        Args:
            job: Job whose batches are made: the warm-up's, and one for each round.
            warmup: Batches that are made before the first round beside its own.
            start: Images that are in the pool from the start.
            cost: What those have cost.
        """
        self.job, self._warmup, self._start = job, warmup, start
        self._given = 0 if start is None else len(start)
        self._stack = ExitStack()
        self._session: Session | None = None
        self._events: Iterator[Event] = iter(())
        self._made = 0
        """Batches that are in the pool."""
        self.cost = cost or Cost(0, 0.0)

    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""
        start = {} if self._start is None else {"start": described_images(self._start)}
        return {**self.job.describe(), "warmup_batches": self._warmup, **start}

    def about(self) -> str:
        """What the images are, in a few words for people."""
        job = self.job
        return (
            f"synthesised meanwhile: {type(job.method).__name__}, "
            f"{job.procedure.steps} steps, {job.batch_count} batches of "
            f"{job.batch_size}"
            + (f", from {self._given} images" if self._given else "")
        )

    def count(self, round_number: int) -> int:
        """Number of the images that a round learns from."""
        batches = self._batches_by(round_number)
        return self._given + min(batches * self.job.batch_size, self.job.count)

    def since(self, round_number: int) -> int:
        """The round itself, before which a batch came."""
        return round_number

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Read images (batch, height, width, channels) uint8, labels (batch,) int32."""
        indices = np.asarray(indices)
        # Those of the start have negative numbers among the others.
        made = np.maximum(indices - self._given, 0)
        images, labels = self._images[made], self._labels[made]
        first = indices < self._given
        if self._start is not None and first.any():
            images[first], labels[first] = self._start.read(indices[first])
        return images, labels

    def open(
        self,
        folder: Path,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Take up the pool in `folder`/pool; read what is in it."""
        self._on_event, self._should_stop = on_event, should_stop
        spec, count = self.job.classifier.spec, self.job.count
        shape = (spec.input_size, spec.input_size, spec.channels)
        self._images = np.empty((count, *shape), np.uint8)
        self._labels = np.empty(count, np.int32)
        recipe = Recipe(self.job, "npz")
        self.set = self._stack.enter_context(SyntheticSet(folder / "pool", recipe))
        if self.set.complete:
            # Its parts are gone. The student may have to learn once more, as where its
            # checkpoint was removed.
            arrays = read_npz(self.set.path / NPZ, ["x_train", "y_train"])
            self._images, self._labels = arrays["x_train"], arrays["y_train"]
            self._made = self.job.batch_count
            self._pay(cost_of(self.set.path) or Cost(0, 0.0))
            return
        missing = self.set.missing()
        self._made = missing[0] if missing else self.job.batch_count
        for batch in range(self._made):
            self._take(batch, *self.set.read(batch))

    def see_to(self, round_number: int, student: dict[str, Any]) -> None:
        """Make the batches that come before a round, against the student."""
        if self._batches_by(round_number) <= self._made:
            return
        known = self.job.student
        live = {STUDENT: student} if known else {}
        if self._session is None:
            # Where no checkpoint knows better, the work begins with the first batch.
            self._session = self.job.session(
                live={STUDENT: known.variables} if known else {},
                should_stop=self._should_stop,
                checkpoints=self.set.checkpoints,
                resume=True,
            )
            self._events = iter(self._session)
        else:
            self._session.recast(**live)
        for event in self._events:
            self._on_event(event)
            if isinstance(event, Logged):
                self.set.on_event(event)
            if not isinstance(event, BatchDone) or not event.complete:
                continue
            batch = event.position.batch
            if batch > self._made:
                raise FolderError(
                    f"{self.set.path} lacks batch {self._made}, which cannot be made "
                    "again: begin with --overwrite, or in another folder"
                )
            if batch == self._made:
                self.set.on_event(event)
                self._take(batch, event.made.images, event.made.labels, event.cost)
                self._made = batch + 1
            if self._made >= self._batches_by(round_number):
                return
            self._session.recast(**live)

    def finish(self) -> None:
        """Make a set of the parts."""
        self.set.finish()

    def close(self) -> None:
        """Let go of the folder."""
        self._stack.close()

    def _batches_by(self, round_number: int) -> int:
        return min(self._warmup + round_number + 1, self.job.batch_count)

    def _take(
        self, batch: int, images: np.ndarray, labels: np.ndarray, cost: Cost
    ) -> None:
        numbers = self.job.numbers_of(batch)
        self._images[numbers.start : numbers.stop] = images
        self._labels[numbers.start : numbers.stop] = labels
        self._pay(cost)

    def _pay(self, cost: Cost) -> None:
        passes, seconds = self.cost
        self.cost = Cost(passes + cost.passes, seconds + cost.seconds)
