import jax
import jax.numpy as jnp
import pytest
from stepping import given

from jinv.engine.phase import TEACHER
from jinv.engine.state import initial_state
from jinv.engine.step import make_finish, make_step


@pytest.fixture(scope="session")
def outline():
    """Shapes and types of what a step of each phase computes, which nobody compiles.

    The state before it, the state after it, the measurements and the images to keep.
    """

    def outlined(classifier, method, batch=6):
        outlines, before = [], None
        for phase in method.procedure(classifier).phases:

            def step(before, phase=phase):
                key, index = jax.random.key(0), jnp.arange(batch)
                read, image = given(classifier, method, batch, key), phase.image
                first = before is None
                params = image.init(key, index) if first else image.carry(before)
                state = initial_state(phase, params, method.numbers)
                step = make_step({TEACHER: classifier}, phase)
                after, metrics = step(state, read)
                return state, after, metrics, make_finish(phase)(after, read).own

            outlines.append(jax.eval_shape(step, before))
            before = outlines[-1][1].params
        return outlines

    return outlined
