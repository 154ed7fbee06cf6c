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
from jinv.inversion.methods import METHODS


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


def test_weights_and_rates_are_data(fresh):
    first, images = run(fresh)
    again, others = run(fresh, settings={"lr": 0.03, "w_bn": 2.0, "w_tv2": 1.0})
    assert (first, again) == (2, 0)
    assert np.abs(images - others).max() > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_one_form_have_one_procedure(fresh, method):
    kind = METHODS[method].kind
    halved = kind(**{name: value / 2 for name, value in kind().numbers.items()})
    student = replace(fresh, sha256="another") if method == "dfad" else None
    jobs = [
        make_job(fresh, "all", 6, method=settings, student=student)
        for settings in (kind(), halved)
    ]
    assert jobs[0].procedure is jobs[1].procedure
    assert jobs[0].describe() != jobs[1].describe()


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
