"""A session of work on batches: an iterator of what happens, with checkpoints."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinv.devices import on_accelerator
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.clock import Clock
from jinv.engine.computation import Computation, Part
from jinv.engine.events import BatchDone, Compiled, Cost, Event, Far, Frame, Logged
from jinv.engine.execution import PATIENCE_INTERVAL, Execution
from jinv.engine.former_state import former_state, renewed_state
from jinv.engine.hosts import agreed
from jinv.engine.notes import Notes, Outcome
from jinv.engine.phase import Cast, Numbers, Phase, Procedure, Split
from jinv.engine.placement import make_placement
from jinv.engine.request import Batches, check_request
from jinv.engine.rows import make_row
from jinv.engine.state import State
from jinv.errors import ConfigError, Diverged, Interrupted

Steps = Generator[Event, None, State]
"""Work that reports events while it goes on; what it returns is the state after it."""


class Session:
    """Carries a procedure out, batch after batch, while it is iterated over.

    The images arrive by `BatchDone` events. Unless the procedure passes something on,
    a batch's images depend on its number, and not on which batches were done before.
    Rehearsals have negative numbers. A checkpoint holds whole arrays, so a run may be
    resumed on another number of devices.

    A network may change between two batches: it is `live`, and `recast` while the event
    that its batch is done is at hand. What is live is in every checkpoint, which is
    taken when the next event is asked for.

    Attributes:
        live: Trees of arrays that whoever iterates changes between batches; where one
            is called as a role is, they are the variables of that network.
    """

    def __init__(
        self,
        cast: Cast,
        procedure: Procedure,
        numbers: Numbers,
        batches: Batches,
        seed: int,
        execution: Execution,
        *,
        live: Mapping[str, Any] | None = None,
        chosen: Sequence[int] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
        resume: bool = False,
    ):
        """Prepare a session; nothing is computed yet.

        Args:
            cast: The networks that take part, by role.
            procedure: What is done with each batch.
            numbers: Loss weights and learning rates, by the names that terms and
                optimisers use.
            batches: What is asked of the images.
            seed: Seed of all randomness.
            execution: How to carry it out.
            live: What changes between batches, as it starts.
            chosen: Which of the batches to do, in this order; by default all that come
                after those that the checkpoint tells of. Where order matters, those
                before them are done as well, if the checkpoint does not tell of them.
            should_stop: Asked after every chunk.
            checkpoints: Where to keep state, if anywhere.
            resume: Whether to go on from the newest checkpoint, if there is one; it
                serves the batch in which it was taken.

        Raises:
            ConfigError: A network or something to ask is missing, or the batch cannot
                be shared by the devices.
        """
        self.live = _copied(live or {})
        self._procedure = procedure
        self._phases, self._numbers = procedure.phases, numbers
        self._batches, self._size = batches, batches.size
        self._execution = execution
        self._chosen, self._should_stop = chosen, should_stop
        self._checkpoints, self._resume = checkpoints, resume
        self._placement = make_placement(
            execution.parallel, execution.devices, self._size
        )
        check_request(cast, procedure, numbers, batches)
        for batch in chosen or ():
            if not 0 <= batch < batches.count:
                raise ConfigError(
                    f"batch {batch} was chosen, but there are {batches.count}, from 0"
                )
        self._computation = Computation(
            cast, numbers, batches, seed, self._placement, self._compiled
        )
        self._pending: list[Event] = []
        self._now = Notes(batch=-procedure.rehearsals)
        self._clock = Clock(self._now)
        self._saved = 0
        """Passes when the newest checkpoint was taken."""
        self._former = False
        """Whether an earlier version took it."""
        self._since = time.monotonic()
        """When the batch at work began, or this session."""
        self._stopped = False
        """Whether somebody wanted to stop when a batch was done."""
        self._order: dict[int, int] = {}
        """Places of the batches in the order of the work."""

    def recast(self, **trees: Any) -> None:
        """Change what is live, by name: variables of networks, and what else there is.

        Raises:
            ConfigError: It was not live from the start.
        """
        for name in trees.keys() - self.live.keys():
            raise ConfigError(
                f"{name!r} is not live: give live={{{name!r}: …}} when the session "
                "begins, so that checkpoints hold it"
            )
        self.live |= _copied(trees)

    @property
    def outcome(self) -> Outcome:
        """Bill of the run so far."""
        return Outcome(self._now.compiling, self._now.running, self._now.passes)

    @property
    def _ordered(self) -> bool:
        """Whether a batch depends on those before it."""
        return self._procedure.passes_on or bool(self.live)

    def __iter__(self) -> Iterator[Event]:
        """Do the work.

        Raises:
            Interrupted: `should_stop` said so.
            Diverged: The loss became NaN or infinite.
        """
        state, chosen = self._open(), self._chosen
        if chosen is None:
            chosen = range(self._batches.count)[max(self._now.batch, 0) :]
        if self._ordered and chosen:
            chosen = range(self._now.batch, max(chosen) + 1)
        self._order = {batch: place for place, batch in enumerate(chosen)}
        for batch in chosen:
            if self._stopped:
                raise Interrupted(f"stopped before batch {batch}")
            after = yield from self._batch(batch, state)
            state = after if self._procedure.passes_on else None

    def _open(self) -> State | None:
        """Go to where the checkpoint is; the state that passes on from there."""
        notes = self._checkpoints and self._resume and self._checkpoints.notes()
        if not notes:
            return None
        first = min(self._chosen, default=0) if self._chosen else int(notes["batch"])
        if self._ordered and first < notes["batch"]:
            # What led to that batch is no longer known.
            return None
        vars(self._now).update(notes)
        self._former = "begun" not in notes
        if self._former:
            self._now.begun = self._now.passes - self._steps_done() * self._size
        self._saved = self._now.passes
        if not self._ordered or self._now.step > 0:
            return None
        state = self._restored()
        return None if state is None else self._placement.put(state)

    def _batch(self, batch: int, before: State | None) -> Steps:
        """Do one batch; `before` is the state after the last one, if that passes on."""
        now = self._now
        resumed = now.batch == batch and now.step > 0
        if not resumed:
            now.batch, now.phase, now.step = batch, 0, 0
            if not -self._procedure.rehearsals < batch <= 0:
                # Rehearsals are on the first batch's bill.
                now.begun, now.seconds = now.passes, 0.0
                self._since = time.monotonic()
        state, given = before, None
        for number in range(now.phase, len(self._phases)):
            now.phase = number
            restored = self._restored() if resumed else None
            given = self._computation.given(self._part, self.live)
            if restored is not None:
                state, resumed = self._placement.put(restored), False
            else:
                now.step, now.best, now.best_step = 0, float("inf"), 0
                state = self._computation.begin(self._part, state, given)
            yield from self._told()
            state = yield from self._steps(self._phases[number], state, given)
            now.step = 0
        assert state is not None and given is not None
        if batch >= 0:
            done = self._done(state, given, complete=True)
            yield from self._told()
            yield done
        now.batch, now.phase = batch + 1, 0
        unsaved = now.passes - self._saved
        if (
            not self._procedure.passes_on
            or (self.live and batch >= 0)
            or unsaved >= self._execution.checkpoint_every * self._size
            or now.batch == self._batches.count
            or self._stopped
        ):
            self._save(state)
        return state

    @property
    def _part(self) -> Part:
        """What is at work."""
        return Part(self._now.batch, self._now.phase, self._phases[self._now.phase])

    def _restored(self) -> State | None:
        """The state in the checkpoint, if it holds one; what is live is so again."""
        assert self._checkpoints is not None
        state = self._computation.initial(self._part)
        if self._former:
            former = former_state(self._part.phase, state, self._numbers)
            return renewed_state(self._checkpoints.restore(former), state)
        found = self._checkpoints.restore(self._kept(state))
        if not self.live:
            return found
        self.live = found["live"]
        return found.get("state")

    def _kept(self, state: State) -> Any:
        """What a checkpoint holds, on the host: devices of others cannot take it."""
        state, live = jax.device_get((state, self.live))
        if not live:
            return state
        # Between two batches, of which nothing passes on, there is no state.
        between = self._now.step == 0 and not self._procedure.passes_on
        return {"live": live} | ({} if between else {"state": state})

    def _steps(self, phase: Phase, state: State, given: Split) -> Steps:
        now, execution, size = self._now, self._execution, self._size
        steps, patience = phase.descent.steps, phase.descent.patience
        frames = _frame_steps(steps, execution.frames) if now.batch == 0 else ()
        chunk = self._chunk(phase)
        while now.step < steps:
            # Batches that something passes between may be shorter than the intervals.
            counted = now.passes // size if self._procedure.passes_on else now.step
            length = self._length(chunk, phase, counted)
            program = self._computation.stepping(self._part, length, state, given)
            yield from self._told()
            self._clock.start()
            state, metrics = program(state, given)
            before, now.step = now.step, now.step + length
            now.passes += length * size
            last = now.step == steps
            stopped = agreed(self._should_stop())
            due = _crossed(counted, counted + length, execution.log_every)
            due |= last and now.batch >= 0
            compared = patience > 0 and _crossed(
                counted, counted + length, PATIENCE_INTERVAL
            )
            ended = False
            if due or compared or stopped:
                # This waits for the steps sent off so far.
                values = jax.tree.map(float, self._placement.get(metrics))
                speed = self._clock.lap()
                row = make_row(phase, self._numbers, now, size, values, speed)
                ended = compared and self._out_of_patience(phase, row["loss"])
                if due or ended:
                    yield Logged(row, self._far())
                if not row["finite"]:
                    yield from self._cut_short(state, given)
                    raise Diverged(
                        f"the loss is no longer finite at step {now.step}: lower the "
                        "learning rate or the loss weights"
                    )
            if any(before < step <= now.step for step in frames):
                made = self._computation.made(self._part, state, given)
                yield Frame(now.position, made)
            if ended:
                # Who goes on from a checkpoint finds the phase done.
                now.step = steps
            if stopped and now.step == steps and phase is self._phases[-1]:
                # Of a batch that is done already, nothing is left to go on with.
                self._stopped = True
            elif stopped:
                # First: who is told of the images may recast what is live.
                self._save(state)
                yield from self._cut_short(state, given)
                raise Interrupted(f"stopped at step {now.step}")
            crossed = _crossed(before, now.step, execution.checkpoint_every)
            if crossed and now.step < steps:
                self._save(state)
        return state

    def _chunk(self, phase: Phase) -> int:
        """Steps of a program at most."""
        chunk = self._execution.chunk or (50 if on_accelerator() else 1)
        if phase.descent.patience > 0:
            chunk = math.gcd(chunk, PATIENCE_INTERVAL)
        return min(chunk, phase.descent.steps)

    def _length(self, chunk: int, phase: Phase, counted: int) -> int:
        """How many steps to take at once: a chunk where it fits, else one."""
        step = self._now.step
        fits = step % chunk == 0 and step + chunk <= phase.descent.steps
        if phase.descent.patience > 0:
            # Batches that something passes between begin anywhere between two
            # comparisons.
            fits &= counted % PATIENCE_INTERVAL + chunk <= PATIENCE_INTERVAL
        return chunk if fits else 1

    def _compiled(self, seconds: float) -> None:
        self._clock.compiled(seconds)
        self._pending.append(Compiled(seconds))

    def _told(self) -> Iterator[Event]:
        """What happened where nothing could be reported."""
        while self._pending:
            yield self._pending.pop(0)

    def _out_of_patience(self, phase: Phase, loss: float) -> bool:
        """Whether the loss, compared every `PATIENCE_INTERVAL` steps, is at rest."""
        now, descent = self._now, phase.descent
        if loss < now.best:
            now.best, now.best_step = loss, now.step
        return now.step - now.best_step >= descent.patience * descent.steps

    def _cut_short(self, state: State, given: Split) -> Iterator[Event]:
        if self._now.batch >= 0:
            yield self._done(state, given, complete=False)

    def _done(self, state: State, given: Split, complete: bool) -> BatchDone:
        now = self._now
        cost = Cost(now.passes - now.begun, self._seconds())
        made = self._computation.made(self._part, state, given)
        return BatchDone(now.position, made, complete, self._far(complete), cost)

    def _seconds(self) -> float:
        """Seconds that the batch at work has taken, in all sessions."""
        return self._now.seconds + time.monotonic() - self._since

    def _far(self, complete: bool = False) -> Far:
        each = self._procedure.steps
        here = each if complete else self._steps_done()
        return Far(self._order[self._now.batch] * each + here, len(self._order) * each)

    def _steps_done(self) -> int:
        """Steps of the batch at work that are behind it, if none ended early."""
        before = self._phases[: self._now.phase]
        return sum(phase.descent.steps for phase in before) + self._now.step

    def _save(self, state: State) -> None:
        if self._checkpoints:
            self._saved = self._now.passes
            kept = self._kept(self._placement.get(state))
            notes = asdict(self._now) | {"seconds": self._seconds()}
            self._checkpoints.save(kept, notes)
            self._former = False


def _copied(trees: Mapping[str, Any]) -> dict[str, Any]:
    """Trees of arrays that nobody else can give up."""
    return {name: jax.tree.map(jnp.array, tree) for name, tree in trees.items()}


def _crossed(before: int, after: int, every: int) -> bool:
    return every > 0 and before // every < after // every


def _frame_steps(steps: int, count: int) -> tuple[int, ...]:
    """Steps at which to take a picture: close together while much happens."""
    ends = steps * np.linspace(0, 1, count + 1)[1:] ** 2
    return tuple(sorted({max(1, round(end)) for end in ends}))
