"""What holds arrays is compared by identity, and says in a line what it is."""

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

import jinv
from jinv.engine.execution import Execution
from jinv.engine.notes import Outcome
from jinv.engine.phase import Procedure
from jinv.inversion.invert import Result
from jinv.inversion.make_job import make_job
from jinv.transfer.trainable import Trainable


@pytest.fixture(scope="module")
def job(tiny):
    return make_job(tiny, "cat,dog", 5, execution=Execution(devices=1), steps=(2,))


@pytest.fixture(scope="module")
def result(job):
    images = np.zeros((5, 8, 8, 3), np.float32)
    return Result(images, job.request.labels, [], Outcome(1.0, 2.4, 60), job)


def own_dataclasses():
    for module in pkgutil.walk_packages(jinv.__path__, "jinv."):
        for kind in vars(importlib.import_module(module.name)).values():
            if is_dataclass(kind) and kind.__module__ == module.name:
                yield kind


def holds_arrays(kind):
    hints = (inspect.formatannotation(field.type) for field in fields(kind))
    return any(hint.split(".")[-1] in ("ndarray", "Array") for hint in hints)


def test_dataclasses_that_hold_arrays_are_compared_by_identity():
    kinds = [kind for kind in own_dataclasses() if holds_arrays(kind)]
    assert Result in kinds and Execution not in kinds
    assert [kind for kind in kinds if kind.__eq__ is not object.__eq__] == []


def test_jobs_and_results_are_equal_to_themselves_alone(job, result):
    for one in (job, result):
        assert one == one and one != replace(one)
        assert len({one, replace(one), one}) == 2


def test_what_a_method_hands_over_can_be_compared(job, tiny):
    one, other = job.procedure, job.method.procedure(tiny)
    assert one == Procedure(one.phases) and one != other
    assert hash(one) == hash(Procedure(one.phases))


def test_trainables_are_compared_by_identity():
    one = Trainable({"w": np.zeros(2)}, {"v": np.zeros(3)}, lambda *_: {})
    assert one == one and one != replace(one) and hash(one)


def test_a_job_says_what_it_is(job):
    assert repr(job) == (
        "<Job: 5 images of 2 classes by tiny, DeepInversion, batches of 5 and 12 in "
        "company, seed 0>"
    )


def test_a_result_says_what_it_is(result):
    assert repr(result) == "<Result: 5 images of 2 classes, 8x8, by tiny in 2 s>"


def test_a_classifier_says_what_it_is_and_keeps_its_weights_to_itself(tiny):
    text = repr(tiny)
    assert text.startswith("<Classifier: tiny, 6 classes, inputs 8x8x3, 1")
    assert text.endswith(" parameters, weights from no file>") and len(text) < 100
    assert repr(replace(tiny, sha256="0123456789abcdef")).endswith("weights 01234567>")
