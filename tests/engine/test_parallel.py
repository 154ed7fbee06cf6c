"""One device, several devices under jit, and pmap compute the same."""

import sys

import jax
import numpy as np
import pytest

from jinv.devices import peak_memory_mib
from jinv.engine.execution import Execution
from jinv.engine.placement import make_placement, sharing_devices
from jinv.errors import ConfigError
from jinv.inversion.invert import invert

# Gentle steps: float32 rounding grows exponentially under violent ones, whatever
# computes them.
SETTINGS = {
    "adam": {"optimizer": "adam", "lr": 0.01, "reduction": "image"},
    "sgd": {"optimizer": "sgd", "lr": 0.2, "reduction": "nvlabs"},
}


def images(tiny, devices, parallel="jit", **settings):
    execution = Execution(devices=devices, parallel=parallel)
    settings = {
        "steps": (20,),
        "resolutions": (),
        "w_l2": 0.1,
        **SETTINGS["adam"],
        **settings,
    }
    return invert(
        tiny, "all", 16, batch_size=16, execution=execution, **settings
    ).images


@pytest.fixture(scope="module")
def references(tiny):
    return {name: images(tiny, 1, **SETTINGS[name]) for name in SETTINGS}


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
@pytest.mark.parametrize("name", SETTINGS)
def test_two_devices_make_the_images_of_one(tiny, references, parallel, name):
    found = images(tiny, 2, parallel, **SETTINGS[name])
    np.testing.assert_allclose(found, references[name], atol=1e-4)


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_company_is_the_same_whoever_makes_it(tiny, parallel):
    """By default 16 images of two classes have 12 others in company."""

    def levels(**execution):
        result = invert(
            tiny,
            "cat,dog",
            16,
            steps=(20,),
            resolutions=(),
            lr=0.01,
            execution=Execution(**execution),
        )
        return np.rint(255 * result.images), result.job.devices

    (one, _), (several, count) = levels(devices=1), levels(parallel=parallel)
    assert count == 2
    assert np.abs(one - several).max() <= 1


def test_the_compared_images_have_moved(tiny, references):
    start = images(tiny, 1, steps=(1,), lr=1e-9)
    for moved in references.values():
        assert np.abs(moved - start).max() > 0.02


def test_local_statistics_are_those_of_each_device(tiny, references):
    jit = images(tiny, 2, "jit", bn_scope="local")
    pmap = images(tiny, 2, "pmap", bn_scope="local")
    np.testing.assert_allclose(jit, pmap, atol=1e-4)
    assert np.abs(jit - references["adam"]).max() > 1e-3


def test_as_many_devices_take_part_as_share_a_batch_evenly(eight):
    assert [sharing_devices(0, batch) for batch in (16, 22, 12, 13)] == [8, 2, 6, 1]
    assert [sharing_devices(2, batch) for batch in (16, 22, 12)] == [2, 2, 2]


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_a_placement_says_how_many_devices_it_uses(parallel):
    assert make_placement(parallel, 0, 22).devices == 2


def test_processes_that_compute_together_use_all_devices(eight, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert sharing_devices(0, 16) == sharing_devices(8, 16) == 8
    with pytest.raises(ConfigError, match="a batch of 8 or 16$"):
        sharing_devices(0, 12)
    with pytest.raises(ConfigError, match="use all of their 8: leave --devices out"):
        sharing_devices(4, 16)


def test_company_is_told_apart_where_devices_cannot_share_it(eight):
    with pytest.raises(ConfigError, match="of 22, 6 of them company, cannot be shared"):
        make_placement("jit", 8, 22, company=6)


def test_memory_is_that_of_the_process_in_the_units_of_its_system(monkeypatch):
    linux = peak_memory_mib()
    assert 50 < linux < 50_000
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_memory_mib() == pytest.approx(linux / 1024, rel=0.1)


def test_memory_is_left_out_where_no_system_tells(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory_mib() == 0


def test_a_batch_that_devices_cannot_share_is_refused_with_ways_out(eight):
    with pytest.raises(ConfigError, match="a batch of 8 or 16, or --devices 6"):
        make_placement("jit", 8, 12)
    with pytest.raises(ConfigError, match="9 devices were asked for"):
        make_placement("jit", 9, 18)
