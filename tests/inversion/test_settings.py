"""What nobody gave does not stand in the way of what somebody did."""

import pytest

from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.make_job import make_job
from jinv.inversion.methods import METHODS
from jinv.inversion.natural import NaturalInversion
from jinv.inversion.presets import PRESETS
from jinv.inversion.settings import with_given
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.zoo import classifier_spec
from jinv.reconstruction.feature_inversion import FeatureInversion

TWO = DeepInversion(steps=(600, 200), resolutions=(16, 32), warmup=20)


@pytest.fixture(scope="module")
def imagenet():
    """A classifier whose weights are shapes alone."""
    spec = classifier_spec("efficientnet_lite0")
    module = spec.make_module()
    return Classifier(spec, module, init_shapes(module, spec))


def test_steps_may_be_few_where_a_preset_warms_up(imagenet):
    assert make_job(imagenet, "0", 1, steps=(3,)).method.warmup == 1
    assert make_job(imagenet, "0", 1, steps=(1,)).method.warmup == 0


def test_steps_and_a_warm_up_that_contradict_each_other_are_refused(imagenet):
    with pytest.raises(ConfigError, match="a warm-up of 20 steps needs more than 3"):
        make_job(imagenet, "0", 1, steps=(3,), warmup=20)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_stay_as_they_are_where_nothing_tied_is_given(name):
    method = PRESETS[name].method
    assert with_given(method, {}) == method
    assert with_given(method, {"lr": method.lr}) == method


def test_a_warm_up_stays_where_it_fits():
    assert with_given(TWO, {"steps": (400, 100)}).warmup == 20
    assert with_given(TWO, {"steps": (400, 30)}).warmup == 15


@pytest.mark.parametrize(
    ("resolutions", "steps"),
    [((32,), (800,)), ((), (800,)), ((8, 16, 32), (400, 267, 133)), ((8, 32), None)],
)
def test_steps_follow_resolutions(resolutions, steps):
    found = with_given(TWO, {"resolutions": resolutions})
    assert found.steps == (steps or TWO.steps) and found.warmup == 20


def test_one_number_of_steps_suits_any_resolutions():
    method = DeepInversion(steps=(50,))
    assert with_given(method, {"resolutions": (8, 16, 32)}).steps == (50,)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"steps": (400,)}, (286, 114)),
        ({"steps": (7,)}, (5, 2)),
        ({"steps": (9, 9)}, (9, 9)),
        ({"steps": (40,), "shares": (1.0, 3.0)}, (10, 30)),
        ({"steps": (9,), "rates": (1.0, 0.1, 0.1), "jitters": (0, 0, 0)}, (3, 3, 3)),
    ],
)
def test_one_number_of_steps_is_shared_out_as_a_preset_has_them(tiny, given, found):
    two = FeatureInversion(
        layers=("stage1",), steps=(250, 100), rates=(1.0, 1.0), jitters=(4, 0)
    )
    method = with_given(two, given)
    phases = method.procedure(tiny).phases
    assert tuple(phase.descent.steps for phase in phases) == found
    # A search finds the settings that it begins with among those that it tries.
    assert with_given(method, {"steps": method.steps}) == method


def test_shares_of_several_numbers_of_steps_are_refused(tiny):
    with pytest.raises(ConfigError, match="shares are of one number of steps"):
        FeatureInversion(
            layers=("stage1",), steps=(2, 3), rates=(1, 1), shares=(1.0, 2.0)
        ).procedure(tiny)


def test_given_steps_stay_as_they_are():
    given = {"steps": (1, 2, 3), "resolutions": (16, 32)}
    assert with_given(TWO, given).steps == (1, 2, 3)


@pytest.mark.parametrize("steps", [(0,), (), (-5,)])
def test_steps_that_cannot_work_are_left_to_the_method(tiny, steps):
    with pytest.raises(ConfigError, match="steps"):
        with_given(TWO, {"steps": steps}).procedure(tiny)


def test_settings_of_a_part_go_with_it():
    method = NaturalInversion(pyramid_stages=2, lr_pyramid=1e-4, lr_scale=0.1)
    found = with_given(method, {"pyramid": False})
    assert found == NaturalInversion(pyramid=False, lr_scale=0.1)
    assert with_given(method, {"channel_scaling": False}).lr_scale == 0.05


def test_settings_given_with_a_part_that_is_left_out_are_refused(tiny):
    given = {"pyramid": False, "lr_pyramid": 1.0}
    with pytest.raises(ConfigError, match="lr_pyramid means nothing without pyramid"):
        with_given(NaturalInversion(), given).procedure(tiny)


def test_a_schedule_does_not_end_where_one_generator_goes_on():
    method = NaturalInversion(schedule="cosine")
    assert with_given(method, {"one_to_one": False}).schedule == "constant"
    given = {"one_to_one": False, "schedule": "step"}
    assert with_given(method, given).schedule == "step"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_follows_what_is_given(name):
    method = METHODS[name].kind()
    every = {field: getattr(method, field) for field in vars(method)}
    assert with_given(method, every) == method


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="unknown setting 'step'"):
        with_given(TWO, {"step": (1,)})


def test_former_names_are_understood():
    found = with_given(DeepInversion(), {"w_feature": 3.0, "feature_norm": "layer"})
    assert (found.w_bn, found.bn_norm) == (3.0, "layer")
