import jax
import jax.numpy as jnp
import pytest

from jinv.engine.state import Constants, initial_state
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
                constants = Constants(
                    variables=classifier.variables,
                    student={},
                    labels=index % len(classifier.spec.classes),
                    index=index,
                    key=jax.random.key_data(key),
                    start=jax.random.key_data(key),
                )
                first = before is None
                params = phase.init(key, index) if first else phase.carry(before)
                state = initial_state(phase, params)
                after, metrics = make_step(classifier, phase)(state, constants)
                return state, after, metrics, make_finish(phase)(after, constants).own

            outlines.append(jax.eval_shape(step, before))
            before = outlines[-1][1].params
        return outlines

    return outlined
