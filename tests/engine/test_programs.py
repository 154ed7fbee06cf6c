import gc
import weakref
from dataclasses import replace

import jax
import numpy as np
import pytest

from jinv.engine.events import BatchDone, Compiled
from jinv.engine.execution import Execution
from jinv.inversion.deep import DeepInversion
from jinv.inversion.make_job import make_job


@pytest.fixture
def fresh(tiny):
    """A classifier for which nothing has been compiled."""
    return replace(tiny)


def run(classifier, images=6, student=None, settings=None, **execution):
    """How many programs were compiled, and the images."""
    job = make_job(
        classifier,
        "all",
        images,
        company=0,
        method=DeepInversion(**{"steps": (2,), **(settings or {})}),
        student=student,
        execution=Execution(**{"devices": 1, "frames": 0, **execution}),
    )
    events = []
    job.run(events.append)
    compiled = sum(isinstance(event, Compiled) for event in events)
    return compiled, next(e.made.inputs for e in events if isinstance(e, BatchDone))


def test_a_second_run_compiles_nothing(fresh):
    first, images = run(fresh)
    second, again = run(fresh)
    assert (first, second) == (2, 0)
    np.testing.assert_array_equal(images, again)


@pytest.mark.parametrize(
    "other",
    [
        {"images": 12},
        {"settings": {"steps": (3,)}},
        {"settings": {"w_l2": 0.1}},
        {"devices": 2},
        {"parallel": "pmap"},
    ],
    ids=str,
)
def test_what_is_compiled_otherwise_is_another_program(fresh, other):
    run(fresh)
    assert run(fresh, **other)[0] == 2
    assert run(fresh)[0] == 0


def test_statistics_of_parts_are_another_step_for_the_same_images(fresh):
    run(fresh, devices=2)
    compiled, _ = run(fresh, devices=2, settings={"bn_scope": "local"})
    assert compiled == 2


def test_a_program_knows_what_jax_is_told(fresh):
    run(fresh)
    with jax.default_matmul_precision("float32"):
        assert run(fresh)[0] == 2
    assert run(fresh)[0] == 0


def test_programs_do_not_keep_a_network_alive(tiny):
    network = replace(tiny)
    followed = weakref.ref(network)
    run(network)
    del network
    gc.collect()
    assert followed() is None
