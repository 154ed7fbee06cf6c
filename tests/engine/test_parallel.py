"""One device, several devices under jit, and pmap compute the same."""

import numpy as np
import pytest

from jinv.engine.parallel import make_placement
from jinv.engine.run import Execution
from jinv.errors import ConfigError
from jinv.inversion.job import invert

# Gentle steps: float32 rounding grows exponentially under violent ones, whatever
# computes them.
SETTINGS = {
    "adam": {"optimizer": "adam", "lr": 0.01, "reduction": "image"},
    "sgd": {"optimizer": "sgd", "lr": 0.2, "reduction": "nvlabs"},
}


def images(tiny, devices, parallel="jit", bn_scope="global", **settings):
    execution = Execution(devices=devices, parallel=parallel, bn_scope=bn_scope)
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
def test_eight_devices_make_the_images_of_one(tiny, references, parallel, name):
    found = images(tiny, 8, parallel, **SETTINGS[name])
    np.testing.assert_allclose(found, references[name], atol=1e-4)


def test_the_compared_images_have_moved(tiny, references):
    start = images(tiny, 1, steps=(1,), lr=1e-9)
    for moved in references.values():
        assert np.abs(moved - start).max() > 0.02


def test_local_statistics_are_those_of_each_device(tiny, references):
    jit = images(tiny, 8, "jit", "local")
    pmap = images(tiny, 8, "pmap", "local")
    np.testing.assert_allclose(jit, pmap, atol=1e-4)
    assert np.abs(jit - references["adam"]).max() > 1e-3


def test_a_batch_that_devices_cannot_share_is_refused_with_ways_out():
    with pytest.raises(ConfigError, match="a batch of 8 or 16, or --devices 6"):
        make_placement("jit", 8, 12, "global")
    with pytest.raises(ConfigError, match="9 devices were asked for"):
        make_placement("jit", 9, 18, "global")
