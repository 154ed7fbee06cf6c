from dataclasses import replace

import jax
import numpy as np
import pytest

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Logged
from jinv.engine.execution import Execution
from jinv.errors import ConfigError, Interrupted
from jinv.inversion.dafl import DAFL
from jinv.inversion.dfad import DFAD
from jinv.inversion.fast import FastGenerators
from jinv.inversion.invert import invert
from jinv.inversion.make_job import make_job
from jinv.inversion.natural import NaturalInversion

SMALL = FastGenerators(
    steps=2, rehearsals=3, latent=12, channels=16, jitter=1, lr=3e-3, momentum=0.5
)


def job(classifier, images=24, method=SMALL, devices=1, parallel="jit", **options):
    execution = Execution(
        devices=devices, parallel=parallel, log_every=2, checkpoint_every=3
    )
    return make_job(
        classifier,
        "all",
        images,
        batch_size=8,
        method=method,
        execution=execution,
        **options,
    )


def collect(one, **options):
    events = []
    one.run(events.append, **options)
    return events


def images_of(events):
    done = {e.position.batch: e.made.inputs for e in events if isinstance(e, BatchDone)}
    return np.concatenate([done[batch] for batch in sorted(done)])


@pytest.fixture(scope="module")
def whole(tiny):
    """What three batches after three rehearsals tell."""
    return collect(job(tiny))


def test_rehearsals_are_logged_and_dropped(whole):
    assert images_of(whole).shape == (24, 8, 8, 3)
    logged = [e.position for e in whole if isinstance(e, Logged)]
    assert [p.batch for p in logged] == [-3, -2, -1, 0, 1, 2]
    assert [e.row["total_step"] for e in whole if isinstance(e, Logged)][-1] == 12


def test_rehearsals_teach_the_generator(tiny):
    def first_loss(rehearsals):
        method = replace(SMALL, rehearsals=rehearsals)
        events = collect(job(tiny, images=8, method=method))
        return next(
            e.row["loss"]
            for e in events
            if isinstance(e, Logged) and e.position.batch == 0
        )

    assert first_loss(40) < 0.9 * first_loss(0)


@pytest.mark.parametrize("stop_after", [2, 8])
def test_a_stopped_run_goes_on_to_the_same_images(tiny, whole, tmp_path, stop_after):
    """Stopped in a rehearsal, and in a batch."""
    calls = iter(range(100))
    first = []
    with pytest.raises(Interrupted):
        job(tiny).run(
            first.append,
            lambda: next(calls) == stop_after,
            Checkpoints(tmp_path / "checkpoint"),
        )
    rest = collect(
        job(tiny), checkpoints=Checkpoints(tmp_path / "checkpoint"), resume=True
    )
    done = [e for e in first if isinstance(e, BatchDone) and e.complete]
    np.testing.assert_array_equal(images_of([*done, *rest]), images_of(whole))


def test_batches_before_the_wanted_one_are_made_on_the_way(tiny, whole):
    last = collect(job(tiny), numbers=[2])
    np.testing.assert_array_equal(images_of(last)[-8:], images_of(whole)[-8:])


NATURAL = NaturalInversion(steps=4, latent=12, channels=16, jitter=1)


@pytest.mark.parametrize(
    ("parallel", "method"),
    [
        ("jit", replace(SMALL, lr=1e-4, lr_latent=1e-3)),
        ("pmap", replace(NATURAL, lr=1e-5, lr_pyramid=1e-5, lr_scale=1e-3)),
    ],
)
def test_two_devices_make_the_images_of_one(tiny, parallel, method):
    """Gentle steps: violent ones let rounding grow, whatever computes them."""
    one = images_of(collect(job(tiny, 16, method)))
    two = images_of(collect(job(tiny, 16, method, devices=2, parallel=parallel)))
    np.testing.assert_allclose(one, two, atol=2e-3)


def test_a_student_is_asked_for_where_a_term_needs_one(tiny, unnormalised):
    adversarial = replace(SMALL, w_adversarial=1.0)
    with pytest.raises(ConfigError, match="a student: give one"):
        job(tiny, method=adversarial)
    with pytest.raises(ConfigError, match="no term that looks at a student"):
        job(tiny, student=unnormalised)
    events = collect(job(tiny, method=adversarial, student=unnormalised))
    rows = [e.row for e in events if isinstance(e, Logged)]
    assert rows[-1]["terms"]["adversarial"]["raw"] <= 0


def test_what_cannot_work_is_refused(tiny, unnormalised):
    for settings, message in (
        ({"momentum": 1.0}, "momentum: expected a number from 0 to below 1"),
        ({"w_class": 0.0, "w_bn": 0.0}, "every loss weight is 0"),
        ({"rehearsals": -1}, "rehearsals: expected a whole number from 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            job(tiny, method=replace(SMALL, **settings))
    with pytest.raises(ConfigError, match="no BatchNorm statistics"):
        job(unnormalised)


DAFL_SMALL = DAFL(rehearsals=30, latent=12, channels=16, lr=1e-3)


def test_dafl_makes_images_that_the_classifier_is_sure_of_and_names_them(tiny):
    method = replace(DAFL_SMALL, rehearsals=100, lr=1e-2)
    result = invert(tiny, "all", 16, batch_size=16, method=method)
    first, last = result.log[0], result.log[-1]
    assert last["loss"] < first["loss"] - 0.05
    assert last["terms"]["one_hot"]["raw"] < first["terms"]["one_hot"]["raw"]
    inputs = tiny.normalise(np.rint(255 * result.images).astype(np.float32) / 255)
    answers = jax.jit(tiny.logits)(tiny.variables, inputs).argmax(-1)
    np.testing.assert_array_equal(result.labels, answers)
    assert "top1" not in result.log[-1]


def test_images_are_named_by_their_8_bit_values(tiny, stripes):
    images = stripes[1].images
    inputs = tiny.normalise(images.astype(np.float32) / 255)
    logits = tiny.logits(tiny.variables, inputs)
    # With such a bias it does not say the same of all of them.
    params = tiny.variables["params"]
    fc = {**params["fc"], "bias": params["fc"]["bias"] - logits.mean(0)}
    variables = {**tiny.variables, "params": {**params, "fc": fc}}
    asked = job(replace(tiny, variables=variables), method=DAFL_SMALL).request
    named = asked.labels_of(range(len(images)), images)
    answers = (logits - logits.mean(0, keepdims=True)).argmax(-1)
    assert np.mean(named == answers) > 0.95 and len(set(named.tolist())) > 1


def test_a_method_that_asks_for_no_class_is_given_none(tiny):
    with pytest.raises(ConfigError, match="DAFL asks for no classes"):
        make_job(tiny, "cat", 8, method=DAFL_SMALL)


def test_dfad_drives_a_student_away_from_the_classifier(tiny, unnormalised):
    method = DFAD(rehearsals=30, latent=12, channels=16)
    result = invert(tiny, "all", 16, batch_size=16, method=method, student=unnormalised)
    apart = [row["terms"]["disagreement"]["raw"] for row in result.log]
    assert apart[-1] < 1.1 * apart[0] < 0
