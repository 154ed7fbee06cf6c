import json

import numpy as np
import pytest

from jinv.report.arm import Arm

ROUNDS = [
    {"round": 1, "loss": 4.0, "seconds": 2.0, "making": 10.0},
    {"round": 2, "loss": 3.0, "seconds": 3.0, "making": 11.0, "test_accuracy": 20.0},
    {"round": 3, "loss": 2.0, "seconds": 2.0, "making": 15.0},
    {"round": 4, "loss": 1.0, "seconds": 2.5, "making": 15.0, "test_accuracy": 40.5},
]
EPOCHS = [{"epoch": 1, "loss": 2.0, "seconds": 60.0, "test_accuracy": 50.0}]


def test_rounds_are_counted_in_steps():
    places, values = Arm(ROUNDS, 50).line("loss")
    assert places.tolist() == [50, 100, 150, 200]
    assert values.tolist() == [4, 3, 2, 1]


def test_a_line_is_of_the_rows_that_measured_it():
    places, values = Arm(ROUNDS, 10).line("test_accuracy")
    assert places.tolist() == [20, 40]
    assert values.tolist() == [20, 40.5]


def test_epochs_are_counted_as_they_are():
    arm = Arm(EPOCHS, 50)
    assert arm.unit == "epoch"
    assert arm.line("test_accuracy")[0].tolist() == [1]


def test_time_is_that_of_all_images_and_of_all_steps_so_far():
    assert Arm(ROUNDS).seconds.tolist() == [12, 16, 22, 24.5]
    assert Arm(EPOCHS).seconds.tolist() == [60]
    places, _ = Arm(ROUNDS).line("test_accuracy", by_time=True)
    assert places.tolist() == [16, 24.5]


def test_what_nobody_measured_has_no_line():
    arm = Arm(ROUNDS)
    assert not arm.measured("agreement")
    assert arm.measured("test_accuracy")
    assert arm.line("agreement")[1].size == 0


@pytest.mark.parametrize("junk", ["12", None, True, [1.0], float("nan"), {}])
def test_what_is_no_number_is_not_there(junk):
    row = json.loads(json.dumps({"round": 5, "loss": junk, "seconds": junk}))
    arm = Arm([*ROUNDS, row])
    assert arm.line("loss")[1].tolist() == [4, 3, 2, 1]
    assert np.isfinite(arm.seconds).all()


def test_an_empty_log_is_no_error():
    arm = Arm([])
    assert arm.unit == "round"
    assert arm.seconds.size == 0
    assert arm.line("loss", by_time=True)[0].size == 0
