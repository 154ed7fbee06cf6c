"""Running phases over batches, with a log, checkpoints, and a way to stop."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.checked import Checked
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import (
    BatchDone,
    Compiled,
    Event,
    Frame,
    Logged,
    Position,
)
from jinv.engine.parallel import (
    BatchNormScope,
    Parallel,
    Placement,
    agreed,
    make_placement,
    on_accelerator,
)
from jinv.engine.phase import (
    Constants,
    Phase,
    Procedure,
    State,
    initial_state,
)
from jinv.engine.step import make_chunk, make_finish, make_step, make_turn
from jinv.errors import Diverged, Interrupted
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative

PATIENCE_INTERVAL = 25
"""Steps between the losses that `Execution.patience` compares.

A constant, as a phase's end must not depend on how often a run logs.
"""


@dataclass(frozen=True)
class Execution(Checked):
    """How a run is carried out; none of it changes what is computed.

    Except `bn_scope` and `patience`: the first chooses which statistics are compared,
    the second when a phase ends. Where statistics are those of each device's part, the
    number of devices counts as well.

    Attributes:
        devices: Devices to spread each batch over; 0 for as many as share it evenly.
        parallel: "jit" (one sharded program) or "pmap" (a program per device).
        bn_scope: Statistics of the whole batch ("global") or of each device's part.
        chunk: Steps compiled into one program, 0 for 1 on CPU and 50 elsewhere; with
            patience, as many of them as divide the 25 between two comparisons.
        log_every: Steps between measurements.
        frames: Pictures taken of the first batch in each phase.
        checkpoint_every: Steps between checkpoints; 0 for none but at the end of each
            batch and when the run is stopped.
        patience: A phase ends after this share of its steps without improvement of
            the loss, which is compared every 25 steps; 0 never.
    """

    devices: Natural = 0
    parallel: Parallel = "jit"
    bn_scope: BatchNormScope = "global"
    chunk: Natural = 0
    log_every: Count = 25
    frames: Natural = 12
    checkpoint_every: Natural = 500
    patience: NotNegative = 0.0


@dataclass
class _Progress:
    """What a checkpoint notes beside the arrays."""

    batch: int = 0
    phase: int = 0
    step: int = 0
    best: float = float("inf")
    best_step: int = 0
    compiling: float = 0.0
    running: float = 0.0
    passes: int = 0

    @property
    def position(self) -> Position:
        return Position(self.batch, self.phase, self.step)


@dataclass(frozen=True)
class Outcome:
    """The bill of a run, over all sessions that it took.

    Attributes:
        compiling: Seconds spent compiling.
        running: Seconds spent computing.
        passes: Images that went through the classifier, forward and backward.
    """

    compiling: float
    running: float
    passes: int


def run(
    classifier: Classifier,
    procedure: Procedure,
    batches: Sequence[np.ndarray],
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
        batches: The labels of each batch; all of one length.
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
        batches,
        seed,
        execution,
        student,
        on_event,
        should_stop,
        checkpoints,
    ).all(numbers, resume)


def run_checkpoints(folder: Path) -> Checkpoints:
    """Where a run keeps its state; their notes say how far it is."""
    return Checkpoints(folder, [field.name for field in fields(_Progress)])


class _Run:
    def __init__(
        self,
        classifier: Classifier,
        procedure: Procedure,
        batches: Sequence[np.ndarray],
        seed: int,
        execution: Execution,
        student: Classifier | None,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
        checkpoints: Checkpoints | None,
    ):
        self.classifier, self.student = classifier, student
        self.procedure, self.phases = procedure, procedure.phases
        self.batches = batches
        self.seed, self.execution = seed, execution
        self.on_event, self.should_stop = on_event, should_stop
        self.checkpoints = checkpoints
        self.size = len(batches[0])
        self.placement: Placement = make_placement(
            execution.parallel, execution.devices, self.size, execution.bn_scope
        )
        self.chunk = execution.chunk or (50 if on_accelerator() else 1)
        if execution.patience > 0:
            self.chunk = math.gcd(self.chunk, PATIENCE_INTERVAL)
        self.programs: dict[tuple[Any, ...], Callable] = {}
        self.now = _Progress(batch=-procedure.rehearsals)
        self.saved = 0
        """Passes when the newest checkpoint was taken."""
        self.mark: tuple[float, int] | None = None
        """When measurements were last read back, and the passes then."""

    def all(self, numbers: Sequence[int] | None, resume: bool) -> Outcome:
        lasting, state = self.procedure.lasting, None
        notes = self.checkpoints.notes() if self.checkpoints and resume else None
        if notes is not None:
            self.now = _Progress(**notes)
            self.saved = self.now.passes
            if lasting and self.now.step == 0:
                state = self.placement.put(self._restored())
        if numbers is None:
            numbers = range(len(self.batches))[max(self.now.batch, 0) :]
        if lasting and numbers:
            if min(numbers) < self.now.batch:
                # What led to that batch is no longer known.
                self.now, state = _Progress(batch=-self.procedure.rehearsals), None
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
            self.on_event(BatchDone(now.position, self._inputs(state, constants), True))
        now.batch, now.phase = batch + 1, 0
        unsaved = now.passes - self.saved
        if (
            not self.procedure.lasting
            or unsaved >= self.execution.checkpoint_every * self.size
            or now.batch == len(self.batches)
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
            jnp.asarray(self.batches[batch % len(self.batches)]),
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
            name = ("turn",)
            if name not in self.programs:
                turn = make_turn(phase)
                self.programs[name] = self._compiled(turn, before, constants)
            return self.programs[name](before, constants)
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
            judged = execution.patience > 0 and _crossed(
                counted, counted + length, PATIENCE_INTERVAL
            )
            ended = False
            if due or judged or stopped:
                row = self._row(phase, metrics)
                ended = judged and self._out_of_patience(phase, row["loss"])
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
        name = (self.now.phase, length)
        if name not in self.programs:
            step = make_step(
                self.classifier,
                phase,
                self.student,
                self.placement.groups,
                self.placement.team,
                merge=self.execution.bn_scope == "global",
            )
            chunk = make_chunk(step, length)
            self.programs[name] = self._compiled(chunk, state, constants)
        return self.programs[name]

    def _compiled(self, function: Callable, *arguments: Any, **options: Any) -> Any:
        began = time.monotonic()
        program = self.placement.compile(function, *arguments, **options)
        seconds = time.monotonic() - began
        self.now.compiling += seconds
        if self.mark is not None:
            self.mark = (self.mark[0] + seconds, self.mark[1])
        self.on_event(Compiled(self.now.position, seconds))
        return program

    def _row(self, phase: Phase, metrics: Any) -> dict[str, Any]:
        """Read measurements back, which waits for the steps sent off so far."""
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
        labelled = self.procedure.labelled
        return {
            **asdict(self.now.position),
            "total_step": self.now.passes // self.size,
            "learning_rate": values["learning_rate"],
            "loss": values["loss"],
            "terms": terms,
            "teacher_top1": values["teacher_top1"] if labelled else None,
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
        name = ("finish", self.now.phase)
        if name not in self.programs:
            finish = make_finish(self.phases[self.now.phase], self.placement.team)
            self.programs[name] = self._compiled(finish, state, constants, donate=False)
        made = self.programs[name](state, constants)
        return np.asarray(self.placement.get(made).own)

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
