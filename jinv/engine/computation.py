"""What a session computes with: the arrays of a batch, and the programs over them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jinv.engine.events import Made
from jinv.engine.phase import TEACHER, Cast, Numbers, Phase, Split
from jinv.engine.placement import Placement
from jinv.engine.programs import Programs
from jinv.engine.request import Batches
from jinv.engine.state import State, give, initial_state
from jinv.engine.step import Metrics, make_chunk, make_finish, make_step, make_turn
from jinv.memo import Memo


class Part(NamedTuple):
    """A phase of a batch: number of the batch, number of the phase, and the phase."""

    batch: int
    number: int
    phase: Phase


class Computation:
    """Begins batches, steps them and reads them back; order and log are others'."""

    def __init__(
        self,
        cast: Cast,
        numbers: Numbers,
        batches: Batches,
        seed: int,
        placement: Placement,
        on_compiled: Callable[[float], None],
    ):
        """Prepare to compute; nothing is compiled yet.

        Args:
            cast: Networks that take part, by role.
            numbers: Loss weights and learning rates, by name.
            batches: What is asked of the images.
            seed: Seed of all randomness.
            placement: Devices over which each batch is spread.
            on_compiled: Told of the seconds that compiling took, where it was needed.
        """
        self._cast, self._numbers, self._batches = dict(cast), numbers, batches
        self._placement, self._start = placement, jax.random.key(seed)
        self._known: dict[int, dict[str, Any]] = {}
        """What is asked of the images of the batch at work, by its number."""
        memo = getattr(cast[TEACHER], "memo", None) or Memo()
        self._programs = Programs(memo, placement, on_compiled)

    def given(self, part: Part, live: Mapping[str, Any]) -> Split:
        """What the steps of a part read, laid out on the devices.

        Args:
            part: Part of the work.
            live: Variables by role, instead of those of the networks.
        """
        key = self._start
        for number in (part.batch, part.number):
            key = jax.random.fold_in(key, np.uint32(number % 2**32))
        cast = {
            role: live.get(role, network.variables)
            for role, network in self._cast.items()
        }
        asked = self._asked(part)
        given = give(cast, asked, self._numbers, self._index(part), key, self._start)
        return self._placement.put(given)

    def initial(self, part: Part) -> State:
        """The state of a part that begins from nothing, whole."""
        image = part.phase.image
        params = image.init(self._start, self._index(part))
        params = image.start(params, self._asked(part))
        return initial_state(part.phase, params, self._numbers)

    def begin(self, part: Part, before: State | None, given: Split) -> State:
        """The state in which a part starts.

        Args:
            part: Part of the work.
            before: State at the end of the part before, if anything comes from there.
            given: What the steps read.
        """
        phase = part.phase
        if before is None:
            return self._placement.put(self.initial(part))
        if part.number == 0:
            turn = self._programs.get(
                ("turn", phase), lambda: make_turn(phase), before, given
            )
            return turn(before, given)
        params = phase.image.carry(self._placement.get(before.params))
        return self._placement.put(initial_state(phase, params, self._numbers))

    def stepping(
        self, part: Part, length: int, state: State, given: Split
    ) -> Callable[[State, Split], tuple[State, Metrics]]:
        """The program of so many steps at once."""
        cast, watched = self._cast, self._batches.watched
        devices, team = self._placement.devices, self._placement.team

        def make() -> Callable:
            step = make_step(cast, part.phase, watched, devices, team)
            return make_chunk(step, length)

        name = ("step", part.phase, length, frozenset(cast.items()), watched)
        return self._programs.get(name, make, state, given)

    def made(self, part: Part, state: State, given: Split) -> Made:
        """The images as they are, read back."""
        phase, team = part.phase, self._placement.team
        finish = self._programs.get(
            ("finish", phase),
            lambda: make_finish(phase, team),
            state,
            given,
            donate=False,
        )
        inputs = np.asarray(self._placement.get(finish(state, given)).own)
        return self._batches.made(part.batch, inputs)

    def _asked(self, part: Part) -> dict[str, Any]:
        """What is asked of a part's images, which may take a network to tell."""
        # Rehearsals ask for what the last batches ask for.
        number = part.batch % self._batches.count
        if number not in self._known:
            self._known = {number: dict(self._batches.asked(number))}
        return self._known[number]

    def _index(self, part: Part) -> jax.Array:
        """Numbers of the images in the whole run, company included."""
        return jnp.arange(self._batches.size) + part.batch * self._batches.size
