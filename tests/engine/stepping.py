"""What a step of a method is given, in tests."""

import jax
import jax.numpy as jnp

from jinv.engine.phase import TEACHER
from jinv.engine.state import give, initial_state

KEY = jax.random.key(5)


def given(classifier, method, batch, key=KEY):
    """All that a step reads, for images of the classes in turn."""
    index = jnp.arange(batch)
    asked = {"labels": index % len(classifier.spec.classes)}
    cast = {TEACHER: classifier.variables}
    return give(cast, asked, method.numbers, index, key, key)


def start(phase, method, batch, key=KEY):
    """The state before a phase's first step."""
    params = phase.image.init(key, jnp.arange(batch))
    return initial_state(phase, params, method.numbers)
