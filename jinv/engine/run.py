"""Running phases over batches, with a log, checkpoints, and a way to stop."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.devices import on_accelerator
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Compiled, Event, Frame, Logged
from jinv.engine.execution import PATIENCE_INTERVAL, Execution
from jinv.engine.hosts import agreed
from jinv.engine.notes import Notes, Outcome
from jinv.engine.phase import Phase, Procedure
from jinv.engine.placement import make_placement
from jinv.engine.programs import Programs
from jinv.engine.state import Constants, State, initial_state
from jinv.engine.step import make_chunk, make_finish, make_step, make_turn
from jinv.errors import Diverged, Interrupted
from jinv.models.classifier import Classifier


def run(
    classifier: Classifier,
    procedure: Procedure,
    labels: np.ndarray,
    seed: int,
    execution: Execution,
    *,
    student: Classifier | None = None,
    numbers: Sequence[int] | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
) -> Outcome:
    """Carry a procedure out, batch after batch.

    The images arrive by `BatchDone` events. Unless the procedure is lasting, a batch's
    images depend on its number, and not on which batches were done before. Rehearsals
    have negative numbers. A checkpoint holds whole arrays, so a run may be resumed on
    another number of devices.

    Args:
        classifier: The network to invert.
        procedure: What is done with each batch.
        labels: The classes asked for (batches, batch).
        seed: Of all randomness.
        execution: How to carry it out.
        student: A network whose answers the objective compares with the classifier's.
        numbers: Which of the batches to do, in this order; by default all that come
            after those that the checkpoint tells of. Where the procedure is lasting,
            those before them are done as well, if the checkpoint does not tell of them.
        on_event: Called with each `Event`, in order.
        should_stop: Asked after every chunk.
        checkpoints: Where to keep state, if anywhere.
        resume: Whether to go on from the newest checkpoint, if there is one; it serves
            the batch in which it was taken.

    Raises:
        ConfigError: The batch cannot be shared by the devices.
        Interrupted: `should_stop` said so.
        Diverged: The loss became NaN or infinite.
    """
    return _Run(
        classifier,
        procedure,
        labels,
        seed,
        execution,
        student,
        on_event,
        should_stop,
        checkpoints,
    ).all(numbers, resume)


class _Run:
    def __init__(
        self,
        classifier: Classifier,
        procedure: Procedure,
        labels: np.ndarray,
        seed: int,
        execution: Execution,
        student: Classifier | None,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
        checkpoints: Checkpoints | None,
    ):
        self.classifier, self.student = classifier, student
        self.procedure, self.phases = procedure, procedure.phases
        self.labels = labels
        self.count, self.size = labels.shape
        self.seed, self.execution = seed, execution
        self.on_event, self.should_stop = on_event, should_stop
        self.checkpoints = checkpoints
        self.placement = make_placement(
            execution.parallel, execution.devices, self.size, execution.bn_scope
        )
        self.chunk = execution.chunk or (50 if on_accelerator() else 1)
        if execution.patience > 0:
            self.chunk = math.gcd(self.chunk, PATIENCE_INTERVAL)
        self.programs = Programs(classifier, self.placement, self._compiled)
        self.now = Notes(batch=-procedure.rehearsals)
        self.saved = 0
        """Passes when the newest checkpoint was taken."""
        self.mark: tuple[float, int] | None = None
        """When the log was last written, and the passes then."""

    def all(self, numbers: Sequence[int] | None, resume: bool) -> Outcome:
        lasting, state = self.procedure.lasting, None
        notes = self.checkpoints.notes() if self.checkpoints and resume else None
        if notes is not None:
            self.now = Notes(**notes)
            self.saved = self.now.passes
            if lasting and self.now.step == 0:
                state = self.placement.put(self._restored())
        if numbers is None:
            numbers = range(self.count)[max(self.now.batch, 0) :]
        if lasting and numbers:
            if min(numbers) < self.now.batch:
                # What led to that batch is no longer known.
                self.now, state = Notes(batch=-self.procedure.rehearsals), None
            numbers = range(self.now.batch, max(numbers) + 1)
        for batch in numbers:
            after = self._batch(batch, state)
            state = after if lasting else None
        return Outcome(self.now.compiling, self.now.running, self.now.passes)

    def _batch(self, batch: int, before: State | None) -> State:
        """Do one batch; `before` is the state after the last one, if that lasts."""
        now = self.now
        resumed = now.batch == batch and now.step > 0
        if not resumed:
            now.batch, now.phase, now.step = batch, 0, 0
        state, constants = before, None
        for number in range(now.phase, len(self.phases)):
            now.phase = number
            constants = self.placement.put(self._constants())
            state = self._begin(state, constants, resumed)
            resumed = False
            state = self._steps(self.phases[number], state, constants)
            now.step = 0
        assert state is not None and constants is not None
        if batch >= 0:
            inputs = self._inputs(state, constants)
            self.on_event(BatchDone(now.position, inputs, complete=True))
        now.batch, now.phase = batch + 1, 0
        unsaved = now.passes - self.saved
        if (
            not self.procedure.lasting
            or unsaved >= self.execution.checkpoint_every * self.size
            or now.batch == self.count
        ):
            self._save(state)
        return state

    def _constants(self) -> Constants:
        batch, size = self.now.batch, self.size
        start = jax.random.key(self.seed)
        key = start
        for number in (batch, self.now.phase):
            key = jax.random.fold_in(key, np.uint32(number % 2**32))
        return Constants(
            self.classifier.variables,
            self.student.variables if self.student else {},
            # Rehearsals ask for the classes of the last batches.
            jnp.asarray(self.labels[batch % self.count]),
            jnp.arange(size) + batch * size,
            jax.random.key_data(key),
            jax.random.key_data(start),
        )

    def _begin(
        self, before: State | None, constants: Constants, resumed: bool
    ) -> State:
        """The state in which a phase starts, or in which a checkpoint left it."""
        now, phase = self.now, self.phases[self.now.phase]
        if resumed:
            return self.placement.put(self._restored())
        now.step, now.best, now.best_step = 0, float("inf"), 0
        if before is None:
            return self.placement.put(self._initial())
        if now.phase == 0:
            turn = self.programs.get(
                ("turn", phase), lambda: make_turn(phase), before, constants
            )
            return turn(before, constants)
        params = phase.carry(self.placement.get(before.params))
        return self.placement.put(initial_state(phase, params))

    def _initial(self) -> State:
        phase = self.phases[self.now.phase]
        index = jnp.arange(self.size) + self.now.batch * self.size
        return initial_state(phase, phase.init(jax.random.key(self.seed), index))

    def _restored(self) -> State:
        assert self.checkpoints is not None
        return self.checkpoints.restore(self._initial())

    def _steps(self, phase: Phase, state: State, constants: Constants) -> State:
        now, execution, size = self.now, self.execution, self.size
        frames = _frame_steps(phase.steps, execution.frames) if now.batch == 0 else ()
        chunk = min(self.chunk, phase.steps)
        while now.step < phase.steps:
            # Batches of a lasting procedure may be shorter than the intervals.
            counted = now.passes // size if self.procedure.lasting else now.step
            length = self._length(chunk, phase.steps, counted)
            program = self._program(phase, length, state, constants)
            if self.mark is None:
                self.mark = (time.monotonic(), now.passes)
            state, metrics = program(state, constants)
            before, now.step = now.step, now.step + length
            now.passes += length * size
            last = now.step == phase.steps
            stopped = agreed(self.should_stop())
            due = _crossed(counted, counted + length, execution.log_every)
            due |= last and now.batch >= 0
            compared = execution.patience > 0 and _crossed(
                counted, counted + length, PATIENCE_INTERVAL
            )
            ended = False
            if due or compared or stopped:
                row = self._row(phase, metrics)
                ended = compared and self._out_of_patience(phase, row["loss"])
                if due or ended:
                    self.on_event(Logged(now.position, row))
                if not row["finite"]:
                    raise self._diverged(state, constants)
            if any(before < step <= now.step for step in frames):
                self.on_event(Frame(now.position, self._inputs(state, constants)))
            if stopped:
                self._cut_short(state, constants)
                self._save(state)
                raise Interrupted(f"stopped at step {now.step}")
            if _crossed(before, now.step, execution.checkpoint_every) and not last:
                self._save(state)
            if ended:
                break
        return state

    def _length(self, chunk: int, steps: int, counted: int) -> int:
        """How many steps to take at once: a chunk where it fits, else one."""
        fits = self.now.step % chunk == 0 and self.now.step + chunk <= steps
        if self.execution.patience > 0:
            # Batches of a lasting procedure begin anywhere between two comparisons.
            fits &= counted % PATIENCE_INTERVAL + chunk <= PATIENCE_INTERVAL
        return chunk if fits else 1

    def _program(
        self, phase: Phase, length: int, state: State, constants: Constants
    ) -> Callable:
        merge = self.execution.bn_scope == "global"

        def make() -> Callable:
            groups, team = self.placement.groups, self.placement.team
            step = make_step(self.classifier, phase, self.student, groups, team, merge)
            return make_chunk(step, length)

        name = ("step", phase, length, self.student, merge)
        return self.programs.get(name, make, state, constants)

    def _compiled(self, seconds: float) -> None:
        self.now.compiling += seconds
        if self.mark is not None:
            self.mark = (self.mark[0] + seconds, self.mark[1])
        self.on_event(Compiled(self.now.position, seconds))

    def _row(self, phase: Phase, metrics: Any) -> dict[str, Any]:
        """A row of the log, which waits for the steps sent off so far."""
        values = jax.tree.map(float, self.placement.get(metrics))
        assert self.mark is not None
        (started, passes), now = self.mark, time.monotonic()
        seconds, passes = now - started, self.now.passes - passes
        self.mark = (now, self.now.passes)
        self.now.running += seconds
        terms = {
            term.name: {
                "raw": values["terms"][term.name],
                "weighted": term.weight * values["terms"][term.name],
            }
            for term in phase.terms
        }
        return {
            **asdict(self.now.position),
            "total_step": self.now.passes // self.size,
            "learning_rate": values["learning_rate"],
            "loss": values["loss"],
            "terms": terms,
            "top1": values["top1"] if self.procedure.labelled else None,
            "image_steps_per_second": passes / max(seconds, 1e-9),
            "finite": bool(values["finite"]),
        }

    def _out_of_patience(self, phase: Phase, loss: float) -> bool:
        """Whether the loss, compared every `PATIENCE_INTERVAL` steps, is at rest."""
        if loss < self.now.best:
            self.now.best, self.now.best_step = loss, self.now.step
        waited = self.now.step - self.now.best_step
        return waited >= self.execution.patience * phase.steps

    def _diverged(self, state: State, constants: Constants) -> Diverged:
        self._cut_short(state, constants)
        return Diverged(
            f"the loss is no longer finite at step {self.now.step}: lower the "
            "learning rate or the loss weights"
        )

    def _cut_short(self, state: State, constants: Constants) -> None:
        if self.now.batch >= 0:
            inputs = self._inputs(state, constants)
            self.on_event(BatchDone(self.now.position, inputs, complete=False))

    def _inputs(self, state: State, constants: Constants) -> np.ndarray:
        """The images as they are, read back."""
        phase = self.phases[self.now.phase]
        finish = self.programs.get(
            ("finish", phase),
            lambda: make_finish(phase, self.placement.team),
            state,
            constants,
            donate=False,
        )
        return np.asarray(self.placement.get(finish(state, constants)).own)

    def _save(self, state: State) -> None:
        if self.checkpoints:
            self.saved = self.now.passes
            arrays = self.placement.get(state)
            self.checkpoints.save(self.now.passes, arrays, asdict(self.now))


def _crossed(before: int, after: int, every: int) -> bool:
    return every > 0 and before // every < after // every


def _frame_steps(steps: int, count: int) -> tuple[int, ...]:
    """Steps at which to take a picture: close together while much happens."""
    ends = steps * np.linspace(0, 1, count + 1)[1:] ** 2
    return tuple(sorted({max(1, round(end)) for end in ends}))
