"""What is computed follows from what is asked for, not from the machine."""

import jax
import pytest

from jinv.engine.execution import Execution
from jinv.errors import ConfigError
from jinv.inversion.make_job import make_job

pytestmark = pytest.mark.usefixtures("eight")

REQUESTS = (("cat,dog", 16), ("cat,dog", 250), ("all", 50), ("random", 7))


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_job_is_the_same_however_many_devices_there_are(tiny, monkeypatch, request_):
    def described(count):
        monkeypatch.setattr(jax, "device_count", lambda: count)
        return make_job(tiny, *request_).describe()

    assert described(1) == described(2) == described(3) == described(8)


@pytest.mark.parametrize("devices", [2, 4, 7])
def test_a_job_is_the_same_however_many_devices_are_asked_for(tiny, devices):
    def described(count):
        execution = Execution(devices=count)
        return make_job(tiny, "cat,dog", 16, execution=execution).describe()

    assert described(devices) == described(1)


def test_batches_of_accelerators_do_not_grow_with_their_number(tiny, monkeypatch):
    monkeypatch.setattr("jinv.inversion.make_job.on_accelerator", lambda: True)
    assert make_job(tiny, "all", 100).batch_size == 50
    assert make_job(tiny, "all", 64).batch_size == 64


def test_a_job_says_how_many_devices_share_it(tiny):
    assert make_job(tiny, "cat,dog", 16).devices == 7
    execution = Execution(devices=4)
    assert make_job(tiny, "cat,dog", 16, execution=execution).devices == 4


def test_devices_that_cannot_share_a_job_are_refused(tiny):
    with pytest.raises(ConfigError, match="28, 12 of them company.*or --devices 7"):
        make_job(tiny, "cat,dog", 16, execution=Execution(devices=8))


def test_the_number_of_devices_is_described_where_statistics_are_local(tiny):
    def described(scope, devices=0):
        execution = Execution(devices=devices)
        job = make_job(tiny, "all", 16, execution=execution, bn_scope=scope)
        return job.describe()

    assert "devices" not in described("global")
    assert described("local")["devices"] == 8
    assert described("local", 2)["devices"] == 2
