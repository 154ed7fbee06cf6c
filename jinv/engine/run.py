"""Running stages over batches, with a log, checkpoints, and a way to stop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import (
    BatchDone,
    Compiled,
    Event,
    Frame,
    Logged,
    Place,
)
from jinv.engine.parallel import (
    BatchNormScope,
    Parallel,
    Placement,
    agreed,
    make_placement,
    on_accelerator,
)
from jinv.engine.stage import Constants, Stage, State, initial_state
from jinv.engine.step import make_chunk, make_step
from jinv.models.classifier import Classifier


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; none of it changes what is computed.

    Except `bn_scope` and `patience`: the first chooses which statistics are compared,
    the second when a stage ends.

    Attributes:
        devices: Devices to spread each batch over; 0 for all.
        parallel: "jit" (one sharded program) or "pmap" (a program per device).
        bn_scope: Statistics of the whole batch ("global") or of each device's part.
        chunk: Steps compiled into one program; 0 for 1 on CPU and 50 elsewhere.
        log_every: Steps between measurements.
        frames: Pictures taken of the first batch in each stage.
        checkpoint_every: Steps between checkpoints; 0 for none but at the end of each
            batch and when the run is stopped.
        patience: A stage ends after this share of its steps without improvement of
            the logged loss; 0 never.
    """

    devices: int = 0
    parallel: Parallel = "jit"
    bn_scope: BatchNormScope = "global"
    chunk: int = 0
    log_every: int = 25
    frames: int = 12
    checkpoint_every: int = 500
    patience: float = 0.0


class Interrupted(Exception):
    """The run was asked to stop, and did, after saving what it had."""


class Diverged(Exception):
    """The loss became NaN or infinite; the last finite images were kept."""


@dataclass
class _Progress:
    """What a checkpoint notes beside the arrays."""

    batch: int = 0
    stage: int = 0
    step: int = 0
    best: float = float("inf")
    best_step: int = 0
    compiling: float = 0.0
    running: float = 0.0
    passes: int = 0

    @property
    def place(self) -> Place:
        return Place(self.batch, self.stage, self.step)


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
    stages: Sequence[Stage],
    batches: Sequence[np.ndarray],
    seed: int,
    execution: Execution,
    *,
    numbers: Sequence[int] | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
) -> Outcome:
    """Optimise batch after batch through all stages.

    The images arrive by `BatchDone` events. A batch's images depend on its number, and
    not on which batches were done before. A checkpoint holds whole arrays, so a run may
    be resumed on another number of devices.

    Args:
        classifier: The network to invert.
        stages: What is done with each batch, in order.
        batches: The labels of each batch; all of one length.
        seed: Of all randomness.
        execution: How to carry it out.
        numbers: Which of the batches to do, in this order; by default all that come
            after those that the checkpoint tells of.
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
        classifier, stages, batches, seed, execution, on_event, should_stop, checkpoints
    ).all(numbers, resume)


class _Run:
    def __init__(
        self,
        classifier: Classifier,
        stages: Sequence[Stage],
        batches: Sequence[np.ndarray],
        seed: int,
        execution: Execution,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
        checkpoints: Checkpoints | None,
    ):
        self.classifier, self.stages, self.batches = classifier, stages, batches
        self.seed, self.execution = seed, execution
        self.on_event, self.should_stop = on_event, should_stop
        self.checkpoints = checkpoints
        self.size = len(batches[0])
        self.placement: Placement = make_placement(
            execution.parallel, execution.devices, self.size, execution.bn_scope
        )
        self.chunk = execution.chunk or (50 if on_accelerator() else 1)
        self.programs: dict[tuple[int, int], Callable] = {}
        self.now = _Progress()

    def all(self, numbers: Sequence[int] | None, resume: bool) -> Outcome:
        notes = self.checkpoints.notes() if self.checkpoints and resume else None
        if notes is not None:
            self.now = _Progress(**notes)
        if numbers is None:
            numbers = range(self.now.batch, len(self.batches))
        for batch in numbers:
            resumed = self.now.batch == batch and self.now.step > 0
            if not resumed:
                self.now.batch, self.now.stage, self.now.step = batch, 0, 0
            params = None
            for number in range(self.now.stage, len(self.stages)):
                self.now.stage = number
                params = self._stage(params, resumed)
                resumed = False
            inputs = self._inputs(self.stages[-1], params)
            self.on_event(BatchDone(self.now.place, inputs, complete=True))
            self.now.batch, self.now.stage = batch + 1, 0
            self._save(params)
        return Outcome(self.now.compiling, self.now.running, self.now.passes)

    def _stage(self, params: Any, resumed: bool) -> Any:
        """Run one stage from its start, or from the checkpoint; returns parameters."""
        stage, now = self.stages[self.now.stage], self.now
        index = jnp.arange(self.size) + now.batch * self.size
        key = jax.random.key(self.seed)
        for number in (now.batch, now.stage):
            key = jax.random.fold_in(key, number)
        constants = self.placement.put(
            Constants(
                self.classifier.variables,
                jnp.asarray(self.batches[now.batch]),
                index,
                jax.random.key_data(key),
            )
        )
        fresh = now.stage == 0 or resumed
        start = jax.random.key(self.seed)
        params = stage.init(start, index) if fresh else stage.carry(params)
        state = initial_state(stage, params)
        if resumed and self.checkpoints:
            state = self.checkpoints.restore(state)
        else:
            now.step, now.best, now.best_step = 0, float("inf"), 0
        state = self.placement.put(state)
        state = self._steps(stage, state, constants)
        now.step = 0
        return self.placement.get(state.params)

    def _steps(self, stage: Stage, state: State, constants: Constants) -> State:
        now, execution = self.now, self.execution
        frames = _frame_steps(stage.steps, execution.frames) if now.batch == 0 else ()
        started, mark = time.monotonic(), now.step
        while now.step < stage.steps:
            length = self.chunk if now.step % self.chunk == 0 else 1
            length = length if now.step + length <= stage.steps else 1
            program = self._program(stage, length, state, constants)
            if now.step == mark:
                started = time.monotonic()
            state, metrics = program(state, constants)
            before, now.step = now.step, now.step + length
            now.passes += length * self.size
            last = now.step == stage.steps
            stopped = agreed(self.should_stop())
            ended = False
            due = _crossed(before, now.step, execution.log_every) or last
            if due or stopped:
                row = self._row(stage, metrics, now.step - mark, started)
                started, mark = time.monotonic(), now.step
                if due:
                    self.on_event(Logged(now.place, row))
                if not row["finite"]:
                    self._cut_short(stage, state, save=False)
                    raise Diverged(
                        f"the loss is no longer finite at step {now.step}: lower the "
                        "learning rate or the loss weights"
                    )
                ended = self._out_of_patience(stage, row["loss"])
            if any(before < step <= now.step for step in frames):
                self.on_event(Frame(now.place, self._inputs_of(stage, state)))
            if stopped:
                self._cut_short(stage, state, save=True)
                raise Interrupted(f"stopped at step {now.step}")
            if _crossed(before, now.step, execution.checkpoint_every) and not last:
                self._save(self.placement.get(state))
            if ended:
                break
        return state

    def _program(
        self, stage: Stage, length: int, state: State, constants: Constants
    ) -> Callable:
        name = (self.now.stage, length)
        if name not in self.programs:
            began = time.monotonic()
            step = make_step(
                self.classifier,
                stage,
                self.placement.groups,
                self.placement.team,
                merge=self.execution.bn_scope == "global",
            )
            chunk = make_chunk(step, length)
            self.programs[name] = self.placement.compile(chunk, state, constants)
            seconds = time.monotonic() - began
            self.now.compiling += seconds
            self.on_event(Compiled(self.now.place, seconds))
        return self.programs[name]

    def _row(
        self, stage: Stage, metrics: Any, steps: int, started: float
    ) -> dict[str, Any]:
        """Read measurements back, which waits for the steps sent off so far."""
        values = jax.tree.map(float, self.placement.get(metrics))
        seconds = time.monotonic() - started
        self.now.running += seconds
        terms = {
            term.name: {
                "raw": values["terms"][term.name],
                "weighted": term.weight * values["terms"][term.name],
            }
            for term in stage.terms
        }
        return {
            **asdict(self.now.place),
            "learning_rate": values["learning_rate"],
            "loss": values["loss"],
            "terms": terms,
            "teacher_top1": values["teacher_top1"],
            "image_steps_per_second": steps * self.size / max(seconds, 1e-9),
            "finite": bool(values["finite"]),
        }

    def _out_of_patience(self, stage: Stage, loss: float) -> bool:
        if loss < self.now.best:
            self.now.best, self.now.best_step = loss, self.now.step
        patience = self.execution.patience * stage.steps
        return patience > 0 and self.now.step - self.now.best_step >= patience

    def _cut_short(self, stage: Stage, state: State, save: bool) -> None:
        inputs = self._inputs_of(stage, state)
        self.on_event(BatchDone(self.now.place, inputs, complete=False))
        if save:
            self._save(self.placement.get(state))

    def _inputs_of(self, stage: Stage, state: State) -> np.ndarray:
        return self._inputs(stage, self.placement.get(state.params))

    def _inputs(self, stage: Stage, params: Any) -> np.ndarray:
        return np.asarray(stage.finish(params))

    def _save(self, arrays: Any) -> None:
        if self.checkpoints:
            self.checkpoints.save(self.now.passes, arrays, asdict(self.now))


def _crossed(before: int, after: int, every: int) -> bool:
    return every > 0 and before // every < after // every


def _frame_steps(steps: int, count: int) -> tuple[int, ...]:
    """Steps at which to take a picture: close together while much happens."""
    ends = steps * np.linspace(0, 1, count + 1)[1:] ** 2
    return tuple(sorted({max(1, round(end)) for end in ends}))
